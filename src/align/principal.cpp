#include "align/principal.hpp"

#include <algorithm>
#include <span>

#include "align/linear_algebra.hpp"
#include "error.hpp"

namespace incipit::align {

PrincipalAxes::PrincipalAxes(device::Device& device, Rows fit) : d_(fit.d), mean_(column_means(fit)) {
  const Centred centred{fit, {}, mean_};
  const auto covariance = cross_product(device, centred, centred);
  axes_ = svd(device, {device, std::span<const double>(covariance)}, d_, d_).vt;
}

std::vector<float> PrincipalAxes::cut(Rows rows, int64_t count) const {
  if (rows.d != d_ || count < 1 || count > d_)
    throw Error(Exit::defect, "principal axes: rows or count do not fit");
  const Centred centred{rows, {}, mean_};
  std::vector<float> out;
  out.reserve(rows.data.size());
  for (int64_t begin = 0; begin < rows.n; begin += block_rows) {
    const int64_t block = std::min(block_rows, rows.n - begin);
    std::vector<double> x(static_cast<size_t>(block * d_)), along(static_cast<size_t>(block * count));
    centred.copy(begin, block, 0, d_, x.data());
    multiply(false, true, block, count, d_, 1.0, x.data(), d_, axes_.data(), d_, 0.0, along.data(), count);
    multiply(false, false, block, d_, count, 1.0, along.data(), count, axes_.data(), d_, 0.0, x.data(), d_);
    for (size_t i = 0; i < x.size(); ++i)
      out.push_back(static_cast<float>(x[i] + mean_[i % static_cast<size_t>(d_)]));
  }
  return out;
}

}  // namespace incipit::align
