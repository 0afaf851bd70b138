#pragma once

#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::emergence {

/// Gives all ranks what each found at points of its own: rows of `cells` [point, ...], of which this rank
/// has set those that are `touched` [point]. Collective. Error defect when two ranks set one point; `what`
/// is whose points they are.
void gather_points(const parallel::Communicator& comm, const std::string& what,
                   const std::vector<char>& touched, std::vector<double>& cells);

}  // namespace incipit::emergence
