#include "emergence/auc.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "emergence/estimate.hpp"

namespace incipit::emergence {
namespace {

/// Probes by ascending score, cut into blocks of equal ones: block b is order[start[b]] … order[start[b+1]].
struct Ranking {
  std::vector<int32_t> order;
  std::vector<int64_t> start;
};

Ranking rank_probes(std::span<const double> score) {
  Ranking out;
  out.order.resize(score.size());
  std::iota(out.order.begin(), out.order.end(), 0);
  std::stable_sort(out.order.begin(), out.order.end(), [&](int32_t a, int32_t b) {
    return score[static_cast<size_t>(a)] < score[static_cast<size_t>(b)];
  });
  for (size_t at = 0; at < out.order.size(); ++at) {
    const auto here = static_cast<size_t>(out.order[at]);
    if (at == 0 || score[static_cast<size_t>(out.order[at - 1])] < score[here])
      out.start.push_back(static_cast<int64_t>(at));
  }
  out.start.push_back(static_cast<int64_t>(score.size()));
  return out;
}

double observed(const Ranking& ranking, std::span<const uint8_t> positive) {
  double above = 0, negative = 0, total_positive = 0;
  for (size_t block = 0; block + 1 < ranking.start.size(); ++block) {
    double p = 0, q = 0;
    for (int64_t at = ranking.start[block]; at < ranking.start[block + 1]; ++at)
      (positive[static_cast<size_t>(ranking.order[static_cast<size_t>(at)])] != 0 ? p : q) += 1;
    above += p * (2.0 * negative + q);
    negative += q;
    total_positive += p;
  }
  const double pairs = total_positive * negative;
  return pairs > 0 ? above / (2.0 * pairs) : nan;
}

template <class T>
Draws<double> areas(const device::Buffer<T>& score, const device::Buffer<int32_t>& own,
                    const Resampling& resampling) {
  device::Device& device = *resampling.device;
  const auto sets = static_cast<int64_t>(own.size());
  device::Buffer<int32_t> order(device, score.size()), last(device, score.size());
  device.rank_scores(device::RankScores<T>{
      .n = resampling.n(), .sets = sets, .score = score.data(), .order = order.data(), .last = last.data()});
  DrawsOnDevice<double> area(device, own.size(), resampling.view());
  device.resample_auc({.of = resampling.view(),
                       .sets = sets,
                       .own = own.data(),
                       .order = order.data(),
                       .last = last.data(),
                       .area = area.view()});
  return area.download();
}

}  // namespace

Draws<double> auc_draws(const device::Buffer<float>& score, const device::Buffer<int32_t>& own,
                        const Resampling& resampling) {
  return areas(score, own, resampling);
}
Draws<double> auc_draws(const device::Buffer<double>& score, const device::Buffer<int32_t>& own,
                        const Resampling& resampling) {
  return areas(score, own, resampling);
}

double auc(std::span<const double> score, std::span<const uint8_t> positive) {
  const bool broken = std::any_of(score.begin(), score.end(), [](double v) { return std::isnan(v); });
  return broken ? nan : observed(rank_probes(score), positive);
}

}  // namespace incipit::emergence
