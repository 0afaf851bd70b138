#include "command/activations.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "error.hpp"

namespace incipit::command {

Activations::Activations(const std::filesystem::path& path, std::int64_t probes)
    : reader_(path, "activations"),
      path_(path),
      layers_(reader_.read<std::int32_t>("layer")),
      probes_(probes) {
  const auto shape = reader_.shape("residual");
  if (shape.size() != 3 || shape[0] != static_cast<std::int64_t>(layers_.size()) || shape[1] != probes)
    throw Error(Exit::data,
                fmt::format("{}: residual has the shape [{}]; expected [{}, {}, d] (layers, probes)",
                            path.string(), fmt::join(shape, ", "), layers_.size(), probes));
  width_ = shape[2];
}

std::vector<float> Activations::rows_of(const std::string& dataset, int layer,
                                        parallel::BlockRange block) const {
  const auto found = std::ranges::find(layers_, layer);
  if (found == layers_.end())
    throw Error(Exit::data, fmt::format("{}: holds the layers {}, not layer {}", path_.string(),
                                        fmt::join(layers_, ", "), layer));
  std::vector<float> all(static_cast<std::size_t>(block.size() * width_));
  reader_.read_slab<float>(dataset, {found - layers_.begin(), block.begin, 0}, {1, block.size(), width_},
                           std::span<float>(all));
  return all;
}

std::vector<float> Activations::rows_of(const std::string& dataset, int layer,
                                        std::span<const std::int64_t> which) const {
  const auto all = rows_of(dataset, layer, parallel::BlockRange{0, probes_});
  std::vector<float> chosen;
  chosen.reserve(which.size() * static_cast<std::size_t>(width_));
  for (auto i : which) chosen.insert(chosen.end(), all.begin() + i * width_, all.begin() + (i + 1) * width_);
  return chosen;
}

std::vector<float> Activations::rows(int layer, parallel::BlockRange block) const {
  return rows_of("residual", layer, block);
}

std::vector<float> Activations::rows(int layer, std::span<const std::int64_t> which) const {
  return rows_of("residual", layer, which);
}

}  // namespace incipit::command
