#pragma once

#include <limits>

namespace incipit {

/// What no value is there for.
inline constexpr double nan = std::numeric_limits<double>::quiet_NaN();

}  // namespace incipit
