#include "align/polar.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "nan.hpp"

namespace incipit::align {
namespace {

using device::Buffer;
using device::Device;
using device::MatrixProduct;

/// The largest scaling: (3α − α³)/2 = 1/10, so that a singular value of 1 is not pushed into the rounding.
constexpr double largest_alpha = 1.69770248526;
/// From here on the iteration converges quadratically, and its residual is looked at.
constexpr double nearly_one = 0.99;

double rounding_of(int64_t m, int64_t n) {
  return 16 * std::numeric_limits<double>::epsilon() * static_cast<double>(std::max(m, n));
}

double norm(std::span<const double> values) {
  double square = 0;
  for (const double v : values) square += v * v;
  return std::sqrt(square);
}

/// ‖a − 1‖
double distance_to_one(std::vector<double> a, int64_t p) {
  for (int64_t i = 0; i < p; ++i) a[static_cast<size_t>(i * p + i)] -= 1;
  return norm(a);
}

/// ‖a − aᵀ‖ / ‖a‖
double asymmetry_of(const std::vector<double>& a, int64_t p) {
  double square = 0;
  for (int64_t i = 0; i < p; ++i)
    for (int64_t j = 0; j < i; ++j) {
      const double difference = a[static_cast<size_t>(i * p + j)] - a[static_cast<size_t>(j * p + i)];
      square += 2 * difference * difference;
    }
  return std::sqrt(square) / norm(a);
}

/// X of Newton and Schulz's iteration, and what its steps need.
class Iterate {
 public:
  Iterate(Device& device, const Buffer<double>& c, int64_t m, int64_t n)
      : device_(device),
        m_(m),
        n_(n),
        zero_(device, static_cast<size_t>(n)),
        x_(device, c.size()),
        next_(device, c.size()),
        gram_(device, static_cast<size_t>(side() * side())) {
    zero_.zero();
    copy(c, x_);
    make_gram(x_, x_);
  }

  /// The shorter side.
  [[nodiscard]] int64_t side() const { return std::min(m_, n_); }
  [[nodiscard]] double residual() const { return distance_to_one(gram_.download(), side()); }

  /// ‖(XᵀX)²‖^¼, at least the largest singular value, and at most side^⅛ times it.
  [[nodiscard]] double bound() {
    Buffer<double> square(device_, gram_.size());
    multiply(gram_, gram_, square, side(), side(), side(), false, false);
    return std::pow(norm(square.download()), 0.25);
  }

  /// X ← (3αX − α³XXᵀX)/2
  void step(double alpha) {
    copy(x_, next_);
    const double cube = -0.5 * alpha * alpha * alpha;
    tall() ? multiply(x_, gram_, next_, m_, n_, n_, false, false, cube, 1.5 * alpha)
           : multiply(gram_, x_, next_, m_, n_, m_, false, false, cube, 1.5 * alpha);
    std::swap(x_, next_);
    make_gram(x_, x_);
  }

  /// Of H = XᵀC, or CXᵀ.
  [[nodiscard]] double asymmetry(const Buffer<double>& c) {
    tall() ? make_gram(x_, c) : make_gram(c, x_);
    return asymmetry_of(gram_.download(), side());
  }

  [[nodiscard]] Buffer<double> take() { return std::move(x_); }

 private:
  [[nodiscard]] bool tall() const { return m_ >= n_; }

  void copy(const Buffer<double>& from, Buffer<double>& to) {
    device_.gather_centred(device::GatherCentred<double>{
        .n = m_, .d = n_, .rows = from.data(), .centre = zero_.data(), .out = to.data()});
  }

  /// Over the longer side: aᵀb of tall matrices, abᵀ of wide ones.
  void make_gram(const Buffer<double>& a, const Buffer<double>& b) {
    multiply(a, b, gram_, side(), side(), std::max(m_, n_), tall(), !tall());
  }

  void multiply(const Buffer<double>& a, const Buffer<double>& b, Buffer<double>& c, int64_t m, int64_t n,
                int64_t k, bool transpose_a, bool transpose_b, double alpha = 1, double beta = 0) {
    device_.matmul(MatrixProduct<double>{.transpose_a = transpose_a,
                                         .transpose_b = transpose_b,
                                         .m = m,
                                         .n = n,
                                         .k = k,
                                         .alpha = alpha,
                                         .a = a.data(),
                                         .lda = transpose_a ? m : k,
                                         .b = b.data(),
                                         .ldb = transpose_b ? k : n,
                                         .beta = beta,
                                         .c = c.data(),
                                         .ldc = n});
  }

  Device& device_;
  int64_t m_, n_;
  Buffer<double> zero_, x_, next_, gram_;
};

/// For singular values between `least` and 1. Those near 1 are left to converge by themselves.
double alpha_of(double least) {
  return least > nearly_one ? 1.0 : std::min(largest_alpha, std::sqrt(3 / (1 + least + least * least)));
}

/// Steps until the singular values, all between bound/condition and bound to begin with, are 1; false where
/// the residual stops halving before it is rounding.
bool converge(Iterate& x, int64_t m, int64_t n, Polar& out) {
  out.residual = nan;
  double unscaled = x.bound();
  if (!(unscaled > 0 && std::isfinite(unscaled))) return false;
  // Every singular value lies between this and 1, once the first step has divided by the bound.
  double least = 1 / polar_condition;
  for (double before = std::numeric_limits<double>::infinity();;) {
    if (least > nearly_one) {
      out.residual = x.residual();
      if (out.residual <= rounding_of(m, n)) return true;
      if (!(out.residual < before / 2)) return false;
      before = out.residual;
    }
    const double alpha = alpha_of(least);
    x.step(alpha / unscaled);
    unscaled = 1;
    least = alpha * least * (3 - alpha * alpha * least * least) / 2;
    ++out.steps;
  }
}

/// U_r V_rᵀ; r counts the singular values beyond rounding (science §8).
void decompose(Device& device, const Buffer<double>& c, int64_t m, int64_t n, Polar& out) {
  const int64_t p = std::min(m, n);
  Buffer<double> a(device, c.download()), u(device, static_cast<size_t>(m * p)),
      s(device, static_cast<size_t>(p)), vt(device, static_cast<size_t>(p * n));
  device.svd({.m = m, .n = n, .a = a.data(), .u = u.data(), .s = s.data(), .vt = vt.data()});
  const auto values = s.download();
  const double bound = std::numeric_limits<double>::epsilon() * static_cast<double>(std::max(m, n)) *
                       (values.empty() ? 0 : values.front());
  out.rank = std::count_if(values.begin(), values.end(), [bound](double v) { return v > bound; });
  out.fallback = true;
  out.factor = Buffer<double>(device, c.size());
  device.matmul(MatrixProduct<double>{.m = m,
                                      .n = n,
                                      .k = out.rank,
                                      .a = u.data(),
                                      .lda = p,
                                      .b = vt.data(),
                                      .ldb = n,
                                      .c = out.factor.data(),
                                      .ldc = n});
}

}  // namespace

Polar polar(Device& device, const Buffer<double>& c, int64_t m, int64_t n) {
  Polar out;
  out.asymmetry = nan;
  Iterate x(device, c, m, n);
  if (converge(x, m, n, out)) {
    out.asymmetry = x.asymmetry(c);
    if (out.asymmetry <= rounding_of(m, n)) {
      out.rank = x.side();
      out.factor = x.take();
      return out;
    }
  }
  decompose(device, c, m, n, out);
  return out;
}

}  // namespace incipit::align
