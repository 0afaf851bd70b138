#include "command/parts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "error.hpp"
#include "store/files.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

/// Parts are read back by the same job, so they are a kind of their own beside the finished files.
constexpr const char* kind = "part";

struct Found {
  std::size_t first, last;
  fs::path path;
};

std::vector<Found> list(const fs::path& folder, const Unit& unit) {
  std::vector<Found> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    Found part{0, 0, entry.path()};
    if (std::sscanf(entry.path().filename().c_str(), "%zu-%zu.h5", &part.first, &part.last) != 2) continue;
    if (open_part(part.path, {kind}, unit)) found.push_back(part);
  }
  std::ranges::sort(found, {}, &Found::first);
  return found;
}

}  // namespace

fs::path parts_folder(const fs::path& output, const Unit& unit) {
  return (output / "parts" / unit.path.lexically_relative(output)).replace_extension();
}

std::optional<store::Reader> open_part(const fs::path& path, const std::vector<std::string>& kinds,
                                       const Unit& unit) {
  try {
    store::Reader file(path);
    if (file.fingerprint() == unit.fingerprint && std::ranges::find(kinds, file.kind()) != kinds.end())
      return file;
  } catch (const Error&) {
    return std::nullopt;
  }
  return std::nullopt;
}

void remove_parts(const fs::path& output, const Unit& unit) noexcept {
  std::error_code none;
  const auto folder = parts_folder(output, unit);
  fs::remove_all(folder, none);
  for (auto above = folder.parent_path(); above != output && fs::remove(above, none);)
    above = above.parent_path();
}

Parts::Parts(const fs::path& output, const Unit& unit)
    : output_(output), folder_(parts_folder(output, unit)), unit_(unit) {}

std::vector<std::pair<std::size_t, std::size_t>> Parts::find(const parallel::Communicator& team) {
  std::vector<std::int64_t> ranges;
  if (team.root())
    for (const auto& part : list(folder_, unit_))
      if (ranges.empty() || static_cast<std::int64_t>(part.first) >= ranges.back()) {
        ranges.push_back(static_cast<std::int64_t>(part.first));
        ranges.push_back(static_cast<std::int64_t>(part.last));
      }
  team.broadcast(ranges);
  std::vector<std::pair<std::size_t, std::size_t>> there;
  for (std::size_t i = 0; i < ranges.size(); i += 2)
    there.emplace_back(static_cast<std::size_t>(ranges[i]), static_cast<std::size_t>(ranges[i + 1]));
  return there;
}

template <class T>
void Parts::write(const store::Header& header, std::size_t first, std::size_t last,
                  parallel::BlockRange positions, const std::vector<std::vector<T>>& rows,
                  std::int64_t width) {
  store::ensure_folder(folder_);
  auto own = header;
  own.kind = kind;
  const auto self = parallel::Communicator::self();
  store::Writer file(self, folder_ / fmt::format("{}-{}.h5", first, last), own);
  const std::vector<std::int64_t> at{positions.begin, positions.end};
  file.write<std::int64_t>("positions", {2}, at, {"1", "first position in pack order, and the end"});
  const auto count = positions.end - positions.begin;
  const auto layers = static_cast<std::int64_t>(rows.size());
  file.create<T>("rows", {layers, count, width}, {"1", "rows of this part's positions, in pack order"}, {});
  for (std::int64_t l = 0; l < layers; ++l)
    file.write_slab<T>("rows", {l, 0, 0}, {1, count, width},
                       std::span<const T>(rows[static_cast<std::size_t>(l)]));
  file.commit();
}

template <class T>
std::vector<T> Parts::read(std::size_t layer, parallel::BlockRange positions, std::int64_t width) const {
  std::vector<T> rows(static_cast<std::size_t>((positions.end - positions.begin) * width));
  auto next = positions.begin;
  for (const auto& part : list(folder_, unit_)) {
    const store::Reader file(part.path, kind);
    const auto at = file.read<std::int64_t>("positions");
    const auto begin = std::max(next, at[0]), end = std::min(positions.end, at[1]);
    if (begin >= end || begin != next) continue;
    file.read_slab<T>("rows", {static_cast<std::int64_t>(layer), begin - at[0], 0}, {1, end - begin, width},
                      std::span<T>(rows).subspan(static_cast<std::size_t>((begin - positions.begin) * width),
                                                 static_cast<std::size_t>((end - begin) * width)));
    next = end;
  }
  if (next != positions.end)
    throw Error(
        Exit::io,
        fmt::format("{}: the part files end at position {}, expected {}: one was removed while the job ran",
                    folder_.string(), next, positions.end));
  return rows;
}

template void Parts::write(const store::Header&, std::size_t, std::size_t, parallel::BlockRange,
                           const std::vector<std::vector<float>>&, std::int64_t);
template void Parts::write(const store::Header&, std::size_t, std::size_t, parallel::BlockRange,
                           const std::vector<std::vector<double>>&, std::int64_t);
template std::vector<float> Parts::read(std::size_t, parallel::BlockRange, std::int64_t) const;
template std::vector<double> Parts::read(std::size_t, parallel::BlockRange, std::int64_t) const;

void Parts::remove(const parallel::Communicator& team) const {
  team.barrier();
  if (team.root()) remove_parts(output_, unit_);
}

}  // namespace incipit::command
