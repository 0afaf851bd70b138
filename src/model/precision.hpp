#pragma once

#include <string>
#include <utility>

#include "device/upload_numbers.hpp"
#include "error.hpp"

namespace incipit::model {

/// function.operator()<T>() with the numbers that matrix products read and that pass between operations in
/// this precision: float, device::Float16 or device::BFloat16. The residual stream is fp32 in all of them.
template <class Function>
decltype(auto) with_numbers(device::NumberType precision, Function&& function) {
  switch (precision) {
    case device::NumberType::f32:
      return std::forward<Function>(function).template operator()<float>();
    case device::NumberType::f16:
      return std::forward<Function>(function).template operator()<device::Float16>();
    case device::NumberType::bf16:
      return std::forward<Function>(function).template operator()<device::BFloat16>();
    case device::NumberType::f64:
      break;
  }
  throw Error(Exit::defect, "a forward pass runs in fp32, fp16 or bf16");
}

/// run.precision: "fp32", "bf16" or "fp16".
inline device::NumberType precision_of(const std::string& name) {
  if (name == "fp32") return device::NumberType::f32;
  return name == "fp16" ? device::NumberType::f16 : device::NumberType::bf16;
}

}  // namespace incipit::model
