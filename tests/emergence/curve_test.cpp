#include "emergence/curve.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "error.hpp"
#include "parallel/communicator.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {
namespace {

constexpr int32_t subjects = 2;
constexpr int64_t draws = 40;
constexpr int64_t resampled = 5;
constexpr int64_t latents = 3;

/// Every number tells where it belongs.
double number(int64_t point, int measure, int rung, int32_t subject) {
  return static_cast<double>(1000 * point + 100 * measure + 10 * rung + subject);
}

SiteMeasures made(int64_t point, int rung) {
  SiteMeasures out = no_measures(subjects, resampled, draws, Status::ok);
  for (size_t i = 0; i < out.contrast_draws.size(); ++i)
    out.contrast_draws[i] = static_cast<double>(100 * point + 10 * rung) + static_cast<double>(i);
  for (int m = 0; m < measures; ++m)
    for (int32_t c = 0; c < subjects; ++c) {
      const double v = number(point, m, rung, c);
      out.measure[static_cast<size_t>(m)].subject[static_cast<size_t>(c)] = {v,    v - 1, v + 1, 0.5,
                                                                             0.25, 0.75,  0.01};
      // Permutation p of point q is largest at the point p % 4.
      for (int64_t p = 0; p < draws; ++p)
        out.measure[static_cast<size_t>(m)].null[static_cast<size_t>(c * draws + p)] =
            static_cast<double>(p) + (p % 4 == point ? 0.5 : 0.0) + 100 * m;
    }
  return out;
}

std::vector<Point> points() {
  std::vector<Point> out;
  for (int64_t p = 0; p < 5; ++p) out.push_back({"model", 1000 + p, 900, 1 << p, 6, 1.0});
  return out;
}

Curve empty() {
  return {"time", points(), subjects, draws, {0.1, 0.3}, latents};
}

/// Sets some of the points 0 to 3; the fifth is left as it is.
void fill(Curve& curve, const std::vector<int64_t>& which) {
  for (const int64_t p : which) {
    if (p == 1) {
      curve.leave_out(p, Status::degenerate);
      curve.set_facts(p, {3, 1.5, true});
      continue;
    }
    for (int r = 0; r < rungs; ++r) curve.set(p, static_cast<Rung>(r), made(p, r));
    curve.set_facts(p, {100 + p, 2.5, false});
    const double share = static_cast<double>(p) / 8;
    curve.set_usage(p, Rung::raw, {7.0, 0.125, {share, 0, 0.5}});
    curve.set_usage(p, Rung::aligned, {9.0, 0.25, {0, share, 1}});
    curve.set_probe_auc(p, {made(p, 0).measure[5].subject, made(p, 0).measure[5].null});
    align::Alignment alignment;
    alignment.rank = 4;
    alignment.scale = 0.5;
    alignment.judgement.cka = 0.9;
    alignment.judgement.reliable = p != 3;
    curve.set_alignment(p, alignment);
    curve.set_tau(p, std::vector<double>{0.1 + static_cast<double>(p), 0.2, 0.3, nan});
    curve.set_loss(p, 8.0 - 0.5 * static_cast<double>(p * p));
  }
}

Curve filled(const parallel::Communicator& comm) {
  Curve curve = empty();
  for (int64_t p = 0; p < 4; ++p)
    if (p % comm.size() == comm.rank()) fill(curve, {p});
  curve.gather(comm);
  return curve;
}

/// Some of each kind that a gathered curve holds.
std::vector<double> numbers_of(const Curve& curve) {
  std::vector<double> out = curve.tau_sweep();
  for (int r = 0; r < rungs; ++r)
    for (int32_t c = 0; c < subjects; ++c) {
      out.push_back(curve.null_max(Measure::auc, Rung{r}, c));
      for (int64_t p = 0; p < 5; ++p) {
        out.push_back(curve.estimate(Measure::contrast, Rung{r}, p, c).high);
        out.push_back(static_cast<double>(curve.status(Rung{r}, p, c)));
        out.push_back(curve.fire_rate(Rung{r}, p, c));
        for (const auto draws_of : {curve.contrast_draws(p, c), curve.contrast_null(p, c)})
          out.insert(out.end(), draws_of.begin(), draws_of.end());
      }
    }
  return out;
}

TEST(Curve, GoesOnBehindPointsThatWereKept) {
  const auto comm = parallel::Communicator::world();
  Curve first = empty(), second = empty(), on = empty();
  fill(first, {2, 0});
  fill(second, {1, 2});
  if (comm.root()) {
    EXPECT_TRUE(on.take(first.packed()));
    EXPECT_TRUE(on.take(second.packed()));
    EXPECT_TRUE(on.take(empty().packed()));
    for (int64_t p = 0; p < 5; ++p) EXPECT_EQ(on.is_set(p), p < 3);
  }
  if (comm.rank() == comm.size() - 1) fill(on, {3});
  on.gather(comm);
  const auto expected = numbers_of(filled(comm)), found = numbers_of(on);
  EXPECT_TRUE(std::ranges::equal(
      expected, found, [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }));
}

TEST(Curve, TakesNothingThatDoesNotFit) {
  Curve curve = empty(), other = empty();
  fill(other, {0, 2});
  const auto before = curve.packed().size();
  auto packed = other.packed();
  for (const size_t cut : {packed.size() - 1, packed.size() / 2, size_t{1}, size_t{0}})
    EXPECT_FALSE(curve.take(std::span(packed).first(cut)));
  packed.push_back(0);
  EXPECT_FALSE(curve.take(packed));
  Curve narrow("time", points(), subjects, draws, {0.1}, latents);
  EXPECT_FALSE(narrow.take(other.packed()));
  EXPECT_EQ(curve.packed().size(), before);
  EXPECT_FALSE(curve.is_set(0));
}

TEST(Curve, TheDrawsOfTheReadingRungAreKept) {
  const auto comm = parallel::Communicator::world();
  const Curve curve = filled(comm);
  for (const int64_t p : {0, 2, 3})
    for (int32_t c = 0; c < subjects; ++c) {
      const auto found = curve.contrast_draws(p, c), null = curve.contrast_null(p, c);
      ASSERT_EQ(found.size(), static_cast<size_t>(resampled));
      ASSERT_EQ(null.size(), static_cast<size_t>(draws));
      for (int64_t b = 0; b < resampled; ++b)
        EXPECT_EQ(found[static_cast<size_t>(b)], static_cast<double>(100 * p + c * resampled + b));
      EXPECT_EQ(null[3], 103 + (p == 3 ? 0.5 : 0));
    }
  EXPECT_TRUE(curve.contrast_draws(1, 0).empty());
  EXPECT_TRUE(curve.contrast_null(4, 1).empty());
}

TEST(Curve, NoDrawsAreKeptWithoutConclusions) {
  Curve curve("time", points(), subjects, draws, {}, 0, false);
  if (parallel::Communicator::world().root()) curve.set(0, Rung::raw, made(0, 0));
  curve.gather(parallel::Communicator::world());
  EXPECT_EQ(curve.estimate(Measure::auc, Rung::raw, 0, 0).value, number(0, 5, 0, 0));
  EXPECT_TRUE(curve.contrast_draws(0, 0).empty() && curve.contrast_null(0, 0).empty());
}

TEST(Curve, MiddlesComeTogetherFromAllRanks) {
  const auto& comm = parallel::Communicator::world();
  constexpr std::int32_t many = 7;
  Curve curve("time", {}, many, 0, {});
  const auto of = [](std::int32_t c) { return std::vector<double>(static_cast<size_t>(c), c + 0.5); };
  for (std::int32_t c = 0; c < many; ++c)
    if (c % comm.size() == comm.size() - 1 - comm.rank()) curve.set_middles(c, of(c));
  curve.gather_middles(comm);
  for (std::int32_t c = 0; c < many; ++c) EXPECT_EQ(curve.middles(c), of(c));
}

TEST(Curve, EveryRankHasEveryPointAfterwards) {
  const auto comm = parallel::Communicator::world();
  const Curve curve = filled(comm);
  for (const int64_t p : {0, 2, 3})
    for (int m = 0; m < measures; ++m)
      for (int r = 0; r < rungs; ++r)
        for (int32_t c = 0; c < subjects; ++c) {
          const Estimate found = curve.estimate(static_cast<Measure>(m), static_cast<Rung>(r), p, c);
          ASSERT_EQ(found.value, number(p, m, r, c));
          ASSERT_EQ(found.high, number(p, m, r, c) + 1);
          ASSERT_EQ(found.p, 0.01);
        }
  EXPECT_TRUE(std::isnan(curve.estimate(Measure::auc, Rung::raw, 1, 0).value));
  EXPECT_EQ(curve.status(Rung::raw, 1, 1), Status::degenerate);
  EXPECT_EQ(curve.status(Rung::aligned, 0, 0), Status::ok);
  EXPECT_EQ(curve.status(Rung::aligned, 3, 0), Status::unreliable);
  EXPECT_EQ(curve.status(Rung::raw, 3, 0), Status::ok);
  EXPECT_EQ(curve.status(Rung::aligned, 4, 0), Status::no_site);
}

TEST(Curve, TakesTheBandFromMaximaOverThePoints) {
  const Curve curve = filled(parallel::Communicator::world());
  std::vector<double> most;
  for (int64_t p = 0; p < draws; ++p)
    most.push_back(static_cast<double>(p) + (p % 4 != 1 ? 0.5 : 0.0) + 200);  // no point 1: degenerate
  EXPECT_EQ(curve.null_max(Measure::latent_activation, Rung::rescaled, 1), quantile(most, 0.95));
  for (double& v : most) v += 300;
  EXPECT_EQ(curve.probe_auc_null_max(0), quantile(most, 0.95));
  const Curve empty("space", points(), subjects, draws, {});
  EXPECT_TRUE(std::isnan(empty.null_max(Measure::contrast, Rung::raw, 0)));
}

TEST(Curve, RefusesAPointOfTwoRanks) {
  const auto comm = parallel::Communicator::world();
  Curve curve("time", points(), subjects, draws, {});
  curve.leave_out(2, Status::dropped);
  if (comm.size() == 1)
    EXPECT_NO_THROW(curve.gather(comm));
  else
    EXPECT_THROW(curve.gather(comm), Error);
}

TEST(Curve, WritesWhatItHolds) {
  const auto comm = parallel::Communicator::world();
  const auto path = std::filesystem::path(INCIPIT_BINARY_DIR) / "tests" / "curve.h5";
  const Curve curve = filled(comm);
  {
    store::Header header;
    header.kind = "emergence";
    store::Writer writer(comm, path, header);
    curve.write(writer, "anchors/a/curves/time", {"biology", "math"});
    curve.write_tau(writer, "anchors/a/tau/time", {"biology", "math"});
    writer.commit();
  }
  const store::Reader file(path, "emergence");
  const std::string group = "anchors/a/curves/time/";
  const auto contrast = file.read<double>(group + "contrast_low", {rungs, 5, subjects});
  EXPECT_EQ(contrast[static_cast<size_t>((2 * 5 + 3) * subjects + 1)], number(3, 1, 2, 1) - 1);
  EXPECT_TRUE(std::isnan(contrast[static_cast<size_t>((0 * 5 + 1) * subjects)]));
  const auto status = file.read<int8_t>(group + "status", {rungs, 5, subjects});
  EXPECT_EQ(status[static_cast<size_t>((2 * 5 + 3) * subjects)], 6);
  EXPECT_EQ(status[static_cast<size_t>(4 * subjects)], 1);
  EXPECT_EQ(file.read<int64_t>(group + "distinct"), (std::vector<int64_t>{100, 3, 102, 103, 0}));
  EXPECT_EQ(file.read<int64_t>(group + "alignment_rank"), (std::vector<int64_t>{4, 0, 4, 4, 0}));
  EXPECT_EQ(file.read<int8_t>(group + "alignment_reliable"), (std::vector<int8_t>{1, 0, 1, 0, 0}));
  EXPECT_TRUE(std::isnan(file.read<double>(group + "alignment_cka")[1]));
  EXPECT_TRUE(std::isnan(file.read<double>(group + "silent")[4]));
  EXPECT_EQ(file.read<int64_t>(group + "step")[3], 8);
  EXPECT_EQ(file.strings(group + "rung"), (std::vector<std::string>{"raw", "rescaled", "aligned"}));
  EXPECT_EQ(file.axes(group + "contrast"), (std::vector<std::string>{"rung", "point", "subject"}));
  const auto tau = file.read<double>("anchors/a/tau/time/probe_activation", {2, 5, subjects});
  EXPECT_EQ(tau[static_cast<size_t>((0 * 5 + 2) * subjects)], 2.1);
  EXPECT_EQ(curve.tau_sweep()[static_cast<size_t>((0 * 5 + 2) * subjects)], 2.1);
  EXPECT_TRUE(std::isnan(tau[static_cast<size_t>((1 * 5 + 2) * subjects + 1)]));
  const auto rate = file.read<double>(group + "fire_rate", {rungs, 5, latents});
  EXPECT_EQ(rate[static_cast<size_t>((0 * 5 + 3) * latents)], 0.375);
  EXPECT_EQ(rate[static_cast<size_t>((2 * 5 + 3) * latents + 1)], 0.375);
  EXPECT_TRUE(std::isnan(rate[static_cast<size_t>((1 * 5 + 3) * latents)]));
  EXPECT_TRUE(std::isnan(rate[static_cast<size_t>((0 * 5 + 4) * latents)]));
  EXPECT_EQ(file.axes(group + "fire_rate"), (std::vector<std::string>{"rung", "point", "latent"}));
  EXPECT_EQ(file.read<double>(group + "perplexity")[2], 7.0);  // of the first rung
}

/// NaN told from numbers, which == does not.
std::vector<std::string> texts(const std::vector<double>& values) {
  std::vector<std::string> out;
  for (const double v : values) out.push_back(std::isnan(v) ? "none" : std::to_string(v));
  return out;
}

TEST(Curve, WritesTheLossAndItsChangeWhereItIsKnown) {
  const auto comm = parallel::Communicator::world();
  const auto path = std::filesystem::path(INCIPIT_BINARY_DIR) / "tests" / "curve_loss.h5";
  {
    store::Header header;
    header.kind = "emergence";
    store::Writer writer(comm, path, header);
    const Curve curve = filled(comm), without("space", points(), subjects, draws, {});
    curve.write(writer, "time", {"biology", "math"});
    curve.write_drift(writer, "time/drift");
    without.write(writer, "space", {"biology", "math"});
    without.write_drift(writer, "space/drift");
    writer.commit();
  }
  const store::Reader file(path, "emergence");
  EXPECT_EQ(texts(file.read<double>("time/loss")), texts({8, nan, 6, 3.5, nan}));
  EXPECT_EQ(texts(file.read<double>("time/drift/loss")), texts({nan, nan, nan, -2.5, nan}));
  EXPECT_FALSE(file.has("space/loss") || file.has("space/drift/loss"));
}

TEST(Curve, RefusesFireRatesOfOtherLatents) {
  Curve curve("time", points(), subjects, draws, {}, latents);
  EXPECT_THROW(curve.set_usage(0, Rung::raw, {1.0, 0.0, {0.5}}), Error);
}

}  // namespace
}  // namespace incipit::emergence
