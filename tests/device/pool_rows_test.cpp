#include "device/pool_rows.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "every_device.hpp"
#include "same_bytes.hpp"

namespace incipit::device {
namespace {

struct PoolingProblem {
  explicit PoolingProblem(std::int64_t d_) : d(d_) {
    for (const std::int32_t length : {1, 2, 33, 1, 300, 7}) starts.push_back(starts.back() + length);
    in = normals(static_cast<std::size_t>(starts.back() * d), 5);
  }
  std::int64_t d;
  std::vector<std::int32_t> starts = {0};
  std::vector<float> in;
};

std::vector<float> run(Device& device, const PoolingProblem& problem, Pool pool) {
  const Buffer<float> in(device, std::span<const float>(problem.in));
  const Buffer<std::int32_t> starts(device, std::span<const std::int32_t>(problem.starts));
  const std::int64_t sequences = std::ssize(problem.starts) - 1;
  Buffer<float> out(device, static_cast<std::size_t>(sequences * problem.d));
  device.pool_rows({.sequences = sequences,
                    .d = problem.d,
                    .pool = pool,
                    .starts = starts.data(),
                    .in = in.data(),
                    .out = out.data()});
  return out.download();
}

std::vector<double> reference(const PoolingProblem& problem, Pool pool) {
  std::vector<double> out;
  for (std::size_t s = 0; s + 1 < problem.starts.size(); ++s) {
    for (std::int64_t j = 0; j < problem.d; ++j) {
      std::vector<double> column;
      for (std::int64_t i = problem.starts[s]; i < problem.starts[s + 1]; ++i)
        column.push_back(problem.in[static_cast<std::size_t>(i * problem.d + j)]);
      double sum = 0;
      for (const double x : column) sum += x;
      const double most = *std::max_element(column.begin(), column.end());
      out.push_back(pool == Pool::mean    ? sum / static_cast<double>(column.size())
                    : pool == Pool::first ? column.front()
                                          : most);
    }
  }
  return out;
}

class PoolRowsOn : public OnEveryDevice {};

TEST_P(PoolRowsOn, AgreesWithPlainLoops) {
  for (const std::int64_t d : {1, 7, 64, 129, 1000}) {
    const PoolingProblem problem(d);
    SCOPED_TRACE(testing::Message() << "d " << d);
    expect_near(run(*device_, problem, Pool::mean), reference(problem, Pool::mean), 1e-6);
    expect_near(run(*device_, problem, Pool::first), reference(problem, Pool::first), 0);
    expect_near(run(*device_, problem, Pool::max), reference(problem, Pool::max), 0);
  }
}

TEST_P(PoolRowsOn, PassesNanOn) {
  constexpr std::size_t first = 3 * 5;  // of the sequence of 33 rows
  for (const std::size_t row : {0, 1, 32}) {
    PoolingProblem problem(5);
    problem.in[first + row * 5 + 2] = std::numeric_limits<float>::quiet_NaN();
    for (const Pool pool : {Pool::mean, Pool::max}) {
      const std::vector<float> out = run(*device_, problem, pool);
      EXPECT_TRUE(std::isnan(out[2 * 5 + 2])) << "row " << row;
      EXPECT_EQ(std::count_if(out.begin(), out.end(), [](float x) { return std::isnan(x); }), 1);
    }
  }
}

INCIPIT_ON_EVERY_DEVICE(PoolRowsOn);

TEST(PoolRows, SameBytesForAnyThreads) {
  const PoolingProblem problem(97);
  expect_same_bytes_for_any_threads([&](Device& device) { return run(device, problem, Pool::mean); });
}

}  // namespace
}  // namespace incipit::device
