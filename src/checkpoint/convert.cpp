#include "checkpoint/convert.hpp"

#include <bit>
#include <cstdint>
#include <cstring>

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace incipit::checkpoint {
namespace {

template <class T>
T load(const std::byte* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t fraction = half & 0x3ffu;
  if (exponent == 0) {  // zero and subnormal numbers: fraction · 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<uint32_t>(magnitude) | sign);
  }
  if (exponent == 0x1f) {  // infinity and NaN, made quiet as the hardware does
    const uint32_t quiet = fraction == 0 ? 0u : 0x400000u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | fraction << 13);
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

void convert_f16(const std::byte* bytes, std::span<float> out) {
  std::size_t i = 0;
#ifdef __F16C__
  for (; i + 8 <= out.size(); i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 2 * i));
    _mm256_storeu_ps(out.data() + i, _mm256_cvtph_ps(halves));
  }
#endif
  for (; i < out.size(); ++i) out[i] = half_to_float(load<uint16_t>(bytes + 2 * i));
}

void convert_bf16(const std::byte* bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = std::bit_cast<float>(static_cast<uint32_t>(load<uint16_t>(bytes + 2 * i)) << 16);
  }
}

void convert_f64(const std::byte* bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(load<double>(bytes + 8 * i));
}

}  // namespace

void convert_to_float(Dtype dtype, std::span<const std::byte> bytes, std::span<float> out) {
  switch (dtype) {
    case Dtype::f16:
      return convert_f16(bytes.data(), out);
    case Dtype::bf16:
      return convert_bf16(bytes.data(), out);
    case Dtype::f32:
      std::memcpy(out.data(), bytes.data(), out.size_bytes());
      return;
    case Dtype::f64:
      return convert_f64(bytes.data(), out);
    case Dtype::other:
      return;
  }
}

}  // namespace incipit::checkpoint
