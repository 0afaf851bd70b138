#include "device/rank_scores.hpp"

#include <algorithm>
#include <numeric>

#include "device/host/host_device.hpp"

namespace incipit::device {
namespace {

template <class T>
void rank_set(const RankScores<T>& op, std::int64_t set) {
  const T* score = op.score + set * op.n;
  std::int32_t* order = op.order + set * op.n;
  std::int32_t* last = op.last + set * op.n;
  std::iota(order, order + op.n, 0);
  std::stable_sort(order, order + op.n,
                   [score](std::int32_t a, std::int32_t b) { return score[a] < score[b]; });
  for (std::int64_t at = 0; at < op.n; ++at)
    last[at] = at + 1 == op.n || score[order[at]] < score[order[at + 1]] ? 1 : 0;
}

template <class T>
void run(const RankScores<T>& op, int threads) {
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (std::int64_t set = 0; set < op.sets; ++set) rank_set(op, set);
}

}  // namespace

void HostDevice::rank_scores(const RankScores<float>& op) {
  run(op, threads_);
}
void HostDevice::rank_scores(const RankScores<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
