#include "stopwatch.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "launch.cuh"

namespace incipit::device::bench {
namespace {

constexpr cuda::Call timing{.operation = "timing"};
/// Calls queued at once: no more than the driver queues without waiting.
constexpr double most_repeats = 500;

Time summary(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1) + 0.5)];
  };
  return {.median = at(0.5), .low = at(0.25), .high = at(0.75), .samples = static_cast<int>(samples.size())};
}

}  // namespace

Stopwatch::Stopwatch(CudaDevice& device) : device_(device) {
  cuda::check(cudaEventCreateWithFlags(&begin_, cudaEventDefault), timing);
  cuda::check(cudaEventCreateWithFlags(&end_, cudaEventDefault), timing);
}

Stopwatch::~Stopwatch() {
  cudaEventDestroy(end_);
  cudaEventDestroy(begin_);
}

double Stopwatch::seconds(const std::function<void()>& work) {
  cuda::check(cudaEventRecord(begin_, device_.stream()), timing);
  work();
  cuda::check(cudaEventRecord(end_, device_.stream()), timing);
  cuda::check(cudaEventSynchronize(end_), timing);
  float milliseconds = 0;
  cuda::check(cudaEventElapsedTime(&milliseconds, begin_, end_), timing);
  return 1e-3 * static_cast<double>(milliseconds);
}

Time Stopwatch::measure(const Patience& patience, int warm_up,
                        const std::function<void(std::size_t turn)>& call) {
  std::size_t turn = 0;
  for (int i = 0; i < warm_up; ++i) call(turn++);
  device_.synchronize();
  // How many calls make a sample; a long one is a sample by itself.
  const double once = std::max(seconds([&] { call(turn++); }), 1e-7);
  const int repeats = static_cast<int>(std::clamp(std::ceil(patience.sample / once), 1.0, most_repeats));
  std::vector<double> samples;
  if (repeats == 1) samples.push_back(once);
  double spent = repeats == 1 ? once : 0;
  while (static_cast<int>(samples.size()) < patience.fewest ||
         (static_cast<int>(samples.size()) < patience.most && spent < patience.seconds)) {
    const double sample = seconds([&] {
      for (int i = 0; i < repeats; ++i) call(turn++);
    });
    spent += sample;
    samples.push_back(sample / repeats);
  }
  return summary(std::move(samples));
}

}  // namespace incipit::device::bench
