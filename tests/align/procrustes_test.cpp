#include "align/procrustes.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "../device/every_device.hpp"
#include "align/linear_algebra.hpp"
#include "data.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"

namespace incipit::align {
namespace {

using test::Matrix;
using test::noise;

/// Site and anchor, fit and judge.
struct Setting {
  Matrix fit, judge, reference_fit, reference_judge;

  [[nodiscard]] Reference reference(int64_t group_size = 1, device::Device& device = test::host()) const {
    return {device,
            reference_fit.rows(),
            reference_judge.rows(),
            test::groups_of(reference_fit.n, group_size),
            test::groups_of(reference_judge.n, group_size),
            5};
  }
  [[nodiscard]] Alignment align(int64_t group_size = 1, device::Device& device = test::host()) const {
    return align::align(reference(group_size, device), fit.rows(), judge.rows());
  }
};

Setting split(const Matrix& site, const Matrix& reference, int64_t fit) {
  return {test::head(site, fit), test::tail(site, fit), test::head(reference, fit),
          test::tail(reference, fit)};
}

void add_noise(Matrix& x, double scale, uint64_t stream) {
  const Matrix e = noise(x.n, x.d, stream, scale);
  for (size_t i = 0; i < x.data.size(); ++i) x.data[i] += e.data[i];
}

TEST(Align, RecoversAPlantedRotation) {
  const int64_t d = 24;
  const Matrix site = noise(900, d, 30);
  const auto q = test::rotation(d, 3);
  const Alignment found = split(site, test::turned(site, q, d, 2.5, -1.0), 600).align();
  EXPECT_EQ(found.rank, d);
  EXPECT_NEAR(found.scale, 2.5, 1e-5);
  EXPECT_FALSE(found.projected);
  EXPECT_LT(found.judgement.residual, 1e-5);
  EXPECT_NEAR(found.judgement.outside, 0, 1e-12);
  EXPECT_EQ(found.judgement.residual_floor, 0);
  EXPECT_EQ(found.judgement.retrieval, 1);
  EXPECT_NEAR(found.judgement.cka, 1, 1e-5);
  EXPECT_NEAR(found.judgement.cosine_correlation, 1, 1e-6);
  EXPECT_NEAR(found.judgement.residual_shuffled, std::sqrt(2.0), 0.1);
  EXPECT_TRUE(found.judgement.reliable);
  for (int64_t i = 0; i < d; ++i)
    for (int64_t j = 0; j < d; ++j) {
      double w = 0;
      for (int64_t r = 0; r < found.rank; ++r)
        w += found.left[static_cast<size_t>(i * found.rank + r)] *
             found.right[static_cast<size_t>(j * found.rank + r)];
      ASSERT_NEAR(w, q[static_cast<size_t>(i * d + j)], 1e-4);
    }
}

TEST(Align, OfUnrelatedNoiseIsUnreliable) {
  const Setting setting{noise(400, 20, 31), noise(300, 20, 32), noise(400, 20, 33), noise(300, 20, 34)};
  const Alignment found = setting.align();
  EXPECT_FALSE(found.judgement.reliable);
  EXPECT_GT(found.judgement.residual, 0.99);
  EXPECT_LT(found.judgement.retrieval, 0.05);
  EXPECT_LT(std::abs(found.judgement.cka), 0.1);
}

TEST(Align, FindsTheRankOfFlatRowsAndTheirSpan) {
  const int64_t d = 40, q = 6;
  const Matrix site = test::flat(500, d, q, 40);
  const Alignment found = split(site, test::turned(site, test::rotation(d, 9), d, 1.0, 0.0), 300).align();
  // fp32 rows are flat only to their last bits, so the numerical rank may be higher; it must not hurt.
  EXPECT_GE(found.rank, q);
  EXPECT_LT(found.judgement.residual, 1e-5);
  EXPECT_NEAR(found.judgement.effective_rank, q, 0.5);
}

TEST(Align, CutsTheRankWhereNoiseBegins) {
  const int64_t d = 60, q = 5;
  const Matrix site = test::flat(400, d, q, 45);
  Matrix noisy = site, reference = test::turned(site, test::rotation(d, 11), d, 1.0, 0.0);
  add_noise(noisy, 0.15, 46);
  add_noise(reference, 0.15, 47);
  const Alignment found = split(noisy, reference, 200).align();
  EXPECT_EQ(found.rank, q);
}

TEST(Align, WorksWithFewerProbesThanDimensions) {
  const int64_t d = 120, q = 15;
  const Matrix site = test::flat(160, d, q, 50);
  const Setting setting = split(site, test::turned(site, test::rotation(d, 13), d, 0.5, 0.2), 60);
  const Alignment found = setting.align();
  EXPECT_LE(found.rank, 59);
  EXPECT_LT(found.judgement.residual, 1e-4);
  EXPECT_LT(found.judgement.outside, 1e-8);
}

/// Σ σ of C as left, right and the data give it, against LAPACK on C itself.
double captured(const Setting& s, const Alignment& a) {
  const auto mx = column_means(s.fit.rows()), my = column_means(s.reference_fit.rows());
  const auto c = cross_product({s.fit.rows(), {}, mx}, {s.reference_fit.rows(), {}, my});
  double total = 0;
  for (int64_t r = 0; r < a.rank; ++r)
    for (int64_t i = 0; i < a.d_site; ++i)
      for (int64_t j = 0; j < a.d_reference; ++j)
        total += a.left[static_cast<size_t>(i * a.rank + r)] * c[static_cast<size_t>(i * a.d_reference + j)] *
                 a.right[static_cast<size_t>(j * a.rank + r)];
  return total;
}

TEST(Align, QrCoresGiveTheSingularVectorsOfC) {
  for (const auto& [n, dx, dy] :
       {std::array<int64_t, 3>{30, 50, 70}, {30, 50, 20}, {30, 20, 50}, {200, 20, 50}}) {
    const Matrix base = noise(2 * n, std::max(dx, dy), 60);
    const auto q = test::rotation(base.d, 15);
    const Setting s = split(test::turned(base, q, dx, 1.0, 0.0),
                            test::turned(base, test::rotation(base.d, 16), dy, 1.0, 0.0), n);
    const Alignment found = s.align();
    const auto mx = column_means(s.fit.rows()), my = column_means(s.reference_fit.rows());
    const Svd whole =
        svd(test::host(),
            {test::host(), cross_product({s.fit.rows(), {}, mx}, {s.reference_fit.rows(), {}, my})}, dx, dy);
    const double expected = std::accumulate(whole.s.begin(), whole.s.begin() + found.rank, 0.0);
    EXPECT_NEAR(captured(s, found), expected, 1e-5 * expected);
    EXPECT_EQ(found.projected, dx > dy);
  }
}

TEST(Align, OfANarrowerSiteApproachesTheFloor) {
  const int64_t d = 30, narrow = 8;
  Matrix reference = noise(1200, d, 70);
  for (int64_t i = 0; i < reference.n; ++i)
    for (int64_t j = 0; j < d; ++j)
      reference.data[static_cast<size_t>(i * d + j)] *= j < narrow ? 3.0F : 0.3F;
  Matrix site{reference.n, narrow, {}};
  for (int64_t i = 0; i < reference.n; ++i)
    for (int64_t j = 0; j < narrow; ++j) site.data.push_back(reference.data[static_cast<size_t>(i * d + j)]);
  const auto rotation = test::rotation(narrow, 17);
  const Alignment found = split(test::turned(site, rotation, narrow, 1.0, 0.0), reference, 800).align();
  double kept = 0, all = 0;
  for (int64_t i = 800; i < 1200; ++i)
    for (int64_t j = 0; j < d; ++j) {
      const double square = reference.at(i, j) * reference.at(i, j);
      all += square;
      kept += j < narrow ? square : 0;
    }
  EXPECT_NEAR(found.judgement.residual_floor, std::sqrt(1 - kept / all), 0.01);
  EXPECT_GE(found.judgement.residual, found.judgement.residual_floor - 0.002);
  EXPECT_LT(found.judgement.residual, found.judgement.residual_floor + 0.03);
  EXPECT_TRUE(found.judgement.reliable);
}

TEST(Align, OfAWiderSiteIsMarkedProjected) {
  const Matrix site = noise(500, 20, 75);
  const Alignment found = split(site, test::turned(site, test::rotation(20, 18), 9, 1.0, 0.0), 300).align();
  EXPECT_TRUE(found.projected);
  EXPECT_EQ(found.rank, 9);
  EXPECT_EQ(found.judgement.residual_floor, 0);
  EXPECT_NEAR(found.judgement.outside, 1 - 9.0 / 20, 0.05);
}

TEST(Align, JudgementEqualsPlainLoops) {
  const Matrix site = noise(340, 6, 80);
  Matrix reference = test::turned(site, test::rotation(6, 19), 6, 1.3, 0.4);
  add_noise(reference, 0.7, 81);
  const Setting s = split(site, reference, 70);
  const Alignment found = s.align(2);
  const auto predicted = apply(found, s.judge.rows(), 1.0);
  const auto mean = column_means(s.reference_fit.rows());
  double error = 0, total = 0, hits = 0;
  for (int64_t i = 0; i < s.judge.n; ++i) {
    int64_t best = -1;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t k = 0; k < s.judge.n; ++k) {
      double distance = 0;
      for (int64_t j = 0; j < 6; ++j) {
        const double x = predicted[static_cast<size_t>(i * 6 + j)],
                     y = s.reference_judge.at(k, j) - mean[static_cast<size_t>(j)];
        distance += (x - y) * (x - y);
      }
      if (k == i) error += distance;
      if (distance < least) {
        least = distance;
        best = k;
      }
    }
    hits += best == i ? 1 : 0;
    for (int64_t j = 0; j < 6; ++j)
      total += std::pow(s.reference_judge.at(i, j) - mean[static_cast<size_t>(j)], 2);
  }
  EXPECT_NEAR(found.judgement.residual, std::sqrt(error / total), 1e-5);
  EXPECT_NEAR(found.judgement.retrieval, hits / static_cast<double>(s.judge.n), 1e-12);
}

TEST(Align, EqualReferenceVectorsShareARetrieval) {
  Matrix x{40, 3, {}};
  for (int i = 0; i < 40; ++i)
    for (int j = 0; j < 3; ++j) x.data.push_back(j == i % 4 % 3 ? 1.0F + static_cast<float>(i % 4) : 0.1F);
  const Setting s{x, x, x, x};
  EXPECT_NEAR(s.align().judgement.retrieval, 4.0 / 40, 1e-12);
}

TEST(Align, ASiteWithoutVarianceHasNoMap) {
  const Matrix reference = noise(60, 4, 90), same{60, 5, std::vector<float>(300, 0.7F)};
  const Setting s = split(same, reference, 40);
  const Alignment found = s.align();
  EXPECT_EQ(found.rank, 0);
  EXPECT_TRUE(std::isnan(found.judgement.residual));
  EXPECT_TRUE(std::isnan(found.scale));
  EXPECT_FALSE(found.judgement.reliable);
  EXPECT_THROW((void)apply(found, same.rows(), 1.0), Error);
}

TEST(Align, RefusesWhatDoesNotFit) {
  const Matrix reference = noise(60, 4, 91);
  const Setting s = split(reference, reference, 40);
  const Reference made = s.reference();
  const auto code = [](auto&& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.code();
    }
    return Exit::done;
  };
  const Matrix other = noise(39, 4, 92);
  EXPECT_EQ(code([&] { (void)align(made, other.rows(), s.judge.rows()); }), Exit::data);
  Matrix broken = s.fit;
  broken.data[3] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(code([&] { (void)align(made, broken.rows(), s.judge.rows()); }), Exit::numbers);
  const Matrix same{40, 4, std::vector<float>(160, 1.0F)};
  EXPECT_EQ(code([&] {
              const Reference flat(test::host(), same.rows(), s.judge.rows(), test::groups_of(40, 1),
                                   test::groups_of(20, 1), 1);
            }),
            Exit::numbers);
}

TEST(Align, GivesTheSameBytesForAnyNumberOfThreads) {
  const int64_t wide = 520;  // more than one tile
  const Matrix site = noise(1100, 40, 96);
  Matrix reference = noise(1100, wide, 97, 0.3);
  for (int64_t i = 0; i < site.n; ++i)
    for (int64_t j = 0; j < site.d; ++j)
      reference.data[static_cast<size_t>(i * wide + j)] += static_cast<float>(site.at(i, j));
  const Setting s = split(site, reference, 600);
  const auto run = [&](int threads) {
    omp_set_num_threads(threads);
    const auto device = device::make_host_device(threads);
    Alignment found = s.align(3, *device);
    const auto u = apply(found, s.judge.rows(), 2.0);
    found.left.insert(found.left.end(), u.begin(), u.end());
    return found;
  };
  const int before = omp_get_max_threads();
  const Alignment one = run(1), three = run(3);
  omp_set_num_threads(before);
  EXPECT_EQ(one.left, three.left);
  EXPECT_EQ(one.right, three.right);
  EXPECT_EQ(one.judgement.residual, three.judgement.residual);
  EXPECT_EQ(one.judgement.residual_shuffled, three.judgement.residual_shuffled);
  EXPECT_EQ(one.judgement.cka, three.judgement.cka);
  EXPECT_EQ(one.judgement.cosine_correlation, three.judgement.cosine_correlation);
}

/// W = left · rightᵀ
std::vector<double> whole_map(const Alignment& a) {
  std::vector<double> w(static_cast<size_t>(a.d_site * a.d_reference), 0.0);
  for (int64_t i = 0; i < a.d_site; ++i)
    for (int64_t j = 0; j < a.d_reference; ++j)
      for (int64_t r = 0; r < a.rank; ++r)
        w[static_cast<size_t>(i * a.d_reference + j)] +=
            a.left[static_cast<size_t>(i * a.rank + r)] * a.right[static_cast<size_t>(j * a.rank + r)];
  return w;
}

class AlignOn : public device::OnEveryDevice {};

/// Where C is summed in fp32 the map is known to what that leaves of its least singular value; all else of
/// the judgement to what the map leaves.
TEST_P(AlignOn, GivesWhatTheHostGives) {
  for (const auto& [n, dx, dy] : {std::array<int64_t, 3>{700, 24, 24},
                                  {700, 9, 31},
                                  {700, 31, 9},
                                  {40, 60, 50},
                                  {40, 60, 20},
                                  {40, 20, 60}}) {
    SCOPED_TRACE(testing::Message() << n << " x " << dx << " x " << dy);
    const Matrix base = noise(2 * n, std::max(dx, dy), 60);
    Matrix reference = test::turned(base, test::rotation(base.d, 15), dy, 1.5, 3.0);
    add_noise(reference, 0.1, 62);
    const Setting s = split(test::turned(base, test::rotation(base.d, 16), dx, 1.0, -2.0), reference, n);
    const Alignment expected = s.align(2), found = s.align(2, *device_);
    ASSERT_EQ(found.rank, expected.rank);
    EXPECT_NEAR(found.scale, expected.scale, 1e-14 * expected.scale);
    const auto w = whole_map(found), v = whole_map(expected);
    for (size_t i = 0; i < w.size(); ++i) ASSERT_NEAR(w[i], v[i], 2e-6);
    EXPECT_NEAR(found.judgement.residual, expected.judgement.residual, 1e-6);
    EXPECT_NEAR(found.judgement.residual_floor, expected.judgement.residual_floor, 1e-6);
    EXPECT_NEAR(found.judgement.outside, expected.judgement.outside, 1e-6);
    EXPECT_NEAR(found.judgement.cka, expected.judgement.cka, 1e-12);
    EXPECT_NEAR(found.judgement.cka_biased, expected.judgement.cka_biased, 1e-12);
    EXPECT_NEAR(found.judgement.effective_rank, expected.judgement.effective_rank,
                1e-6 * expected.judgement.effective_rank);
    EXPECT_EQ(found.judgement.retrieval, expected.judgement.retrieval);
  }
}

/// Rows of rank 6 in fp32: what is beyond the rank is rounding, which fp32 sums take for nothing.
TEST_P(AlignOn, TheRankIsThatOfTheSumsPrecision) {
  const Matrix site = test::flat(900, 40, 6, 40);
  const Alignment found =
      split(site, test::turned(site, test::rotation(40, 9), 40, 1.0, 0.0), 600).align(1, *device_);
  if (device_->kind() == device::Kind::cuda)
    EXPECT_EQ(found.rank, 6);
  else
    EXPECT_GE(found.rank, 6);
  EXPECT_LT(found.judgement.residual, 1e-5);
}

TEST_P(AlignOn, RefusesWhatIsNotFinite) {
  const Matrix reference = noise(60, 4, 91);
  const Setting s = split(reference, reference, 40);
  const Reference made = s.reference(1, *device_);
  Matrix broken = s.fit;
  broken.data[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW((void)align(made, broken.rows(), s.judge.rows()), Error);
}

INSTANTIATE_TEST_SUITE_P(Devices, AlignOn, testing::ValuesIn(device::every_device()), device::candidate_name);

TEST(Apply, IsTheInputOfTheAnchorsSae) {
  const Matrix site = noise(300, 5, 95);
  const Setting s = split(site, test::turned(site, test::rotation(5, 20), 5, 2.0, 1.0), 200);
  const Alignment found = s.align();
  const auto u = apply(found, s.judge.rows(), 4.0);
  const auto mean = column_means(s.reference_fit.rows());
  for (int64_t i = 0; i < s.judge.n; ++i)
    for (int64_t j = 0; j < 5; ++j)
      ASSERT_NEAR(u[static_cast<size_t>(i * 5 + j)],
                  (s.reference_judge.at(i, j) - mean[static_cast<size_t>(j)]) / 4.0, 1e-4);
}

}  // namespace
}  // namespace incipit::align
