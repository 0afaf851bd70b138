#include "sae/start.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "random.hpp"
#include "sae/weighted_sum.hpp"

namespace incipit::sae {
namespace {

/// 1 − cos of 1e-3 rad: nearer directions are taken for one.
constexpr float smallest_gap = 5e-7F;
constexpr std::int64_t candidates_per_latent = 4;

/// Rows that differ bitwise from all rows before them.
std::vector<std::int64_t> distinct_rows(std::span<const float> u, std::int64_t d) {
  const std::int64_t n = static_cast<std::int64_t>(u.size()) / d;
  const auto compare = [&](std::int64_t a, std::int64_t b) {
    return std::memcmp(u.data() + a * d, u.data() + b * d, d * sizeof(float));
  };
  std::vector<std::int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
    const int difference = compare(a, b);
    return difference != 0 ? difference < 0 : a < b;
  });
  order.erase(std::unique(order.begin(), order.end(),
                          [&](std::int64_t a, std::int64_t b) { return compare(a, b) == 0; }),
              order.end());
  std::sort(order.begin(), order.end());
  return order;
}

/// Directions of up to `most` distinct rows from the centre, in random order: count×d.
std::vector<float> draw_candidates(std::span<const float> u, std::span<const double> centre,
                                   std::int64_t most, std::uint64_t seed) {
  const auto d = static_cast<std::int64_t>(centre.size());
  const std::vector<std::int64_t> distinct = distinct_rows(u, d);
  Random random(seed, Purpose::sae_init, 0);
  std::vector<float> directions;
  for (const std::int64_t drawn : permutation(static_cast<std::int64_t>(distinct.size()), random)) {
    if (static_cast<std::int64_t>(directions.size()) == most * d) break;
    const float* row = u.data() + distinct[drawn] * d;
    const double norm = std::sqrt(squared_distance(row, centre.data(), d));
    // A probe on the centre has no direction.
    if (norm < 1e-6 * std::sqrt(static_cast<double>(d))) continue;
    for (std::int64_t c = 0; c < d; ++c)
      directions.push_back(static_cast<float>((static_cast<double>(row[c]) - centre[c]) / norm));
  }
  return directions;
}

float cosine(const float* a, const float* b, std::int64_t d) {
  constexpr std::int64_t lanes = 32;
  float part[lanes] = {};
  std::int64_t c = 0;
  for (; c + lanes <= d; c += lanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < lanes; ++lane) part[lane] += a[c + lane] * b[c + lane];
  }
  for (; c < d; ++c) part[0] += a[c] * b[c];
  return std::accumulate(part, part + lanes, 0.0F);
}

/// Farthest-first traversal: positions of the chosen candidates.
std::vector<std::int64_t> choose_far_apart(const std::vector<float>& candidates, std::int64_t d,
                                           std::int64_t h) {
  const std::int64_t count = static_cast<std::int64_t>(candidates.size()) / d;
  std::vector<float> gap(count, 2.0F);  // 1 − the largest cosine to a chosen one
  std::vector<std::int64_t> chosen;
  while (static_cast<std::int64_t>(chosen.size()) < std::min(h, count)) {
    const std::int64_t next = std::max_element(gap.begin(), gap.end()) - gap.begin();
    if (gap[next] < smallest_gap) break;
    chosen.push_back(next);
    const float* direction = candidates.data() + next * d;
#pragma omp parallel for schedule(static)
    for (std::int64_t i = 0; i < count; ++i)
      gap[i] = std::min(gap[i], 1 - cosine(candidates.data() + i * d, direction, d));
    gap[next] = 0;
  }
  return chosen;
}

void random_direction(double* row, std::int64_t d, std::uint64_t seed, std::uint64_t index) {
  Random random(seed, Purpose::sae_directions, index);
  for (std::int64_t c = 0; c < d; ++c) row[c] = random.normal();
}

void to_unit_norm(double* row, std::int64_t d) {
  const double norm = std::sqrt(std::inner_product(row, row + d, row, 0.0));
  for (std::int64_t c = 0; c < d; ++c) row[c] /= norm;
}

}  // namespace

std::vector<double> start_directions(std::span<const float> u, std::span<const double> centre, std::int64_t h,
                                     const std::string& init, std::uint64_t seed) {
  const auto d = static_cast<std::int64_t>(centre.size());
  std::vector<double> directions(h * d);
  std::int64_t from_data = 0;
  if (init == "data") {
    const std::vector<float> candidates = draw_candidates(u, centre, candidates_per_latent * h, seed);
    for (const std::int64_t candidate : choose_far_apart(candidates, d, h))
      std::copy_n(candidates.begin() + candidate * d, d, directions.begin() + from_data++ * d);
  }
  for (std::int64_t j = from_data; j < h; ++j) random_direction(directions.data() + j * d, d, seed, j);
  for (std::int64_t j = 0; j < h; ++j) to_unit_norm(directions.data() + j * d, d);
  return directions;
}

}  // namespace incipit::sae
