#pragma once

#include <cstddef>
#include <span>

#include "checkpoint/weights.hpp"

namespace incipit::checkpoint {

/// Converts little-endian elements of `dtype` (not `other`) to fp32; `bytes` holds out.size() of them.
/// f16 and bf16 are exact, f64 rounds to nearest.
void convert_to_float(Dtype dtype, std::span<const std::byte> bytes, std::span<float> out);

}  // namespace incipit::checkpoint
