#pragma once

#include <cstdint>

namespace incipit::device {

/// Takes one block of the vocabulary into the losses of predicting the rows' next tokens, so that the matrix
/// of all logits is never whole in memory. Blocks come in the order of their entries, the first with
/// `first` = 0; after the last one the loss of row i, in nats, is
///
///     −ln softmax(logits[i])[target[i]] = maximum[i] + ln sum[i] − target_logit[i]
///
/// `maximum` is the largest logit so far and `sum` = Σ exp(logit − maximum), which is rescaled when the
/// maximum rises. A logit that is NaN or infinite leaves NaN in `sum`, a target that no block holds leaves
/// NaN in `target_logit`: neither passes as a loss.
struct NextTokenLoss {
  std::int64_t rows = 0;
  std::int64_t columns = 0;              ///< entries in this block, ≥ 1
  std::int64_t first = 0;                ///< entry of column 0; 0: what the state holds is not read
  const float* logits = nullptr;         ///< [rows, columns]
  const std::int32_t* target = nullptr;  ///< [rows] entry of the next token; negative: the row is passed over
  float* maximum = nullptr;              ///< [rows]
  double* sum = nullptr;                 ///< [rows]
  float* target_logit = nullptr;         ///< [rows]
};

}  // namespace incipit::device
