#include "match/matching.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "corpus.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"

namespace incipit::match {
namespace {

/// A text "x y …" is its coordinates, scaled to unit norm; a text that is no numbers is unknown.
class Coordinates : public Encoder {
 public:
  std::string name() const override { return "coordinates"; }
  int64_t dimensions() const override { return 2; }
  std::vector<float> embed(std::span<const std::string> texts) override {
    std::vector<float> rows;
    for (const std::string& text : texts) {
      double x = 0, y = 0;
      if (std::sscanf(text.c_str(), "%lf %lf", &x, &y) != 2) x = y = 0;
      const double norm = std::hypot(x, y);
      rows.push_back(static_cast<float>(norm > 0 ? x / norm : 0));
      rows.push_back(static_cast<float>(norm > 0 ? y / norm : 0));
    }
    return rows;
  }
};

/// A random unit vector of 8 dimensions for each text, by its hash.
class Scattered : public Encoder {
 public:
  std::string name() const override { return "scattered"; }
  int64_t dimensions() const override { return 8; }
  std::vector<float> embed(std::span<const std::string> texts) override {
    std::vector<float> rows;
    for (const std::string& text : texts) {
      uint64_t hash = 7;
      for (const char c : text) hash = hash * 1000003 + static_cast<unsigned char>(c);
      Random random(hash, Purpose::test, 0);
      double row[8], squares = 0;
      for (double& x : row) {
        x = random.normal();
        squares += x * x;
      }
      for (const double x : row) rows.push_back(static_cast<float>(x / std::sqrt(squares)));
    }
    return rows;
  }
};

Subjects two_subjects() {
  return {{{"a", {"1 0", "0 1"}, true}, {"b", {"-1 0"}, true}}, {"0 -1", "unknown"}};
}

TEST(Matching, TakesTheNearestPhraseAndOnlyInterpretableLatents) {
  Coordinates encoder;
  const std::vector<std::string> labels = {"3 4", "-4 3", "1 0", "", "nothing known"};
  const std::vector<int8_t> interpretable = {1, 1, 0, 0, 1};
  MatchOptions options;
  options.tau = "0.75";
  const Matches m = match_labels(encoder, labels, interpretable, two_subjects(), options);
  const double expected[] = {0.8, -0.6, 0.6, 0.8, 1, -1};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(m.similarity[i], expected[i], 1e-6);
  EXPECT_TRUE(std::isnan(m.similarity[6]));
  EXPECT_EQ(m.similarity[8], 0);
  EXPECT_EQ(m.of(0), std::vector<int64_t>{0});
  EXPECT_EQ(m.of(1), std::vector<int64_t>{1});
  EXPECT_EQ(m.of(0, 0.5, interpretable), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(m.tau, 0.75);
  EXPECT_FALSE(m.tau_auto);
  // Three interpretable labels against the one decoy that the encoder knows: cosines −0.8, −0.6, 0.
  EXPECT_EQ(m.pairs, 3);
  EXPECT_EQ(m.decoy_rate, 0);
}

TEST(Matching, TakesTheMeanOfThePhrases) {
  Coordinates encoder;
  const std::vector<std::string> labels = {"3 4", "1 0", "nothing known"};
  const std::vector<int8_t> interpretable = {1, 1, 1};
  // The second has an unknown phrase, which says nothing, and the third two that cancel each other.
  const Subjects subjects{
      {{"a", {"1 0", "0 1"}, true}, {"b", {"0 1", "unknown"}, true}, {"c", {"1 0", "-1 0"}, true}}, {"1 0"}};
  MatchOptions options;
  options.tau = "0.75";
  options.phrases = "mean";
  const Matches m = match_labels(encoder, labels, interpretable, subjects, options);
  const double half = std::sqrt(0.5);
  const double expected[] = {1.4 * half, 0.8, 0, half, 0, 0, 0, 0, 0};
  for (std::size_t i = 0; i < 9; ++i) EXPECT_NEAR(m.similarity[i], expected[i], 1e-6);
  EXPECT_EQ(m.phrases, "mean");
  EXPECT_EQ(m.of(0), std::vector<int64_t>{0});
  EXPECT_EQ(m.decoy_rate, 1.0 / 3);
}

TEST(Matching, TauAtTheCosineItselfMatches) {
  Coordinates encoder;
  const std::vector<std::string> labels = {"1 0"};
  const std::vector<int8_t> interpretable = {1};
  MatchOptions options;
  options.tau = "1";
  EXPECT_EQ(match_labels(encoder, labels, interpretable, two_subjects(), options).of(0).size(), 1U);
}

TEST(Matching, AutoLetsFivePercentOfDecoyPairsMatch) {
  Scattered encoder;
  std::vector<std::string> labels;
  Subjects subjects = two_subjects();
  subjects.decoys.clear();
  for (int i = 0; i < 60; ++i) labels.push_back("label " + std::to_string(i));
  for (int i = 0; i < 40; ++i) subjects.decoys.push_back("decoy " + std::to_string(i));
  const std::vector<int8_t> interpretable(60, 1);
  const Matches m = match_labels(encoder, labels, interpretable, subjects, {});
  EXPECT_TRUE(m.tau_auto);
  EXPECT_EQ(m.pairs, 2400);
  EXPECT_NEAR(m.decoy_rate, 0.05, 1e-9);
  ASSERT_EQ(m.sweep.tau.size(), 14U);  // on to 0.1 beyond tau
  EXPECT_DOUBLE_EQ(m.sweep.tau.front(), 0.1);
  EXPECT_DOUBLE_EQ(m.sweep.tau.back(), 0.75);
  for (std::size_t t = 0; t < m.sweep.tau.size(); ++t) {
    if (t > 0) {
      EXPECT_LE(m.sweep.decoy_rate[t], m.sweep.decoy_rate[t - 1]);
    }
    EXPECT_EQ(m.sweep.decoy_rate[t] >= 0.05, m.sweep.tau[t] <= m.tau);
    for (int64_t c = 0; c < 2; ++c) {
      EXPECT_EQ(m.sweep.matched[t * 2 + static_cast<std::size_t>(c)],
                static_cast<int64_t>(m.of(c, m.sweep.tau[t], interpretable).size()));
    }
  }
}

TEST(Matching, TheSweepGoesPastTheTauThatIsUsed) {
  Coordinates encoder;
  const std::vector<std::string> labels = {"1 0"};
  const std::vector<int8_t> interpretable = {1};
  const auto ends = [&](const char* tau) {
    MatchOptions options;
    options.tau = tau;
    const auto sweep = match_labels(encoder, labels, interpretable, two_subjects(), options).sweep;
    return std::pair(sweep.tau.front(), sweep.tau.back());
  };
  EXPECT_EQ(ends("0.3"), std::pair(0.1, 0.6));
  EXPECT_EQ(ends("0.55"), std::pair(0.1, 0.65));
  EXPECT_EQ(ends("0.72"), std::pair(0.1, 0.85));
  EXPECT_EQ(ends("0.98"), std::pair(0.1, 1.0));
  EXPECT_EQ(ends("0.12"), std::pair(0.0, 0.6));
}

TEST(Matching, AutoNeverLetsMoreMatchWhereCosinesAreTied) {
  Coordinates encoder;
  const std::vector<std::string> labels(30, "1 0");
  const std::vector<int8_t> interpretable(30, 1);
  Subjects subjects = two_subjects();
  subjects.decoys = {"1 0", "0 1"};  // half of the pairs have cosine 1
  const Matches m = match_labels(encoder, labels, interpretable, subjects, {});
  EXPECT_EQ(m.decoy_rate, 0);
  EXPECT_GT(m.tau, 1);
}

TEST(Matching, WithoutInterpretableLabelsTheRateIsOverAllLabels) {
  Coordinates encoder;
  const std::vector<std::string> labels = {"1 0", "", "0 1"};
  const std::vector<int8_t> interpretable = {0, 0, 0};
  const Matches m = match_labels(encoder, labels, interpretable, two_subjects(), {});
  EXPECT_EQ(m.pairs, 2);
  EXPECT_TRUE(m.of(0).empty());
}

TEST(Matching, NoLabelsAtAllIsNoError) {
  Coordinates encoder;
  const Matches none = match_labels(encoder, {}, {}, two_subjects(), {});
  EXPECT_EQ(none.latents, 0);
  const std::vector<std::string> labels = {"", ""};
  const std::vector<int8_t> interpretable = {0, 0};
  const Matches dead = match_labels(encoder, labels, interpretable, two_subjects(), {});
  EXPECT_TRUE(dead.of(0).empty());
  EXPECT_TRUE(std::isnan(dead.decoy_rate));
}

Exit code_of(const MatchOptions& options, const Subjects& subjects) {
  Coordinates encoder;
  const std::vector<std::string> labels = {"1 0"};
  const std::vector<int8_t> interpretable = {1};
  try {
    match_labels(encoder, labels, interpretable, subjects, options);
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("match.tau"), std::string::npos);
    return error.code();
  }
  return Exit::done;
}

TEST(Matching, RefusesATauThatIsNone) {
  for (const char* tau : {"", "high", "0.3x", "1.1", "-1", "nan", "0,3"}) {
    MatchOptions options;
    options.tau = tau;
    EXPECT_EQ(code_of(options, two_subjects()), Exit::usage) << tau;
  }
}

TEST(Matching, AutoNeedsDecoysThatAreKnown) {
  Subjects subjects = two_subjects();
  subjects.decoys = {"unknown"};
  EXPECT_EQ(code_of({}, subjects), Exit::data);
  subjects.decoys.clear();
  EXPECT_EQ(code_of({}, subjects), Exit::data);
  MatchOptions given;
  given.tau = "0.3";
  EXPECT_EQ(code_of(given, subjects), Exit::done);
}

TEST(Matching, LexicalEncoderPutsLabelsWhereTheyBelong) {
  const corpus::Probes probes = testing::make_probes(240);
  const Subjects subjects = testing::make_subjects();
  MatchOptions options;
  const auto device = device::make_host_device(1);
  const auto encoder = make_encoder(options, probes, subjects, 1, 1, *device);
  const std::vector<std::string> labels = {"membrane, gene", "statute, jury", "matrix, proof",
                                           "glossary, look"};
  const std::vector<int8_t> interpretable(4, 1);
  options.tau = "0.45";
  const Matches m = match_labels(*encoder, labels, interpretable, subjects, options);
  for (int64_t c = 0; c < 3; ++c) EXPECT_EQ(m.of(c), std::vector<int64_t>{c});
  options.encoder = "no such folder";
  EXPECT_THROW(make_encoder(options, probes, subjects, 1, 1, *device), Error);
}

}  // namespace
}  // namespace incipit::match
