#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::emergence {

/// Gives all ranks what each found at points of its own: rows of `cells` [point, ...], of which this rank
/// has set those that are `touched` [point]. Collective. Error defect when two ranks set one point; `what`
/// is whose points they are.
void gather_points(const parallel::Communicator& comm, const std::string& what,
                   const std::vector<char>& touched, std::vector<double>& cells);

/// What this rank has set, as numbers that take_points understands: how many points, and each with its row.
[[nodiscard]] std::vector<double> packed_points(const std::vector<char>& touched,
                                                const std::vector<double>& cells);

/// Sets the points that are not set yet, from the front of `packed`. Returns what lies behind them; nothing,
/// and nothing is set, where these are no rows of such points.
[[nodiscard]] std::optional<std::span<const double>> take_points(std::span<const double> packed,
                                                                 std::vector<char>& touched,
                                                                 std::vector<double>& cells);

}  // namespace incipit::emergence
