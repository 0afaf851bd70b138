#include "emergence/attribution.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <utility>

#include "../support.hpp"
#include "data.hpp"
#include "emergence/ablation.hpp"
#include "emergence/schema.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {
namespace {

/// A residual stream made of random parts, and a dictionary that looks at it.
struct AttributionScene {
  static constexpr int64_t d = 10, h = 9, depth = 3;

  explicit AttributionScene(int64_t k, std::vector<int64_t> layers = {0, 2, 3})
      : judge(test::judge_set(3, 4, {2, 1, 3})),
        resampling(make_resampling(test::host(), judge, {.bootstrap = 40, .permutations = 0}, 5)) {
    Random random(7, Purpose::test, 1);
    const auto normals = [&](int64_t count, double mean) {
      std::vector<float> out;
      for (int64_t i = 0; i < count; ++i) out.push_back(static_cast<float>(mean + random.normal()));
      return out;
    };
    for (int64_t c = 0; c < components_at(depth); ++c)
      parts.push_back(normals(judge.n() * d, static_cast<double>(c)));
    sae = {.h = h, .d = d, .k = k};
    sae.encoder = normals(h * d, 0);
    sae.encoder_bias = normals(h, 0);
    sae.pre_bias = normals(d, 0);
    sae.mean = normals(d, 4);
    sae.scale = 0.7F;
    input.sae = &sae;
    input.matched = {{0, 3, 4}, {}, {5}};
    input.layer = std::move(layers);
    input.subjects = {"biology", "law", "math"};
    input.where = "nano step 7";
    input.component = [this](int64_t c) { return parts[static_cast<size_t>(c)]; };
    input.residual = [this](int64_t layer) {
      std::vector<float> sum(parts.front().size());
      for (size_t i = 0; i < sum.size(); ++i) {
        double exact = 0;
        for (int64_t c = 0; c < components_at(layer); ++c)
          exact += static_cast<double>(whole[static_cast<size_t>(c)][i]);
        sum[i] = static_cast<float>(exact);
      }
      return sum;
    };
    whole = parts;
  }
  AttributionScene(const AttributionScene&) = delete;
  AttributionScene& operator=(const AttributionScene&) = delete;

  [[nodiscard]] Attribution made(const parallel::Communicator& comm) const {
    return attribute(comm, input, judge, resampling);
  }

  JudgeSet judge;
  Resampling resampling;
  std::vector<std::vector<float>> parts, whole;  ///< [component][n, d] as told; as they are in the residual
  sae::Sae sae;
  AttributionInput input;
};

/// Science §10 by the letter, in fp64 with plain loops.
class PlainAttribution {
 public:
  static constexpr int64_t d = AttributionScene::d, h = AttributionScene::h;

  explicit PlainAttribution(const AttributionScene& scene) : scene_(scene) {}

  /// w_j along the component's output of a probe, less its mean over probes, in anchor scaling.
  [[nodiscard]] double along(int64_t component, int64_t probe, int64_t latent) const {
    const auto& rows = scene_.parts[static_cast<size_t>(component)];
    double sum = 0;
    for (int64_t c = 0; c < d; ++c) {
      double mean = 0;
      for (int64_t i = 0; i < scene_.judge.n(); ++i) mean += static_cast<double>(rows[at(i, c)]);
      sum += encoder(latent, c) *
             (static_cast<double>(rows[at(probe, c)]) - mean / static_cast<double>(scene_.judge.n()));
    }
    return sum / static_cast<double>(scene_.sae.scale);
  }
  [[nodiscard]] double z(int64_t layer, int64_t probe, int64_t latent) const {
    double sum = scene_.sae.encoder_bias[static_cast<size_t>(latent)];
    for (int64_t c = 0; c < d; ++c) {
      double x = 0;
      for (int64_t k = 0; k < components_at(layer); ++k)
        x += static_cast<double>(scene_.parts[static_cast<size_t>(k)][at(probe, c)]);
      sum += encoder(latent, c) * ((x - static_cast<double>(scene_.sae.mean[static_cast<size_t>(c)])) /
                                       static_cast<double>(scene_.sae.scale) -
                                   static_cast<double>(scene_.sae.pre_bias[static_cast<size_t>(c)]));
    }
    return sum;
  }
  [[nodiscard]] const std::vector<int32_t>& matched(int64_t probe) const {
    return scene_.input.matched[static_cast<size_t>(scene_.judge.subject[static_cast<size_t>(probe)])];
  }
  /// The leader and its rival: the k-th largest of the others.
  [[nodiscard]] std::pair<int32_t, int32_t> contest(int64_t layer, int64_t probe) const {
    std::vector<std::pair<double, int32_t>> own, others;
    for (int32_t j = 0; j < h; ++j) {
      const auto& set = matched(probe);
      (std::find(set.begin(), set.end(), j) != set.end() ? own : others).emplace_back(-z(layer, probe, j), j);
    }
    std::sort(own.begin(), own.end());
    std::sort(others.begin(), others.end());
    return {own.front().second, others[static_cast<size_t>(scene_.sae.k) - 1].second};
  }
  /// Mean of term(probe) over the subject's probes, with its interval.
  template <class Term>
  [[nodiscard]] Estimate mean(int32_t subject, const Term& term) const {
    const auto& judge = scene_.judge;
    const auto mean_of = [&](const test::Draw& draw) {
      double sum = 0, count = 0;
      for (int64_t i = 0; i < judge.n(); ++i) {
        if (judge.subject[static_cast<size_t>(i)] != subject) continue;
        sum += draw.probe_weight[static_cast<size_t>(i)] * term(i);
        count += draw.probe_weight[static_cast<size_t>(i)];
      }
      return sum / count;
    };
    std::vector<double> draws;
    for (int64_t b = 0; b < scene_.resampling.bootstrap; ++b)
      draws.push_back(mean_of(test::bootstrap_draw(judge, scene_.resampling, b)));
    return {.value = mean_of(test::observed(judge)),
            .low = quantile(draws, 0.025),
            .high = quantile(draws, 0.975)};
  }

 private:
  [[nodiscard]] static size_t at(int64_t row, int64_t column) {
    return static_cast<size_t>(row * d + column);
  }
  [[nodiscard]] double encoder(int64_t latent, int64_t c) const {
    return static_cast<double>(scene_.sae.encoder[at(latent, c)]);
  }

  const AttributionScene& scene_;
};

void expect_near(const Estimate& found, const Estimate& expected, const std::string& what) {
  EXPECT_NEAR(found.value, expected.value, 2e-5) << what;
  EXPECT_NEAR(found.low, expected.low, 2e-5) << what;
  EXPECT_NEAR(found.high, expected.high, 2e-5) << what;
}

double mean_over(const std::vector<int32_t>& latents, const std::function<double(int32_t)>& of) {
  double sum = 0;
  for (const int32_t j : latents) sum += of(j);
  return sum / static_cast<double>(latents.size());
}

class AttributionTest : public testing::TestWithParam<int64_t> {};

TEST_P(AttributionTest, AgreesWithPlainLoops) {
  const AttributionScene scene(GetParam());
  const Attribution found = scene.made(parallel::Communicator::world());
  const PlainAttribution plain(scene);
  for (const int32_t c : {0, 2})
    for (int64_t p = 0; p < 3; ++p) {
      const int64_t layer = scene.input.layer[static_cast<size_t>(p)];
      const auto& set = scene.input.matched[static_cast<size_t>(c)];
      const std::string where = "subject " + std::to_string(c) + " layer " + std::to_string(layer);
      for (int64_t k = 0; k < components_at(layer); ++k) {
        expect_near(found.contribution[found.at(p, k, c)],
                    plain.mean(c,
                               [&](int64_t i) {
                                 return mean_over(set, [&](int32_t j) { return plain.along(k, i, j); });
                               }),
                    where + " contribution of " + component_name(k));
        expect_near(found.margin[found.at(p, k, c)],
                    plain.mean(c,
                               [&](int64_t i) {
                                 const auto [leader, rival] = plain.contest(layer, i);
                                 return plain.along(k, i, leader) - plain.along(k, i, rival);
                               }),
                    where + " margin of " + component_name(k));
      }
      expect_near(found.activation[found.at(p, c)],
                  plain.mean(c,
                             [&](int64_t i) {
                               return mean_over(set, [&](int32_t j) {
                                 double sum = 0;
                                 for (int64_t k = 0; k < components_at(layer); ++k)
                                   sum += plain.along(k, i, j);
                                 return sum;
                               });
                             }),
                  where + " activation");
      expect_near(found.gap[found.at(p, c)],
                  plain.mean(c,
                             [&](int64_t i) {
                               const auto [leader, rival] = plain.contest(layer, i);
                               return plain.z(layer, i, leader) - plain.z(layer, i, rival);
                             }),
                  where + " gap");
    }
}

INSTANTIATE_TEST_SUITE_P(Kept, AttributionTest, testing::Values(1, 2));

TEST(Attribution, HasNoNumbersWhereThereIsNothing) {
  const AttributionScene scene(1);
  const Attribution found = scene.made(parallel::Communicator::world());
  EXPECT_EQ(found.components(), 7);
  for (int64_t k = 0; k < 7; ++k) {
    EXPECT_TRUE(std::isnan(found.contribution[found.at(2, k, 1)].value)) << "no latents, component " << k;
    EXPECT_EQ(std::isnan(found.contribution[found.at(0, k, 0)].value), k > 0) << "layer 0, component " << k;
    EXPECT_EQ(std::isnan(found.margin[found.at(1, k, 2)].value), k > 4) << "layer 2, component " << k;
  }
}

void expect_same(const std::vector<Estimate>& a, const std::vector<Estimate>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(Estimate)), 0);
}

TEST(Attribution, SameBytesOnAnyNumberOfRanks) {
  const AttributionScene scene(2);
  const Attribution together = scene.made(parallel::Communicator::world()),
                    alone = scene.made(parallel::Communicator::self());
  expect_same(together.contribution, alone.contribution);
  expect_same(together.margin, alone.margin);
  expect_same(together.activation, alone.activation);
  expect_same(together.gap, alone.gap);
}

TEST(Attribution, RefusesTermsThatAreNotTheResiduals) {
  AttributionScene scene(1, {1, 2, 3});
  scene.parts[3][static_cast<size_t>(4 * AttributionScene::d)] +=
      0.5F;  // the attention of block 2, on a probe of the second group
  incipit::test::expect_error(
      Exit::numbers, {"nano step 7 layer 2", "subject biology", "probe", "2 blocks", "incipit extract"},
      [&] { static_cast<void>(scene.made(parallel::Communicator::world())); });
}

/// One subject whose activation is given at layers 0, 1, …, with what each component wrote, its interval as
/// wide as `half`.
Attribution told(const std::vector<double>& activation, const std::vector<double>& wrote, double half) {
  Attribution out;
  out.subjects = {"biology"};
  for (size_t p = 0; p < activation.size(); ++p) {
    out.layer.push_back(static_cast<int64_t>(p));
    out.activation.push_back({.value = activation[p]});
  }
  for (size_t p = 0; p < activation.size(); ++p)
    for (const double value : wrote)
      out.contribution.push_back({.value = value, .low = value - half, .high = value + half});
  return out;
}

TEST(DeepestFalls, NameWhoWroteAgainst) {
  // embedding, then attention and MLP of three blocks
  const auto found = told({1, 3, 1.5, 1.2}, {1, 1.5, 0.5, -0.3, -1.2, 0.1, -0.4}, 0.2);
  const auto falls = deepest_falls(found);
  ASSERT_EQ(falls.size(), 1U);
  EXPECT_EQ(falls[0].from, 1);
  EXPECT_EQ(falls[0].to, 2);
  EXPECT_NEAR(falls[0].by, -1.5, 1e-12);
  EXPECT_EQ(falls[0].erasers, (std::vector<int64_t>{4, 3}));
  EXPECT_EQ(writers_between(found, -1, 3, 0), (std::vector<int64_t>{1, 0, 2}));
  EXPECT_EQ(writers_between(found, 1, 3, 0, true), (std::vector<int64_t>{4, 6, 3}));
  EXPECT_EQ(component_name(4), "mlp 2");
  EXPECT_EQ(component_name(3), "attention 2");
}

TEST(DeepestFalls, NobodyIsNamedWithinTheInterval) {
  const auto falls = deepest_falls(told({1, 0.5}, {1, -0.3, -0.2}, 0.4));
  ASSERT_EQ(falls.size(), 1U);
  EXPECT_TRUE(falls[0].erasers.empty());
  EXPECT_TRUE(deepest_falls(told({1, 1, 2}, {1, -0.3, 0.3, 1, 0}, 0.1)).empty());
}

store::Header header_of(const std::string& kind) {
  store::Header out;
  out.kind = kind;
  out.fingerprint = "f";
  out.precision = out.device = out.cpu = out.libraries = out.split = "x";
  out.deck = "[run]\n";
  return out;
}

std::filesystem::path file_in_build(const std::string& name) {
  return std::filesystem::path(INCIPIT_BINARY_DIR) / "tests" / name;
}

TEST(Attribution, FileHoldsIt) {
  const auto world = parallel::Communicator::world();
  const AttributionScene scene(1);
  const Attribution made = scene.made(world);
  const auto path = file_in_build("attribution-" + std::to_string(world.size()) + ".h5");
  {
    store::Writer file(world, path, header_of("attribution"));
    file.attribute("", "model", "nano");
    file.attribute("", "step", 7);
    write_attribution(file, "", made);
    file.commit();
  }
  EXPECT_EQ(validate(path), std::vector<std::string>{});
  const Attribution read = read_attribution(path);
  EXPECT_EQ(read.layer, made.layer);
  EXPECT_EQ(read.subjects, made.subjects);
  expect_same(read.contribution, made.contribution);
  expect_same(read.margin, made.margin);
  expect_same(read.activation, made.activation);
  expect_same(read.gap, made.gap);
}

/// Contrast and AUC before and after, from codes and scores of two kinds.
struct Ablated {
  Ablated()
      : judge(test::judge_set(3, 6, {2, 1, 3})),
        resampling(make_resampling(test::host(), judge, {.bootstrap = 60, .permutations = 0}, 9)),
        before(test::codes(judge, 2, 6, 0.2, 1)),
        after(test::codes(judge, 2, 6, 0.9, 2)),
        sets(test::host(), {{0, 4}, {1}, {}}, 6) {
    Random random(3, Purpose::test, 5);
    for (int64_t i = 0; i < judge.n() * 3; ++i) {
      scores_before.push_back(random.uniform());
      scores_after.push_back(random.uniform() +
                             (judge.subject[static_cast<size_t>(i / 3)] == i % 3 ? 0.5 : 0));
    }
  }

  [[nodiscard]] SiteChange change(bool same = false) const {
    return site_change(test::site(test::host(), before, scores_before, sets),
                       same ? test::site(test::host(), before, scores_before, sets)
                            : test::site(test::host(), after, scores_after, sets),
                       sets, judge, resampling);
  }

  JudgeSet judge;
  Resampling resampling;
  sae::Codes before, after;
  std::vector<double> scores_before, scores_after;
  MatchedSets sets;
};

void expect_change(const Change& found, double before, double after, const std::vector<double>& differences) {
  EXPECT_NEAR(found.before.value, before, 1e-6);
  EXPECT_NEAR(found.after.value, after, 1e-6);
  EXPECT_NEAR(found.difference.value, after - before, 1e-6);
  EXPECT_NEAR(found.difference.low, quantile(differences, 0.025), 1e-6);
  EXPECT_NEAR(found.difference.high, quantile(differences, 0.975), 1e-6);
}

TEST(SiteChange, AgreesWithPlainLoopsOnTheSameResamples) {
  const Ablated scene;
  const SiteChange found = scene.change();
  const Matched matched = {{0, 4}, {1}, {}};
  const auto measured = [&](bool after, const test::Draw& draw, int32_t c) {
    return test::measure(after ? scene.after : scene.before, after ? scene.scores_after : scene.scores_before,
                         matched, scene.judge, draw, c);
  };
  for (const int32_t c : {0, 1}) {
    std::vector<double> contrast, auc;
    for (int64_t b = 0; b < scene.resampling.bootstrap; ++b) {
      const auto draw = test::bootstrap_draw(scene.judge, scene.resampling, b);
      const auto was = measured(false, draw, c), is = measured(true, draw, c);
      contrast.push_back(is.contrast - was.contrast);
      auc.push_back(is.auc - was.auc);
    }
    const auto was = measured(false, test::observed(scene.judge), c),
               is = measured(true, test::observed(scene.judge), c);
    expect_change(found.contrast[static_cast<size_t>(c)], was.contrast, is.contrast, contrast);
    expect_change(found.auc[static_cast<size_t>(c)], was.auc, is.auc, auc);
  }
  EXPECT_TRUE(std::isnan(found.contrast[2].before.value));
}

TEST(SiteChange, IsNothingWhereNothingChanged) {
  const SiteChange found = Ablated().change(true);
  for (const auto* changes : {&found.contrast, &found.auc})
    for (const size_t c : {0U, 1U}) {
      EXPECT_EQ((*changes)[c].difference.value, 0);
      EXPECT_EQ((*changes)[c].difference.low, 0);
      EXPECT_EQ((*changes)[c].difference.high, 0);
    }
}

TEST(Ablation, FileHoldsIt) {
  const auto world = parallel::Communicator::world();
  const SiteChange change = Ablated().change();
  Ablation made;
  made.component = 4;
  made.layer = {2, 3};
  made.subjects = {"biology", "law", "math"};
  for (int i = 0; i < 2; ++i) {
    made.contrast.insert(made.contrast.end(), change.contrast.begin(), change.contrast.end());
    made.auc.insert(made.auc.end(), change.auc.begin(), change.auc.end());
  }
  const auto path = file_in_build("ablation-" + std::to_string(world.size()) + ".h5");
  {
    store::Writer file(world, path, header_of("ablation"));
    file.attribute("", "model", "nano");
    file.attribute("", "step", 7);
    write_ablation(file, made);
    file.commit();
  }
  EXPECT_EQ(validate(path), std::vector<std::string>{});
  EXPECT_EQ(store::Reader(path, "ablation").attribute_string("", "component"), "mlp 2");
  const Ablation read = read_ablation(path, 4);
  EXPECT_EQ(read.layer, made.layer);
  ASSERT_EQ(read.auc.size(), made.auc.size());
  EXPECT_EQ(std::memcmp(read.contrast.data(), made.contrast.data(), made.contrast.size() * sizeof(Change)),
            0);
  EXPECT_EQ(std::memcmp(read.auc.data(), made.auc.data(), made.auc.size() * sizeof(Change)), 0);
}

}  // namespace
}  // namespace incipit::emergence
