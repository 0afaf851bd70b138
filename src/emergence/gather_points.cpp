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

}  // namespace incipit::emergence
