#pragma once

#include <cstddef>
#include <cstdint>

namespace incipit {

/// A count or place as the standard containers take it.
inline std::size_t at(std::int64_t i) {
  return static_cast<std::size_t>(i);
}

}  // namespace incipit
