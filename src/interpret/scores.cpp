#include "interpret/scores.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "nan.hpp"

namespace incipit::interpret {
namespace {

double share(double part, double whole) {
  return whole > 0 ? part / whole : nan;
}

/// Probabilities of 0..n heads of a fair coin.
std::vector<double> heads(int64_t n) {
  std::vector<double> p(static_cast<std::size_t>(n + 1));
  const auto count = static_cast<double>(n);
  for (int64_t i = 0; i <= n; ++i) {
    const auto k = static_cast<double>(i);
    p[static_cast<std::size_t>(i)] = std::exp(std::lgamma(count + 1) - std::lgamma(k + 1) -
                                              std::lgamma(count - k + 1) - count * std::log(2.0));
  }
  return p;
}

}  // namespace

double f1(const Tally& t) {
  return share(2.0 * static_cast<double>(t.true_yes),
               static_cast<double>(2 * t.true_yes + t.false_yes + t.false_no));
}

double precision(const Tally& t) {
  return share(static_cast<double>(t.true_yes), static_cast<double>(t.true_yes + t.false_yes));
}

double recall(const Tally& t) {
  return share(static_cast<double>(t.true_yes), static_cast<double>(t.true_yes + t.false_no));
}

double balanced_accuracy(const Tally& t) {
  return (recall(t) + share(static_cast<double>(t.true_no), static_cast<double>(t.true_no + t.false_yes))) /
         2;
}

double f1_low(const Tally& t, int64_t groups) {
  constexpr double z = 1.6448536269514722;  // the normal's 95 % point
  const int64_t trials = t.true_yes + t.false_yes + t.false_no;
  if (trials == 0 || groups <= 0) return nan;
  const double n = static_cast<double>(groups);
  const double jaccard = static_cast<double>(t.true_yes) / static_cast<double>(trials);
  const double centre = jaccard + z * z / (2 * n);
  const double spread = z * std::sqrt(jaccard * (1 - jaccard) / n + z * z / (4 * n * n));
  const double low = std::fmax(0.0, (centre - spread) / (1 + z * z / n));
  return 2 * low / (1 + low);
}

double f1_always_yes(int64_t firing, int64_t silent) {
  return f1({.true_yes = firing, .false_yes = silent, .true_no = 0, .false_no = 0});
}

double f1_coin(int64_t firing, int64_t silent) {
  if (firing <= 0) return nan;
  const std::vector<double> yes = heads(firing), no = heads(silent);
  double expectation = 0;
  for (int64_t hits = 0; hits <= firing; ++hits) {
    for (int64_t slips = 0; slips <= silent; ++slips) {
      expectation += yes[static_cast<std::size_t>(hits)] * no[static_cast<std::size_t>(slips)] * 2.0 *
                     static_cast<double>(hits) / static_cast<double>(firing + hits + slips);
    }
  }
  return expectation;
}

double precision_at_rate(double true_yes_rate, double false_yes_rate, double rate) {
  const double right = rate * true_yes_rate;
  return share(right, right + (1 - rate) * false_yes_rate);
}

}  // namespace incipit::interpret
