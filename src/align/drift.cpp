#include "align/drift.hpp"

#include <cmath>

#include "align/procrustes.hpp"
#include "align/similarity.hpp"

namespace incipit::align {
namespace {

double dot_of(const float* a, const float* b, std::int64_t d) {
  double sum = 0;
  for (std::int64_t j = 0; j < d; ++j) sum += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return sum;
}

double mean_norm(Rows x) {
  double sum = 0;
  for (std::int64_t i = 0; i < x.n; ++i) sum += std::sqrt(dot_of(x.row(i), x.row(i), x.d));
  return sum / static_cast<double>(x.n);
}

double mean_cosine(Rows a, Rows b) {
  if (a.d != b.d) return nan;
  double sum = 0;
  for (std::int64_t i = 0; i < a.n; ++i)
    sum += dot_of(a.row(i), b.row(i), a.d) /
           std::sqrt(dot_of(a.row(i), a.row(i), a.d) * dot_of(b.row(i), b.row(i), b.d));
  return sum / static_cast<double>(a.n);
}

}  // namespace

Drift drift(device::Device& device, const Parts& before, const Parts& now,
            const std::vector<std::int32_t>& fit_group, const std::vector<std::int32_t>& judge_group,
            std::uint64_t seed) {
  Drift out;
  out.cosine = mean_cosine(before.judge, now.judge);
  out.norm_ratio = mean_norm(now.judge) / mean_norm(before.judge);
  if (!varies(before.fit) || !varies(before.judge)) return out;
  const Reference reference(device, before.fit, before.judge, fit_group, judge_group, seed);
  const Judgement judged = align(reference, now.fit, now.judge).judgement;
  out.cka = judged.cka;
  out.residual = judged.residual;
  return out;
}

}  // namespace incipit::align
