#include "device/next_token_loss.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "every_device.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

struct LossProblem {
  LossProblem(std::int64_t rows_, std::int64_t vocabulary_, double scale = 4.0, float offset = 0)
      : rows(rows_), vocabulary(vocabulary_) {
    logits = normals(static_cast<std::size_t>(rows * vocabulary), 41, scale);
    for (float& value : logits) value += offset;
    Random random(1, Purpose::test, 42);
    for (std::int64_t i = 0; i < rows; ++i)
      target.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary))));
  }
  float& at(std::int64_t row, std::int64_t entry) {
    return logits[static_cast<std::size_t>(row * vocabulary + entry)];
  }
  [[nodiscard]] std::vector<float> block(std::int64_t first, std::int64_t columns) const {
    std::vector<float> out;
    for (std::int64_t i = 0; i < rows; ++i) {
      const auto from = logits.begin() + i * vocabulary + first;
      out.insert(out.end(), from, from + columns);
    }
    return out;
  }
  std::int64_t rows, vocabulary;
  std::vector<float> logits;
  std::vector<std::int32_t> target;
};

struct State {
  explicit State(Device& device, std::int64_t rows)
      : maximum(device, std::vector<float>(static_cast<std::size_t>(rows), nan)),
        sum(device, std::vector<double>(static_cast<std::size_t>(rows), nan)),
        target_logit(device, std::vector<float>(static_cast<std::size_t>(rows), nan)) {}
  [[nodiscard]] std::vector<double> losses() const {
    const auto most = maximum.download(), logit = target_logit.download();
    auto loss = sum.download();
    for (std::size_t i = 0; i < loss.size(); ++i)
      loss[i] = static_cast<double>(most[i]) - static_cast<double>(logit[i]) + std::log(loss[i]);
    return loss;
  }
  Buffer<float> maximum;
  Buffer<double> sum;
  Buffer<float> target_logit;
};

/// The losses by blocks of `columns` entries. The state begins as NaN, which the first block must not read.
std::vector<double> run(Device& device, const LossProblem& problem, std::int64_t columns) {
  const Buffer<std::int32_t> target(device, std::span<const std::int32_t>(problem.target));
  State state(device, problem.rows);
  for (std::int64_t first = 0; first < problem.vocabulary; first += columns) {
    const std::int64_t count = std::min(columns, problem.vocabulary - first);
    const std::vector<float> values = problem.block(first, count);
    const Buffer<float> logits(device, std::span<const float>(values));
    device.next_token_loss({.rows = problem.rows,
                            .columns = count,
                            .first = first,
                            .logits = logits.data(),
                            .target = target.data(),
                            .maximum = state.maximum.data(),
                            .sum = state.sum.data(),
                            .target_logit = state.target_logit.data()});
    device.synchronize();
  }
  return state.losses();
}

std::vector<double> reference(const LossProblem& problem) {
  std::vector<double> out;
  for (std::int64_t i = 0; i < problem.rows; ++i) {
    const float* x = problem.logits.data() + i * problem.vocabulary;
    const double most = *std::max_element(x, x + problem.vocabulary);
    double sum = 0;
    for (std::int64_t j = 0; j < problem.vocabulary; ++j) sum += std::exp(static_cast<double>(x[j]) - most);
    out.push_back(most + std::log(sum) - static_cast<double>(x[problem.target[static_cast<std::size_t>(i)]]));
  }
  return out;
}

/// In nats, and so relative to the probability. NaN fails.
void expect_losses(const std::vector<double>& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    ASSERT_TRUE(std::abs(actual[i] - expected[i]) <= 3e-7)
        << "row " << i << " is " << actual[i] << ", expected " << expected[i];
}

class NextTokenLossOn : public OnEveryDevice {};

TEST_P(NextTokenLossOn, AgreesWithPlainLoopsInAnyBlocks) {
  for (const std::int64_t rows : {1, 2, 37}) {
    for (const std::int64_t vocabulary : {1, 2, 7, 31, 33, 257, 1025, 5121}) {
      for (const std::int64_t columns : {1, 5, 32, 33, 256, 1024, 6000}) {
        if (vocabulary > 257 * columns) continue;  // hundreds of blocks show no more
        SCOPED_TRACE(testing::Message() << rows << "x" << vocabulary << " by " << columns);
        const LossProblem problem(rows, vocabulary);
        expect_losses(run(*device_, problem, columns), reference(problem));
      }
    }
  }
}

TEST_P(NextTokenLossOn, KeepsAccuracyFarFromZero) {
  for (const float offset : {-1000.0F, 1000.0F}) {
    const LossProblem problem(5, 1500, 30.0, offset);
    expect_losses(run(*device_, problem, 130), reference(problem));
  }
}

TEST_P(NextTokenLossOn, OneLogitFarAboveOrBelowTheRest) {
  LossProblem problem(4, 1300, 1.0);
  for (const std::int64_t row : {0, 1}) problem.at(row, 1299) = 3e38F;
  problem.target[0] = 1299;
  problem.target[1] = 17;
  problem.at(2, 0) = -3e38F;
  problem.target[2] = 5;
  const std::vector<double> losses = run(*device_, problem, 100), expected = reference(problem);
  EXPECT_EQ(losses[0], 0);
  EXPECT_NEAR(losses[1] / expected[1], 1, 1e-7);
  EXPECT_NEAR(losses[2], expected[2], 3e-7);
  EXPECT_NEAR(losses[3], expected[3], 3e-7);
}

TEST_P(NextTokenLossOn, NanAndInfinityNeverPass) {
  for (const std::int64_t vocabulary : {1, 7, 33, 1025}) {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const float bad : {nan, -nan, infinity, -infinity}) {
      for (const std::int64_t where : {std::int64_t{0}, vocabulary / 2, vocabulary - 1}) {
        for (const std::int64_t columns : {std::int64_t{5}, std::int64_t{64}, vocabulary}) {
          SCOPED_TRACE(testing::Message()
                       << vocabulary << " by " << columns << ", " << bad << " at " << where);
          LossProblem problem(3, vocabulary);
          const std::vector<double> expected = reference(problem);
          problem.at(1, where) = bad;
          const std::vector<double> losses = run(*device_, problem, columns);
          EXPECT_TRUE(std::isnan(losses[1])) << losses[1];
          EXPECT_NEAR(losses[0], expected[0], 3e-7);
          EXPECT_NEAR(losses[2], expected[2], 3e-7);
        }
      }
    }
  }
}

TEST_P(NextTokenLossOn, ATargetThatNoBlockHoldsIsNan) {
  LossProblem problem(2, 100);
  problem.target[1] = 100;
  const std::vector<double> losses = run(*device_, problem, 30);
  EXPECT_FALSE(std::isnan(losses[0]));
  EXPECT_TRUE(std::isnan(losses[1]));
}

TEST_P(NextTokenLossOn, PassesOverRowsWithoutATarget) {
  const std::vector<float> values(8, 1.0F);
  const Buffer<float> logits(*device_, std::span<const float>(values));
  const Buffer<std::int32_t> target(*device_, std::vector<std::int32_t>{-1, 2});
  Buffer<float> maximum(*device_, std::vector<float>{7, 7});
  Buffer<double> sum(*device_, std::vector<double>{8, 8});
  Buffer<float> target_logit(*device_, std::vector<float>{9, 9});
  device_->next_token_loss({.rows = 2,
                            .columns = 4,
                            .logits = logits.data(),
                            .target = target.data(),
                            .maximum = maximum.data(),
                            .sum = sum.data(),
                            .target_logit = target_logit.data()});
  EXPECT_EQ(maximum.download(), (std::vector<float>{7, 1}));
  EXPECT_EQ(sum.download(), (std::vector<double>{8, 4}));
  EXPECT_EQ(target_logit.download(), (std::vector<float>{9, 1}));
}

INCIPIT_ON_EVERY_DEVICE(NextTokenLossOn);

TEST(NextTokenLoss, SameBytesForAnyThreads) {
  const LossProblem problem(301, 777);
  expect_same_bytes_for_any_threads([&](Device& device) {
    const std::vector<double> losses = run(device, problem, 130);
    std::vector<float> bytes(2 * losses.size());
    std::memcpy(bytes.data(), losses.data(), losses.size() * sizeof(double));
    return bytes;
  });
}

}  // namespace
}  // namespace incipit::device
