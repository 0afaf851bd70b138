#include "device/full_attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "every_device.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct FullAttentionProblem {
  FullAttentionProblem(std::int64_t heads_, std::int64_t head_size_, const std::vector<std::int32_t>& lengths,
                       double spread = 1.0)
      : heads(heads_), head_size(head_size_) {
    for (const std::int32_t length : lengths) {
      starts.push_back(starts.back() + length);
      longest = std::max<std::int64_t>(longest, length);
    }
    reach = longest + 3;
    const auto size = static_cast<std::size_t>(starts.back() * heads * head_size);
    q = normals(size, 12, spread);
    k = normals(size, 13);
    v = normals(size, 14);
    bias = normals(static_cast<std::size_t>(heads * (2 * reach - 1)), 15, 2.0);
  }
  std::int64_t heads, head_size;
  std::int64_t longest = 0;
  std::int64_t reach = 0;
  std::vector<std::int32_t> starts = {0};
  std::vector<float> q, k, v, bias;
};

std::vector<float> run(Device& device, const FullAttentionProblem& problem, bool biased) {
  const Buffer<float> q(device, std::span<const float>(problem.q));
  const Buffer<float> k(device, std::span<const float>(problem.k));
  const Buffer<float> v(device, std::span<const float>(problem.v));
  const Buffer<float> bias(device, std::span<const float>(problem.bias));
  const Buffer<std::int32_t> starts(device, std::span<const std::int32_t>(problem.starts));
  Buffer<float> out(device, problem.q.size());
  device.full_attention({.sequences = std::ssize(problem.starts) - 1,
                         .heads = problem.heads,
                         .head_size = problem.head_size,
                         .rows = problem.starts.back(),
                         .longest = problem.longest,
                         .scale = 1.0F / std::sqrt(static_cast<float>(problem.head_size)),
                         .starts = starts.data(),
                         .q = q.data(),
                         .k = k.data(),
                         .v = v.data(),
                         .reach = biased ? problem.reach : 0,
                         .bias = biased ? bias.data() : nullptr,
                         .out = out.data()});
  return out.download();
}

std::vector<double> reference(const FullAttentionProblem& problem, bool biased) {
  const std::int64_t size = problem.head_size;
  std::vector<double> out(problem.q.size());
  for (std::size_t s = 0; s + 1 < problem.starts.size(); ++s) {
    const std::int64_t begin = problem.starts[s];
    const std::int64_t keys = problem.starts[s + 1] - begin;
    for (std::int64_t h = 0; h < problem.heads; ++h) {
      const std::int64_t base = (h * problem.starts.back() + begin) * size;
      for (std::int64_t i = 0; i < keys; ++i) {
        std::vector<double> weight;
        double most = -std::numeric_limits<double>::infinity();
        for (std::int64_t j = 0; j < keys; ++j) {
          double dot = 0;
          for (std::int64_t l = 0; l < size; ++l)
            dot += static_cast<double>(problem.q[static_cast<std::size_t>(base + i * size + l)]) *
                   problem.k[static_cast<std::size_t>(base + j * size + l)];
          dot /= std::sqrt(static_cast<double>(size));
          const std::int64_t place = h * (2 * problem.reach - 1) + problem.reach - 1 + j - i;
          if (biased) dot += problem.bias[static_cast<std::size_t>(place)];
          weight.push_back(dot);
          most = std::max(most, dot);
        }
        double sum = 0;
        for (double& w : weight) sum += w = std::exp(w - most);
        double* o = out.data() + ((begin + i) * problem.heads + h) * size;
        for (std::int64_t j = 0; j < keys; ++j) {
          for (std::int64_t l = 0; l < size; ++l)
            o[l] += weight[static_cast<std::size_t>(j)] / sum *
                    problem.v[static_cast<std::size_t>(base + j * size + l)];
        }
      }
    }
  }
  return out;
}

class FullAttentionOn : public OnEveryDevice {};

TEST_P(FullAttentionOn, AgreesWithPlainLoops) {
  for (const auto& [heads, size] : {std::pair{1, 1}, std::pair{3, 5}, std::pair{5, 32}, std::pair{2, 64}}) {
    for (const bool biased : {true, false}) {
      SCOPED_TRACE(testing::Message() << heads << "x" << size << " " << biased);
      const FullAttentionProblem problem(heads, size, {1, 2, 1, 13, 64, 65, 200, 7});
      expect_near(run(*device_, problem, biased), reference(problem, biased), 2e-6);
    }
  }
}

TEST_P(FullAttentionOn, AgreesForShortSequences) {
  const FullAttentionProblem problem(3, 24, {3, 1, 5, 17, 2});
  expect_near(run(*device_, problem, true), reference(problem, true), 2e-6);
}

TEST_P(FullAttentionOn, AgreesForHeadsOfAnySize) {
  for (const int size : {7, 31, 33, 100, 129, 256}) {
    SCOPED_TRACE(testing::Message() << "heads of " << size);
    const FullAttentionProblem problem(2, size, {3, 1, 70});
    expect_near(run(*device_, problem, true), reference(problem, true), 2e-6);
  }
}

TEST_P(FullAttentionOn, SharpScoresDoNotOverflow) {
  const FullAttentionProblem problem(2, 8, {40, 90}, 300.0);
  expect_near(run(*device_, problem, true), reference(problem, true), 2e-4);
}

TEST_P(FullAttentionOn, ASequenceDoesNotSeeTheOthers) {
  const FullAttentionProblem together(2, 16, {5, 80, 30});
  const std::vector<float> all = run(*device_, together, true);
  FullAttentionProblem alone = together;
  alone.starts = {0, 80};
  for (std::vector<float>* values : {&alone.q, &alone.k, &alone.v}) {
    std::vector<float> own;
    for (const std::int64_t head : {0, 1}) {
      const auto begin = values->begin() + (head * 115 + 5) * 16;
      own.insert(own.end(), begin, begin + 80 * 16);
    }
    *values = own;
  }
  const std::vector<float> one = run(*device_, alone, true);
  ASSERT_EQ(one.size(), 80U * 32U);
  EXPECT_TRUE(std::equal(one.begin(), one.end(), all.begin() + 5 * 32));
}

INCIPIT_ON_EVERY_DEVICE(FullAttentionOn);

TEST(FullAttention, SameBytesForAnyThreads) {
  const FullAttentionProblem problem(3, 24, {1, 150, 30, 77, 9});
  expect_same_bytes_for_any_threads([&](Device& device) { return run(device, problem, true); });
}

}  // namespace
}  // namespace incipit::device
