#include "device/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "numbers.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct AttentionProblem {
  /// Sequences of these lengths; the last `most_queries` tokens of each ask.
  AttentionProblem(std::int64_t heads_, std::int64_t head_size_, std::vector<std::int64_t> lengths,
                   std::int64_t most_queries, double spread = 1.0)
      : heads(heads_), head_size(head_size_) {
    for (const std::int64_t length : lengths) {
      key_starts.push_back(key_starts.back() + static_cast<std::int32_t>(length));
      query_starts.push_back(query_starts.back() + static_cast<std::int32_t>(std::min(length, most_queries)));
      longest = std::max(longest, length);
    }
    const auto row = static_cast<std::size_t>(heads * head_size);
    q = normals(static_cast<std::size_t>(query_starts.back()) * row, 12, spread);
    k = normals(static_cast<std::size_t>(key_starts.back()) * row, 13);
    v = normals(static_cast<std::size_t>(key_starts.back()) * row, 14);
  }
  /// Takes the queries from every second sequence: what is left there is room for keys to come.
  void make_room() {
    std::vector<std::int32_t> starts = {0};
    for (std::size_t s = 0; s + 1 < query_starts.size(); ++s)
      starts.push_back(starts.back() + (s % 2 == 0 ? query_starts[s + 1] - query_starts[s] : 0));
    query_starts = starts;
    q.resize(static_cast<std::size_t>(starts.back() * heads * head_size));
  }
  /// The same with what T holds of it.
  template <Number T>
  [[nodiscard]] AttentionProblem in() const {
    AttentionProblem copy = *this;
    for (std::vector<float>* values : {&copy.q, &copy.k, &copy.v}) *values = held<T>(*values);
    return copy;
  }

  std::int64_t heads, head_size;
  std::int64_t longest = 0;
  std::vector<std::int32_t> query_starts = {0};
  std::vector<std::int32_t> key_starts = {0};
  std::vector<float> q, k, v;
};

template <Number T>
std::vector<float> run(Device& device, const AttentionProblem& problem) {
  const Buffer<T> q = to_device<T>(device, problem.q);
  const Buffer<T> k = to_device<T>(device, problem.k);
  const Buffer<T> v = to_device<T>(device, problem.v);
  const Buffer<std::int32_t> query_starts(device, std::span<const std::int32_t>(problem.query_starts));
  const Buffer<std::int32_t> key_starts(device, std::span<const std::int32_t>(problem.key_starts));
  Buffer<T> out(device, problem.q.size());
  device.attention(Attention<T>{.sequences = static_cast<std::int64_t>(problem.key_starts.size()) - 1,
                                .heads = problem.heads,
                                .head_size = problem.head_size,
                                .query_rows = problem.query_starts.back(),
                                .key_rows = problem.key_starts.back(),
                                .longest = problem.longest,
                                .scale = 1.0F / std::sqrt(static_cast<float>(problem.head_size)),
                                .query_starts = query_starts.data(),
                                .key_starts = key_starts.data(),
                                .q = q.data(),
                                .k = k.data(),
                                .v = v.data(),
                                .out = out.data()});
  return from_device(out);
}

std::vector<double> reference(const AttentionProblem& problem) {
  const std::int64_t size = problem.head_size;
  std::vector<double> out(problem.q.size());
  for (std::size_t s = 0; s + 1 < problem.key_starts.size(); ++s) {
    const std::int64_t queries = problem.query_starts[s + 1] - problem.query_starts[s];
    const std::int64_t keys = problem.key_starts[s + 1] - problem.key_starts[s];
    for (std::int64_t h = 0; h < problem.heads; ++h) {
      for (std::int64_t i = 0; i < queries; ++i) {
        const std::int64_t row = problem.query_starts[s] + i;
        const float* q = problem.q.data() + (h * problem.query_starts.back() + row) * size;
        const auto base = (h * problem.key_starts.back() + problem.key_starts[s]) * size;
        std::vector<double> weight;
        double most = -std::numeric_limits<double>::infinity();
        for (std::int64_t j = 0; j <= keys - queries + i; ++j) {
          double dot = 0;
          for (std::int64_t l = 0; l < size; ++l)
            dot += static_cast<double>(q[l]) * problem.k[static_cast<std::size_t>(base + j * size + l)];
          weight.push_back(dot / std::sqrt(static_cast<double>(size)));
          most = std::max(most, weight.back());
        }
        double sum = 0;
        for (double& w : weight) sum += w = std::exp(w - most);
        double* o = out.data() + (row * problem.heads + h) * size;
        for (std::size_t j = 0; j < weight.size(); ++j) {
          for (std::int64_t l = 0; l < size; ++l) {
            o[l] += weight[j] / sum *
                    problem.v[static_cast<std::size_t>(base + static_cast<std::int64_t>(j) * size + l)];
          }
        }
      }
    }
  }
  return out;
}

/// Of 16 bits both the softmax and the output are rounded.
void expect_plain_loops(Device& device, const AttentionProblem& any, double fp32) {
  for_every_number([&]<Number T>() {
    const AttentionProblem problem = any.in<T>();
    expect_near(run<T>(device, problem), reference(problem), allowed<T>(fp32, 2));
  });
}

class AttentionOn : public OnEveryDevice {};

TEST_P(AttentionOn, AgreesWithPlainLoops) {
  for (const auto& [heads, size] :
       {std::pair{1, 1}, std::pair{3, 5}, std::pair{2, 16}, std::pair{5, 64}, std::pair{2, 80}}) {
    for (const std::int64_t most_queries : {1000, 70, 1, 3}) {
      SCOPED_TRACE(testing::Message() << heads << "x" << size << ", queries " << most_queries);
      expect_plain_loops(*device_, AttentionProblem(heads, size, {1, 2, 1, 13, 64, 65, 200, 7}, most_queries),
                         2e-6);
    }
  }
}

TEST_P(AttentionOn, AgreesForHeadsOfAnySize) {
  for (const int size : {7, 8, 24, 32, 63, 95, 96, 100, 128, 129, 254, 256}) {
    for (const std::int64_t most_queries : {1000, 2}) {
      SCOPED_TRACE(testing::Message() << "heads of " << size << ", queries " << most_queries);
      expect_plain_loops(*device_, AttentionProblem(2, size, {3, 1, 70}, most_queries), 2e-6);
    }
  }
}

TEST_P(AttentionOn, PassesOverRoomForKeysToCome) {
  for (const std::int64_t most_queries : {1, 1000}) {
    AttentionProblem problem(3, 16, {70, 3, 1, 15, 16, 100}, most_queries);
    problem.make_room();
    expect_plain_loops(*device_, problem, 2e-6);
  }
}

TEST_P(AttentionOn, SharpScoresDoNotOverflow) {
  expect_plain_loops(*device_, AttentionProblem(2, 8, {40, 90}, 1000, 300.0), 2e-4);
}

TEST_P(AttentionOn, LaterTokensAreNotSeen) {
  for_every_number([&]<Number T>() {
    AttentionProblem problem(2, 8, {30}, 1000);
    const std::vector<float> before = run<T>(*device_, problem);
    for (std::int64_t h = 0; h < 2; ++h) {
      for (std::int64_t j = 20 * 8; j < 30 * 8; ++j) {
        problem.k[static_cast<std::size_t>(h * 30 * 8 + j)] = 50.0F;
        problem.v[static_cast<std::size_t>(h * 30 * 8 + j)] = -70.0F;
      }
    }
    const std::vector<float> after = run<T>(*device_, problem);
    EXPECT_TRUE(std::equal(before.begin(), before.begin() + 20 * 16, after.begin()));
    EXPECT_FALSE(std::equal(before.begin() + 20 * 16, before.end(), after.begin() + 20 * 16));
  });
}

INCIPIT_ON_EVERY_DEVICE(AttentionOn);

TEST(Attention, SameBytesForAnyThreads) {
  const AttentionProblem problem(3, 24, {1, 150, 30, 77, 9}, 1000);
  for_every_number([&]<Number T>() {
    expect_same_bytes_for_any_threads([&](Device& device) { return run<T>(device, problem); });
  });
}

}  // namespace
}  // namespace incipit::device
