#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

/// Elementary functions in fp32 without branches or tables, written so that a plain loop over them becomes
/// vector instructions. The polynomials are our own weighted minimax fits. NaN in gives NaN out.
namespace incipit::device::host {

/// Whether x is NaN or infinite: an exponent of all ones, from the bits, which no compiler flag can optimise
/// away.
inline bool nonfinite(float x) {
  return (std::bit_cast<std::uint32_t>(x) & 0x7f800000U) == 0x7f800000U;
}

/// eˣ to 1.5e-7 relative for −87 ≤ x ≤ 88; below 1.6e-38, above 88.4 infinity.
inline float exp_fast(float x) {
  // Comparisons written so that NaN passes through.
  x = x < -87.0F ? -87.0F : x;
  x = x > 89.0F ? 89.0F : x;
  // x = n·ln 2 + r; adding 1.5·2²³ rounds to the nearest integer and leaves it in the low bits.
  constexpr float rounder = 12582912.0F;
  const float shifted = x * 1.44269504F + rounder;
  const float n = shifted - rounder;
  float r = x - n * 0.693359375F;
  r = r + n * 2.12194440e-4F;
  float p = 1.3814613e-3F;
  p = p * r + 8.3687100e-3F;
  p = p * r + 4.1668387e-2F;
  p = p * r + 1.6666521e-1F;
  p = p * r + 4.9999993e-1F;
  p = (p * r) * r + r + 1.0F;
  const auto bits = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(rounder);
  return p * std::bit_cast<float>((bits + 127U) << 23U);
}

/// x·Φ(x) to 2e-7·max(1, |x|), and to 2e-6 relative for −9 ≤ x.
/// Below |x| = √2 through erf(y) = y·P(y²); above through erfc(y) = exp(−y²)·t·Q(t), t = 1/(1 + 0.4 y), which
/// keeps the negative tail free of cancellation.
inline float gelu(float x) {
  const float y = std::fabs(x) * 0.70710678F;
  const float s = y * y;
  float p = 7.8538617e-5F;
  p = p * s - 8.0101939e-4F;
  p = p * s + 5.1883278e-3F;
  p = p * s - 2.6853812e-2F;
  p = p * s + 1.1283585e-1F;
  p = p * s - 3.7612626e-1F;
  p = p * s + 1.1283792F;
  const float t = 1.0F / (1.0F + 0.4F * y);
  float q = -1.1679865e-1F;
  q = q * t + 2.4506318e-1F;
  q = q * t + 6.6642439e-3F;
  q = q * t + 2.1395666e-1F;
  q = q * t + 1.9850264e-1F;
  q = q * t + 2.2673712e-1F;
  q = q * t + 2.2562417e-1F;
  const float half = 0.5F * x;
  const float near_zero = half + std::fabs(half) * (y * p);
  const float positive = x < 0.0F ? 0.0F : x;
  const float tail = positive - std::fabs(half) * (exp_fast(-s) * (t * q));
  return y < 1.0F ? near_zero : tail;
}

/// x/2·(1 + tanh(√(2/π)(x + 0.044715 x³))) as x / (1 + exp(−2·…)), to 3e-7·max(1, |x|).
inline float gelu_tanh(float x) {
  const float u = x * (1.59576912F + 0.07135481F * x * x);
  return x / (1.0F + exp_fast(-u));
}

}  // namespace incipit::device::host
