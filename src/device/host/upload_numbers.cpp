#include "device/upload_numbers.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "device/host/host_device.hpp"
#include "device/number.hpp"
#include "error.hpp"

namespace incipit::device {
namespace {

/// Numbers that are converted and then looked at while they are in the first-level cache.
constexpr std::int64_t uploaded_block = 4096;

template <class From>
float as_float(From x) {
  if constexpr (std::is_same_v<From, double>) {
    return static_cast<float>(x);
  } else {
    return to_float(x);
  }
}

/// From the bits and without a branch, so that it runs at the speed of memory.
template <Number To>
bool all_finite(const To* numbers, std::int64_t count) {
  std::uint32_t bad = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(to_float(numbers[i]));
    bad |= static_cast<std::uint32_t>((bits & 0x7f800000U) == 0x7f800000U);
  }
  return bad == 0;
}

template <class From, Number To>
std::int64_t convert(const std::byte* from, std::int64_t count, To* to) {
  std::int64_t first = count;
  for (std::int64_t begin = 0; begin < count; begin += uploaded_block) {
    const std::int64_t here = std::min(uploaded_block, count - begin);
    const std::byte* in = from + begin * static_cast<std::int64_t>(sizeof(From));
    To* out = to + begin;
    if constexpr (std::is_same_v<From, To>) {
      std::memcpy(out, in, static_cast<std::size_t>(here) * sizeof(From));
    } else {
      for (std::int64_t i = 0; i < here; ++i) {
        From x;
        std::memcpy(&x, in + i * static_cast<std::int64_t>(sizeof(From)), sizeof x);
        out[i] = round_to<To>(as_float(x));
      }
    }
    if (first < count || all_finite(out, here)) continue;
    for (std::int64_t i = here; i-- > 0;) {
      if (!all_finite(out + i, 1)) first = begin + i;
    }
  }
  return first;
}

template <Number To>
std::int64_t upload_as(const NumberUpload& op) {
  const auto* from = static_cast<const std::byte*>(op.host);
  auto* to = static_cast<To*>(op.device);
  switch (op.from) {
    case NumberType::f16:
      return convert<Float16>(from, op.count, to);
    case NumberType::bf16:
      return convert<BFloat16>(from, op.count, to);
    case NumberType::f32:
      return convert<float>(from, op.count, to);
    case NumberType::f64:
      return convert<double>(from, op.count, to);
  }
  return 0;
}

}  // namespace

std::int64_t HostDevice::upload_numbers(const NumberUpload& op) {
  switch (op.to) {
    case NumberType::f16:
      return upload_as<Float16>(op);
    case NumberType::bf16:
      return upload_as<BFloat16>(op);
    case NumberType::f32:
      return upload_as<float>(op);
    case NumberType::f64:
      break;
  }
  throw Error(Exit::defect, "upload_numbers: numbers of the forward pass are f16, bf16 or f32");
}

}  // namespace incipit::device
