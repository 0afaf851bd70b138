#include "emergence/linear_probe.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "data.hpp"
#include "emergence/auc.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

struct Part {
  std::vector<float> data;
  std::vector<int32_t> subject, group;
  int64_t n = 0, d = 0;
  [[nodiscard]] align::Rows rows() const { return {data, n, d}; }
};

/// Subject c is shifted by `signal` along axis c.
Part part(int64_t n, int64_t d, int32_t subjects, double signal, uint64_t stream) {
  Random random(6, Purpose::test, stream);
  Part out;
  out.n = n;
  out.d = d;
  for (int64_t i = 0; i < n; ++i) {
    const auto c = static_cast<int32_t>(i % subjects);
    out.subject.push_back(c);
    out.group.push_back(static_cast<int32_t>(i / 2));
    for (int64_t j = 0; j < d; ++j)
      out.data.push_back(static_cast<float>(random.normal() + 5 + (j == c ? signal : 0.0)));
  }
  return out;
}

double area(const std::vector<double>& scores, const Part& judge, int32_t subjects, int32_t c) {
  std::vector<double> column;
  std::vector<uint8_t> positive;
  for (int64_t i = 0; i < judge.n; ++i) {
    column.push_back(scores[static_cast<size_t>(i * subjects + c)]);
    positive.push_back(judge.subject[static_cast<size_t>(i)] == c ? 1 : 0);
  }
  return auc(column, positive);
}

TEST(ProbeScores, FindWhatIsLinearlyThereAndNothingElse) {
  for (const int64_t d : {10, 400}) {  // more and fewer rows than dimensions
    const Part fit = part(300, d, 3, 4.0, 1), judge = part(150, d, 3, 4.0, 2);
    const auto scores = probe_scores(fit.rows(), fit.subject, fit.group, judge.rows(), 3, 1);
    for (int32_t c = 0; c < 3; ++c) EXPECT_GT(area(scores, judge, 3, c), 0.95) << "d = " << d;
    const Part no_fit = part(300, d, 3, 0.0, 3), no_judge = part(150, d, 3, 0.0, 4);
    const auto none = probe_scores(no_fit.rows(), no_fit.subject, no_fit.group, no_judge.rows(), 3, 1);
    for (int32_t c = 0; c < 3; ++c) EXPECT_NEAR(area(none, no_judge, 3, c), 0.5, 0.15) << "d = " << d;
  }
}

/// The ridge solution by gradient descent, for each γ; the scores must be those of one of them.
std::vector<double> descended(const Part& fit, const Part& judge, int32_t subjects, double gamma) {
  const auto n = static_cast<size_t>(fit.n), d = static_cast<size_t>(fit.d),
             cs = static_cast<size_t>(subjects);
  std::vector<double> mean(d, 0.0), share(cs, 0.0), x(n * d), out;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < d; ++j)
      mean[j] += static_cast<double>(fit.data[i * d + j]) / static_cast<double>(n);
  double squares = 0;
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < d; ++j) {
      x[i * d + j] = static_cast<double>(fit.data[i * d + j]) - mean[j];
      squares += x[i * d + j] * x[i * d + j];
    }
  for (const int32_t c : fit.subject) share[static_cast<size_t>(c)] += 1.0 / static_cast<double>(n);
  const double lambda = gamma * squares / static_cast<double>(d);
  std::vector<double> w(d * cs, 0.0);
  for (int step = 0; step < 4000; ++step)
    for (size_t c = 0; c < cs; ++c) {
      std::vector<double> gradient(d, 0.0);
      for (size_t i = 0; i < n; ++i) {
        double error = -((fit.subject[i] == static_cast<int32_t>(c) ? 1.0 : 0.0) - share[c]);
        for (size_t j = 0; j < d; ++j) error += x[i * d + j] * w[j * cs + c];
        for (size_t j = 0; j < d; ++j) gradient[j] += error * x[i * d + j];
      }
      for (size_t j = 0; j < d; ++j)
        w[j * cs + c] -= (gradient[j] + lambda * w[j * cs + c]) / (squares + lambda);
    }
  for (int64_t i = 0; i < judge.n; ++i)
    for (size_t c = 0; c < cs; ++c) {
      double score = share[c];
      for (size_t j = 0; j < d; ++j)
        score += (static_cast<double>(judge.data[static_cast<size_t>(i) * d + j]) - mean[j]) * w[j * cs + c];
      out.push_back(score);
    }
  return out;
}

TEST(ProbeScores, AreRidgeRegressionInBothForms) {
  for (const auto& [n, d] : {std::pair<int64_t, int64_t>{40, 6}, {20, 30}}) {
    const Part fit = part(n, d, 2, 1.0, 10), judge = part(9, d, 2, 1.0, 11);
    const auto scores = probe_scores(fit.rows(), fit.subject, fit.group, judge.rows(), 2, 1);
    double least = 1e9;
    for (const double gamma : {1e-2, 1e-1, 1e0, 1e1}) {
      const auto expected = descended(fit, judge, 2, gamma);
      double worst = 0;
      for (size_t i = 0; i < scores.size(); ++i) worst = std::max(worst, std::abs(scores[i] - expected[i]));
      least = std::min(least, worst);
    }
    EXPECT_LT(least, 1e-3) << n << " x " << d;
  }
}

TEST(ProbeScores, AreNanForWhatCannotBeKnown) {
  Part fit = part(30, 4, 2, 1.0, 20);
  const Part judge = part(10, 4, 3, 1.0, 21);
  const auto scores = probe_scores(fit.rows(), fit.subject, fit.group, judge.rows(), 3, 1);
  EXPECT_FALSE(std::isnan(scores[0]));
  EXPECT_TRUE(std::isnan(scores[2]));
  fit.data.assign(fit.data.size(), 0.1F);
  for (const double s : probe_scores(fit.rows(), fit.subject, fit.group, judge.rows(), 3, 1))
    EXPECT_TRUE(std::isnan(s));
  fit.data[5] = std::nanf("");
  EXPECT_THROW((void)probe_scores(fit.rows(), fit.subject, fit.group, judge.rows(), 3, 1), Error);
}

}  // namespace
}  // namespace incipit::emergence
