#pragma once

#include <cmath>

#include "device/number.hpp"
#include "every_device.hpp"

/// What tests of operations on several kinds of numbers share. Problems are made of fp32 values that T holds
/// exactly, so that references start from what the device is given.
namespace incipit::device {

template <Number T>
constexpr const char* number_name() {
  return std::same_as<T, float> ? "fp32" : (std::same_as<T, Float16> ? "fp16" : "bf16");
}

/// test.operator()<T>() for every kind of number.
template <class Test>
void for_every_number(Test test) {
  const auto run = [&]<Number T>() {
    SCOPED_TRACE(number_name<T>());
    test.template operator()<T>();
  };
  run.template operator()<float>();
  run.template operator()<Float16>();
  run.template operator()<BFloat16>();
}

template <Number T>
std::vector<T> as_numbers(std::span<const float> values) {
  std::vector<T> numbers;
  for (const float x : values) numbers.push_back(round_to<T>(x));
  return numbers;
}

template <Number T>
std::vector<float> as_floats(std::span<const T> numbers) {
  std::vector<float> values;
  for (const T x : numbers) values.push_back(to_float(x));
  return values;
}

/// The nearest values that T holds.
template <Number T>
std::vector<float> held(std::span<const float> values) {
  return as_floats<T>(as_numbers<T>(values));
}

template <Number T>
Buffer<T> to_device(Device& device, std::span<const float> values) {
  return Buffer<T>(device, std::span<const T>(as_numbers<T>(values)));
}

template <Number T>
std::vector<float> from_device(const Buffer<T>& buffer) {
  return as_floats<T>(buffer.download());
}

/// What arithmetic allows a result relative to its norm: `fp32` for the computation itself, and for numbers
/// of 16 bits half a unit in the last place for each rounding on the way.
template <Number T>
double allowed(double fp32, int roundings = 1) {
  return std::same_as<T, float> ? fp32 : fp32 + roundings * std::ldexp(1.0, -significant_bits<T>);
}

}  // namespace incipit::device
