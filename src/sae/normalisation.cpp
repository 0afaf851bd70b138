#include "sae/normalisation.hpp"

#include <fmt/format.h>

#include <cmath>

#include "error.hpp"
#include "sae/sae.hpp"
#include "sae/weighted_sum.hpp"

namespace incipit::sae {
namespace {

void check_fit_probes(std::span<const float> x, std::int64_t d) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]))
      throw Error(
          Exit::numbers,
          fmt::format("fit probe {} of the anchor holds {} in column {}: its residuals are not finite; "
                      "check the checkpoint's weights",
                      i / d, x[i], i % d));
}

}  // namespace

Normalisation normalisation(std::span<const float> x, std::int64_t d) {
  const std::int64_t n = static_cast<std::int64_t>(x.size()) / d;
  if (n < 2)
    throw Error(Exit::data,
                fmt::format("an SAE needs at least 2 fit probes, found {}: give more probes, or probes.split "
                            "a larger fit part",
                            n));
  check_fit_probes(x, d);
  std::vector<double> mean = weighted_sum(x, d, [](std::int64_t, const float*) { return 1.0; }).rows;
  for (double& value : mean) value /= static_cast<double>(n);
  const double variance =
      weighted_sum(x, d,
                   [&](std::int64_t, const float* row) { return squared_distance(row, mean.data(), d); })
          .weights /
      static_cast<double>(n * d);
  const auto scale = static_cast<float>(std::sqrt(variance));
  if (!(scale > 0) || !std::isfinite(scale))
    throw Error(
        Exit::data,
        fmt::format(
            "the anchor's {} fit probes have a residual variance of {}: an SAE cannot be trained where "
            "all probes look alike; choose a later step or layer",
            n, variance));
  return {.mean = {mean.begin(), mean.end()}, .scale = scale};
}

void normalise(std::span<const float> x, std::span<const float> mean, float scale, std::span<float> u) {
  const auto d = static_cast<std::int64_t>(mean.size());
  const std::int64_t n = static_cast<std::int64_t>(x.size()) / d;
  const float inverse = 1 / scale;
#pragma omp parallel for schedule(static)
  for (std::int64_t i = 0; i < n; ++i)
#pragma omp simd
    for (std::int64_t c = 0; c < d; ++c) u[i * d + c] = (x[i * d + c] - mean[c]) * inverse;
}

}  // namespace incipit::sae
