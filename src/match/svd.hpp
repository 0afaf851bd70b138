#pragma once

#include <cstdint>
#include <vector>

namespace incipit::match {

/// A sparse matrix by rows; columns of a row ascending.
struct SparseMatrix {
  int64_t rows = 0, columns = 0;
  std::vector<int64_t> start = {0};  ///< [rows + 1]
  std::vector<int32_t> column;
  std::vector<float> value;

  void add_row(const std::vector<int32_t>& row_columns, const std::vector<float>& row_values);
  [[nodiscard]] SparseMatrix transposed() const;
};

/// The leading right singular vectors and values of a matrix.
struct RightVectors {
  int64_t rank = 0;
  std::vector<double> value;   ///< [rank], falling
  std::vector<double> vector;  ///< [columns, rank] row-major
};

/// Truncated singular value decomposition by randomised subspace iteration (N. Halko, P.-G. Martinsson, J.
/// Tropp, SIAM Review 53, 2011, algorithms 4.4 and 5.1): a random subspace a little larger than the rank,
/// turned eight times through AᵀA and orthonormalised each time. Exact where the rank asked is that of the
/// matrix. Values below 10⁻⁶ of the first are dropped. Depends on (a, rank, seed) alone, not on threads.
[[nodiscard]] RightVectors truncated_svd(const SparseMatrix& a, int64_t rank, uint64_t seed, int threads);

}  // namespace incipit::match
