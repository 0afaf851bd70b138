#include "checkpoint/convert.hpp"

#include <cstring>

#include "device/number.hpp"

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

void convert_f16(const std::byte* bytes, std::span<float> out) {
  std::size_t i = 0;
#ifdef __F16C__
  for (; i + 8 <= out.size(); i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes + 2 * i));
    _mm256_storeu_ps(out.data() + i, _mm256_cvtph_ps(halves));
  }
#endif
  for (; i < out.size(); ++i) out[i] = device::to_float(load<device::Float16>(bytes + 2 * i));
}

void convert_bf16(const std::byte* bytes, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = device::to_float(load<device::BFloat16>(bytes + 2 * i));
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
