#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace incipit::checkpoint {

/// Fills `out` with the bytes of a file from `offset` on, or throws Error io; `what` names in its message
/// what was to be read.
using ReadAt = std::function<void(uint64_t offset, std::span<std::byte> out, const std::string& what)>;

}  // namespace incipit::checkpoint
