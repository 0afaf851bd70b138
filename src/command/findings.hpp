#pragma once

#include <string>

#include "command/curve_view.hpp"

namespace incipit::command {

/// What a curve says: which subjects rise, where, in which order, and what falls and returns on the way, with
/// the reasons. Empty for a curve without conclusions.
[[nodiscard]] std::string findings(const CurveView& curve);

}  // namespace incipit::command
