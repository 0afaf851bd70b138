#pragma once

#include <cstdint>

namespace incipit::device {

/// x += bias on every row: the output bias of attention or MLP, whose product is then accumulated into the
/// residual by matmul with beta = 1.
struct AddBias {
  std::int64_t rows = 0;
  std::int64_t d = 0;
  const float* bias = nullptr;  ///< [d]
  float* x = nullptr;           ///< [rows, d]
};

}  // namespace incipit::device
