#include "device/cross_covariance.hpp"

#include <algorithm>
#include <vector>

#include "device/host/gemm.hpp"
#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

constexpr std::int64_t covariance_columns = 512;

/// Columns [begin, end) of one side.
struct Columns {
  const float* rows;
  std::int64_t d;
  const double* mean;
  std::int64_t begin, end;

  [[nodiscard]] std::int64_t width() const { return end - begin; }
};

/// Some rows less the mean, [count, width].
template <class T>
void centre(const Columns& columns, const std::int32_t* index, std::int64_t first, std::int64_t count,
            T* out) {
  for (std::int64_t i = 0; i < count; ++i) {
    const float* row = columns.rows + (index != nullptr ? index[first + i] : first + i) * columns.d;
    for (std::int64_t j = columns.begin; j < columns.end; ++j)
      *out++ = static_cast<T>(static_cast<double>(row[j]) - columns.mean[j]);
  }
}

template <class T>
void make_tile(const CrossCovariance<T>& op, const Columns& x, const Columns& y) {
  const auto rows = [](std::int64_t width) {
    return static_cast<std::size_t>(cross_covariance_rows * width);
  };
  std::vector<T> left(rows(x.width())), right(rows(y.width()));
  std::vector<T> product(static_cast<std::size_t>(x.width() * y.width()));
  double* out = op.out + x.begin * op.d_y + y.begin;
  for (std::int64_t i = 0; i < x.width(); ++i) std::fill_n(out + i * op.d_y, y.width(), 0.0);
  for (std::int64_t first = 0; first < op.n; first += cross_covariance_rows) {
    const std::int64_t count = std::min(cross_covariance_rows, op.n - first);
    centre(x, op.index, first, count, left.data());
    centre(y, op.index, first, count, right.data());
    host::gemm(host::Transpose::yes, host::Transpose::no, x.width(), y.width(), count, T{1}, left.data(),
               x.width(), right.data(), y.width(), T{0}, product.data(), y.width());
    const T* sum = product.data();
    for (std::int64_t i = 0; i < x.width(); ++i)
      for (std::int64_t j = 0; j < y.width(); ++j) out[i * op.d_y + j] += static_cast<double>(*sum++);
  }
}

template <class T>
void run(const CrossCovariance<T>& op, int threads) {
  const std::int64_t down = (op.d_x + covariance_columns - 1) / covariance_columns;
  const std::int64_t across = (op.d_y + covariance_columns - 1) / covariance_columns;
#pragma omp parallel for collapse(2) schedule(dynamic) num_threads(threads) if (down * across > 1)
  for (std::int64_t i = 0; i < down; ++i) {
    for (std::int64_t j = 0; j < across; ++j) {
      make_tile(
          op,
          {op.x, op.d_x, op.mean_x, i * covariance_columns, std::min((i + 1) * covariance_columns, op.d_x)},
          {op.y, op.d_y, op.mean_y, j * covariance_columns, std::min((j + 1) * covariance_columns, op.d_y)});
    }
  }
}

}  // namespace

void HostDevice::cross_covariance(const CrossCovariance<float>& op) {
  run(op, threads_);
}
void HostDevice::cross_covariance(const CrossCovariance<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
