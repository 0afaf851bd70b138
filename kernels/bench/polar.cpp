#include "polar.hpp"

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstdio>
#include <limits>
#include <utility>

#include "arena.hpp"
#include "case.hpp"

namespace incipit::device::bench {
namespace {

template <class T>
concept Multiplied = requires(Device& device, const MatrixProduct<T>& product) {
  device.matmul(product);
};

double norm_of(const std::vector<double>& values) {
  double square = 0;
  for (const double value : values) square += value * value;
  return std::sqrt(square);
}

/// Newton and Schulz's iteration with scaling: src/align/polar.cpp has the formulas and their source.
template <Multiplied T>
class Iteration {
 public:
  Iteration(CudaDevice& device, std::int64_t n)
      : arena_(device, 13),
        device_(device),
        n_(n),
        c_(arena_.normal<T>(n * n)),
        zero_(arena_.upload(std::vector<T>(static_cast<std::size_t>(n)))),
        x_(arena_.poisoned<T>(n * n)),
        next_(arena_.poisoned<T>(n * n)),
        gram_(arena_.poisoned<T>(n * n)) {}

  /// Starts again; ‖XᵀX − 1‖ at the end, of which rounding alone should be left. NaN where it does not
  /// converge.
  double run() {
    constexpr double nearly_one = 0.99;
    constexpr double largest_alpha = 1.69770248526;
    constexpr int most_steps = 60;
    products_ = 0;
    copy(c_, x_);
    multiply(x_, x_, gram_, true);
    double unscaled = bound();
    double least = 1e-7;
    for (int step = 0; step < most_steps; ++step) {
      if (least > nearly_one) {
        const double residual = distance_to_one();
        if (residual <= allowed()) return residual;
      }
      const double alpha =
          least > nearly_one ? 1 : std::min(largest_alpha, std::sqrt(3 / (1 + least + least * least)));
      take_step(alpha / unscaled);
      unscaled = 1;
      least = alpha * least * (3 - alpha * alpha * least * least) / 2;
    }
    return std::numeric_limits<double>::quiet_NaN();
  }

  /// Of the last run.
  [[nodiscard]] double flops() const { return 2.0 * products_ * std::pow(static_cast<double>(n_), 3); }
  [[nodiscard]] double allowed() const {
    return 16 * static_cast<double>(std::numeric_limits<T>::epsilon()) * static_cast<double>(n_);
  }

 private:
  /// ‖(XᵀX)²‖^¼, at least the largest singular value.
  double bound() {
    multiply(gram_, gram_, next_, false);
    return std::pow(norm_of(download(next_)), 0.25);
  }

  double distance_to_one() {
    std::vector<double> gram = download(gram_);
    for (std::int64_t i = 0; i < n_; ++i) gram[static_cast<std::size_t>(i * n_ + i)] -= 1;
    return norm_of(gram);
  }

  /// X ← (3αX − α³XXᵀX)/2
  void take_step(double alpha) {
    copy(x_, next_);
    multiply(x_, gram_, next_, false, -0.5 * alpha * alpha * alpha, 1.5 * alpha);
    std::swap(x_, next_);
    multiply(x_, x_, gram_, true);
  }

  void copy(const T* from, T* to) {
    device_.gather_centred(GatherCentred<T>{.n = n_, .d = n_, .rows = from, .centre = zero_, .out = to});
  }

  void multiply(const T* a, const T* b, T* c, bool transpose_a, double alpha = 1, double beta = 0) {
    ++products_;
    device_.matmul(MatrixProduct<T>{.transpose_a = transpose_a,
                                    .m = n_,
                                    .n = n_,
                                    .k = n_,
                                    .alpha = static_cast<T>(alpha),
                                    .a = a,
                                    .lda = n_,
                                    .b = b,
                                    .ldb = n_,
                                    .beta = static_cast<T>(beta),
                                    .c = c,
                                    .ldc = n_});
  }

  std::vector<double> download(const T* from) {
    std::vector<T> values(static_cast<std::size_t>(n_ * n_));
    device_.download(values.data(), from, values.size() * sizeof(T));
    return {values.begin(), values.end()};
  }

  Arena arena_;
  CudaDevice& device_;
  std::int64_t n_;
  const T* c_;
  const T* zero_;
  T *x_, *next_, *gram_;
  int products_ = 0;
};

template <class T>
void run_in(CudaDevice& device, const Settings& settings, const char* type, Bound arithmetic,
            Report& report) {
  if constexpr (Multiplied<T>) {
    Iteration<T> iteration(device, settings.polar);
    double residual = iteration.run();
    Line line{.part = "polar",
              .operation = "polar",
              .type = type,
              .shape = sizes({settings.polar, settings.polar}),
              .flops = iteration.flops(),
              .arithmetic = arithmetic};
    line.time = Stopwatch(device).measure(settings.long_patience, 0,
                                          [&](std::size_t) { residual = iteration.run(); });
    // Written so that NaN fails.
    if (!(residual <= iteration.allowed())) line.complaint = "does not converge";
    report.add(line);
  } else {
    std::printf("NOT RUN: polar: this device does not multiply in %s\n", type);
  }
}

}  // namespace

void run_polar(CudaDevice& device, const Settings& settings, Report& report) {
  report.begin("the orthogonal factor of a square matrix");
  run_in<double>(device, settings, "fp64", Bound::fp64, report);
}

}  // namespace incipit::device::bench
