#include "checkpoint/random_weights.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "random.hpp"

namespace incipit::checkpoint {
namespace {

/// How a tensor's numbers are drawn: normal about `mean`; constant where `deviation` is 0.
struct Start {
  uint64_t index;  ///< among the tensors of the shape
  float mean;
  double deviation;
};

Start start_of(std::string_view name, uint64_t index, const Config& config) {
  const auto d = static_cast<double>(config.d);
  if (name.ends_with(".bias")) return {index, 0, 0};
  if (name.ends_with("layernorm.weight") || name.ends_with("layer_norm.weight")) return {index, 1, 0};
  const bool writes = name.ends_with("attention.dense.weight") || name.ends_with("mlp.dense_4h_to_h.weight");
  return {index, 0,
          writes ? 2 / (static_cast<double>(config.layers) * std::sqrt(d)) : std::sqrt(2 / (5 * d))};
}

void draw_rows(const Start& start, uint64_t seed, const Tensor& tensor, int64_t first, int64_t rows,
               std::span<float> out) {
  if (start.deviation == 0) {
    std::ranges::fill(out, start.mean);
    return;
  }
  constexpr unsigned row_bits = 40;
  const auto width = static_cast<std::size_t>(tensor.row_size());
  for (int64_t row = 0; row < rows; ++row) {
    Random random(seed, Purpose::random_weights,
                  start.index << row_bits | static_cast<uint64_t>(first + row));
    for (float& number : out.subspan(static_cast<std::size_t>(row) * width, width))
      number = static_cast<float>(start.deviation * random.normal());
  }
}

}  // namespace

Weights random_weights(const Config& config, uint64_t seed) {
  const std::vector<ExpectedTensor> tensors = expected_tensors(config);
  std::map<std::string, Start, std::less<>> starts;
  for (std::size_t t = 0; t < tensors.size(); ++t)
    starts.emplace(tensors[t].name, start_of(tensors[t].name, t, config));
  return Weights::drawn("random weights of seed " + std::to_string(seed), tensors,
                        [starts = std::move(starts), seed](const Tensor& tensor, int64_t first, int64_t rows,
                                                           std::span<float> out) {
                          draw_rows(starts.find(tensor.name)->second, seed, tensor, first, rows, out);
                        });
}

}  // namespace incipit::checkpoint
