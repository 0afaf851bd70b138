#include "emergence/gather_points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "error.hpp"
#include "index.hpp"

namespace incipit::emergence {

void gather_points(const parallel::Communicator& comm, const std::string& what,
                   const std::vector<char>& touched, std::vector<double>& cells) {
  if (touched.empty()) return;
  const int64_t points = std::ssize(touched), length = std::ssize(cells) / points;
  std::vector<int64_t> mine;
  std::vector<double> sent;
  for (int64_t p = 0; p < points; ++p) {
    if (touched[at(p)] == 0) continue;
    mine.push_back(p);
    sent.insert(sent.end(), cells.begin() + p * length, cells.begin() + (p + 1) * length);
  }
  const auto which = comm.all_gather(mine);
  const auto all = comm.all_gather(sent);
  std::vector<char> seen(touched.size(), 0);
  for (size_t i = 0; i < which.size(); ++i) {
    if (std::exchange(seen[at(which[i])], 1) != 0)
      throw Error(Exit::defect, fmt::format("{}: point {} was measured by two ranks", what, which[i]));
    std::copy_n(all.begin() + static_cast<int64_t>(i) * length, length, cells.begin() + which[i] * length);
  }
}

std::vector<double> packed_points(const std::vector<char>& touched, const std::vector<double>& cells) {
  std::vector<double> packed{0, 0};
  if (touched.empty()) return packed;
  const int64_t length = std::ssize(cells) / std::ssize(touched);
  packed[1] = static_cast<double>(length);
  for (int64_t p = 0; p < std::ssize(touched); ++p) {
    if (touched[at(p)] == 0) continue;
    ++packed[0];
    packed.push_back(static_cast<double>(p));
    packed.insert(packed.end(), cells.begin() + p * length, cells.begin() + (p + 1) * length);
  }
  return packed;
}

std::optional<std::span<const double>> take_points(std::span<const double> packed, std::vector<char>& touched,
                                                   std::vector<double>& cells) {
  if (packed.size() < 2) return std::nullopt;
  const auto count = static_cast<int64_t>(packed[0]), length = static_cast<int64_t>(packed[1]);
  packed = packed.subspan(2);
  if (touched.empty()) return packed;
  if (length != std::ssize(cells) / std::ssize(touched) || std::ssize(packed) < count * (length + 1))
    return std::nullopt;
  const auto row = [&](int64_t i) { return packed.subspan(at(i * (length + 1)), at(length + 1)); };
  for (int64_t i = 0; i < count; ++i)
    if (!(row(i)[0] >= 0 && row(i)[0] < static_cast<double>(touched.size()))) return std::nullopt;
  for (int64_t i = 0; i < count; ++i) {
    const auto point = static_cast<int64_t>(row(i)[0]);
    if (std::exchange(touched[at(point)], 1) == 0)
      std::copy_n(row(i).begin() + 1, length, cells.begin() + point * length);
  }
  return packed.subspan(at(count * (length + 1)));
}

}  // namespace incipit::emergence
