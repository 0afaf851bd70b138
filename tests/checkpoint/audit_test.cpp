#include "checkpoint/audit.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "random.hpp"
#include "store/hash.hpp"

namespace incipit::checkpoint {
namespace {

using Steps = std::vector<int64_t>;

Steps pythia_steps(int64_t last = 143000) {
  Steps steps{0};
  for (int64_t step = 1; step <= 512; step *= 2) steps.push_back(step);
  for (int64_t step = 1000; step <= last; step += 1000) steps.push_back(step);
  return steps;
}

/// Six matrices and two vectors in two files. A random walk on top of a drift that is slow at first (warm-up)
/// and comes to rest.
class Training {
 public:
  static constexpr int matrices = 6, width = 48;

  [[nodiscard]] Fingerprint at(int64_t step, double drift = 1, double noise = 1) const {
    Fingerprint print;
    print.files = {{"model-00001-of-00002.safetensors", "", 0}, {"model-00002-of-00002.safetensors", "", 0}};
    for (int m = 0; m < matrices; ++m) {
      TensorPrint tensor{"matrix" + std::to_string(m), m / 3, true, true, width, "", 0, 0, {}};
      for (int k = 0; k < width; ++k) tensor.samples.push_back(value(m, k, step, drift, noise));
      print.tensors.push_back(std::move(tensor));
    }
    for (int v = 0; v < 2; ++v) {
      TensorPrint tensor{"vector" + std::to_string(v), v, true, false, width, "", 0, 0, {}};
      for (int k = 0; k < width; ++k)
        tensor.samples.push_back(step == 0 ? 1.0F : 1.0F + value(9, k, step, drift, noise));
      print.tensors.push_back(std::move(tensor));
    }
    for (TensorPrint& tensor : print.tensors) finish(tensor);
    return print;
  }

  static void finish(TensorPrint& tensor) {
    tensor.sha256 = store::sha256(std::string_view(reinterpret_cast<const char*>(tensor.samples.data()),
                                                   tensor.samples.size() * sizeof(float)));
    double squares = 0;
    for (const float v : tensor.samples) squares += static_cast<double>(v) * static_cast<double>(v);
    tensor.norm = std::sqrt(squares);
  }

 private:
  static float value(int m, int k, int64_t step, double drift, double noise) {
    const auto index = static_cast<uint64_t>(m * width + k);
    Random start(1, Purpose::test, index);
    const double x0 = start.normal(), direction = start.normal();
    const double progress = 1 - std::exp(-std::pow(static_cast<double>(step) / 20000, 1.3));
    // Brownian motion by the first terms of its expansion (Karhunen and Loève), on [0, 150000].
    constexpr double pi = 3.14159265358979323846;
    double walk = 0;
    for (int n = 0; n < 32; ++n) {
      const double frequency = (n + 0.5) * pi;
      walk += start.normal() * std::sin(frequency * static_cast<double>(step) / 150000) / frequency;
    }
    return static_cast<float>(x0 + drift * 2 * direction * progress + noise * walk);
  }
};

std::vector<LadderStep> ladder_of(const Steps& steps, double drift = 1, double noise = 1) {
  std::vector<LadderStep> ladder;
  for (const int64_t step : steps) ladder.push_back({step, Training().at(step, drift, noise), {}});
  return ladder;
}

/// Pythia's steps, made once.
std::vector<LadderStep> pythia_ladder() {
  static const std::vector<LadderStep> ladder = ladder_of(pythia_steps());
  return ladder;
}

LadderStep& at(std::vector<LadderStep>& ladder, int64_t step) {
  return *std::ranges::find(ladder, step, &LadderStep::step);
}

std::map<int64_t, std::string> faults(const std::vector<LadderStep>& ladder) {
  std::map<int64_t, std::string> found;
  for (const Verdict& verdict : audit_ladder(ladder))
    if (!verdict.ok()) found[verdict.step] = verdict.status;
  return found;
}

using Faults = std::map<int64_t, std::string>;

TEST(Audit, FindsNothingInGenuineLadders) {
  EXPECT_EQ(faults(pythia_ladder()), Faults{});
  EXPECT_EQ(faults(ladder_of(pythia_steps(), 1, 0.01)), Faults{});  // drift alone
  EXPECT_EQ(faults(ladder_of(pythia_steps(), 0, 1)), Faults{});     // noise alone
  EXPECT_EQ(faults(ladder_of({0, 143000})), Faults{});
  EXPECT_EQ(faults(ladder_of({0, 100000, 101000})), Faults{});
  EXPECT_EQ(faults(ladder_of({4000})), Faults{});
  EXPECT_EQ(faults({}), Faults{});
}

TEST(Audit, FindsNothingWhereStepsHaveNothingToDoWithEachOther) {
  std::vector<LadderStep> ladder;
  for (int64_t step = 0; step < 6; ++step) {
    Fingerprint print = Training().at(0);
    for (std::size_t t = 0; t < print.tensors.size(); ++t) {
      Random random(7, Purpose::test, static_cast<uint64_t>(step) * 100 + t);
      for (float& v : print.tensors[t].samples) v = static_cast<float>(random.normal());
      Training::finish(print.tensors[t]);
    }
    ladder.push_back({step * 1000, std::move(print), {}});
  }
  EXPECT_EQ(faults(ladder), Faults{});
}

TEST(Audit, NamesEqualFirstSteps) {
  auto ladder = pythia_ladder();
  at(ladder, 1).print = at(ladder, 2).print = at(ladder, 0).print;
  EXPECT_EQ(faults(ladder), (Faults{{1, "duplicate of step0"}, {2, "duplicate of step0"}}));
}

TEST(Audit, TrainedWeightsAreNotThoseOfStepZero) {
  auto ladder = pythia_ladder();
  at(ladder, 0).print = at(ladder, 1).print = at(ladder, 2).print;
  const auto found = faults(ladder);
  EXPECT_EQ(found.size(), 2U);
  EXPECT_TRUE(found.contains(0));
  auto two = ladder_of({0, 4000});
  two[0].print = two[1].print;
  EXPECT_EQ(faults(two), (Faults{{0, "duplicate of step4000"}}));
  two = ladder_of({0, 4000});
  two[1].print = two[0].print;
  EXPECT_EQ(faults(two), (Faults{{4000, "duplicate of step0"}}));
}

TEST(Audit, NamesALateCheckpointUnderAnEarlyName) {
  for (const int64_t early : {0, 1, 64, 512, 3000, 20000}) {
    auto ladder = pythia_ladder();
    at(ladder, early).print = at(ladder, 120000).print;
    EXPECT_EQ(faults(ladder), (Faults{{early, "duplicate of step120000"}})) << early;
  }
}

TEST(Audit, SeesThatWithoutTheTwin) {
  for (const int64_t early : {0, 1, 64, 512, 3000, 20000}) {
    auto ladder = pythia_ladder();
    at(ladder, early).print = Training().at(120500);
    EXPECT_EQ(faults(ladder), (Faults{{early, "out of line"}})) << early;
  }
  const Steps nano{0, 16, 64, 128, 256, 512, 1000, 2000, 3000, 4000};
  for (const int64_t early : {0, 16, 128, 512}) {
    auto ladder = ladder_of(nano, 20);
    at(ladder, early).print = Training().at(3500, 20);
    EXPECT_EQ(faults(ladder), (Faults{{early, "out of line"}})) << early;
  }
}

TEST(Audit, SeesUntrainedWeightsUnderALateName) {
  auto ladder = pythia_ladder();
  at(ladder, 90000).print = Training().at(3);
  EXPECT_EQ(faults(ladder), (Faults{{90000, "out of line"}}));
}

TEST(Audit, SeesWeightsOfAnotherNormBesideAnotherFault) {
  auto ladder = pythia_ladder();
  at(ladder, 64).print = Training().at(120500);
  for (const float factor : {2.0F, 1e6F}) {
    at(ladder, 30000).print = Training().at(30000);
    for (TensorPrint& tensor : at(ladder, 30000).print.tensors) {
      for (float& v : tensor.samples) v *= factor;
      Training::finish(tensor);
    }
    EXPECT_EQ(faults(ladder), (Faults{{64, "out of line"}, {30000, "out of line"}})) << factor;
  }
}

TEST(Audit, NamesAForeignShard) {
  auto ladder = pythia_ladder();
  const auto& last = at(ladder, 143000).print;
  for (const int64_t step : {50000, 58000})
    for (std::size_t t = 0; t < last.tensors.size(); ++t)
      if (last.tensors[t].file == 0) at(ladder, step).print.tensors[t] = last.tensors[t];
  EXPECT_EQ(faults(ladder), (Faults{{50000, "shard 1 of step143000"}, {58000, "shard 1 of step143000"}}));
}

TEST(Audit, SeesAForeignShardWithoutTheTwin) {
  auto ladder = pythia_ladder();
  const auto late = Training().at(120500);
  for (std::size_t t = 0; t < late.tensors.size(); ++t)
    if (late.tensors[t].file == 1) at(ladder, 2000).print.tensors[t] = late.tensors[t];
  EXPECT_EQ(faults(ladder), (Faults{{2000, "out of line"}}));
}

TEST(Audit, NamesSingleForeignMatrices) {
  auto ladder = pythia_ladder();
  at(ladder, 30000).print.tensors[4] = at(ladder, 90000).print.tensors[4];
  EXPECT_EQ(faults(ladder), (Faults{{30000, "1 of 6 matrices of step90000"}}));
}

TEST(Audit, KeepsTheRightOneWhenMostStepsHoldTheLast) {
  auto ladder = pythia_ladder();
  const Fingerprint last = at(ladder, 143000).print;
  Faults expected;
  for (std::size_t i = 0; i < ladder.size() - 1; ++i) {
    if (i % 9 >= 5) continue;  // step 0 among the others
    ladder[i].print = last;
    expected[ladder[i].step] = "duplicate of step143000";
  }
  EXPECT_EQ(expected.size(), 85U);
  EXPECT_EQ(faults(ladder), expected);
}

TEST(Audit, TellsTheLastTwoApartByTime) {
  auto ladder = pythia_ladder();
  at(ladder, 142000).print = at(ladder, 143000).print;
  EXPECT_EQ(faults(ladder), (Faults{{142000, "duplicate of step143000"}}));
  ladder = pythia_ladder();
  at(ladder, 143000).print = at(ladder, 142000).print;
  EXPECT_EQ(faults(ladder), (Faults{{143000, "duplicate of step142000"}}));
}

TEST(Audit, PassesOverFrozenMatrices) {
  auto ladder = ladder_of(pythia_steps(5000));
  for (LadderStep& step : ladder) step.print.tensors[0] = ladder.front().print.tensors[0];
  EXPECT_EQ(faults(ladder), Faults{});
}

TEST(Audit, NamesWhatIsNotFinite) {
  auto ladder = ladder_of(pythia_steps(5000));
  TensorPrint& tensor = at(ladder, 3000).print.tensors[2];
  tensor.nonfinite = 7;
  tensor.samples[3] = std::numeric_limits<float>::quiet_NaN();
  const auto verdicts = audit_ladder(ladder);
  for (const Verdict& verdict : verdicts) {
    EXPECT_EQ(verdict.ok(), verdict.step != 3000);
    if (verdict.ok()) continue;
    EXPECT_EQ(verdict.status, "not finite");
    EXPECT_EQ(verdict.nonfinite, 7);
    EXPECT_NE(verdict.reason.find("7 of 48 elements of matrix2 in model-00001"), std::string::npos)
        << verdict.reason;
  }
}

TEST(Audit, GoesOnPastWhatCannotBeRead) {
  auto ladder = ladder_of(pythia_steps(5000));
  at(ladder, 3000) = {3000, {}, "model.safetensors: truncated"};
  at(ladder, 64).print = at(ladder, 4000).print;
  EXPECT_EQ(faults(ladder), (Faults{{64, "duplicate of step4000"}, {3000, "unreadable"}}));
  EXPECT_TRUE(std::isnan(audit_ladder(ladder).back().cosine_after));
}

TEST(Audit, GivesNormsAndCosines) {
  const auto verdicts = audit_ladder(ladder_of({0, 1000, 143000}));
  EXPECT_TRUE(std::isnan(verdicts[0].cosine_before));
  EXPECT_GT(verdicts[0].cosine_after, 0.8);
  EXPECT_DOUBLE_EQ(verdicts[1].cosine_before, verdicts[0].cosine_after);
  EXPECT_LT(verdicts[2].cosine_first, verdicts[1].cosine_first);
  EXPECT_GT(verdicts[2].norm, verdicts[0].norm);
}

TEST(MissingSteps, AreThoseOfAPatternKeptNearlyEverywhere) {
  Steps steps = pythia_steps();
  EXPECT_TRUE(missing_steps(std::vector<ModelSteps>{{"a", steps}}).empty());
  std::erase(steps, 58000);
  std::erase(steps, 4);
  const auto missing = missing_steps(std::vector<ModelSteps>{{"a", steps}});
  ASSERT_EQ(missing.size(), 2U);
  EXPECT_EQ(missing[0].step, 4);
  EXPECT_EQ(missing[1].step, 58000);
  EXPECT_NE(missing[1].reason.find("152 of 154"), std::string::npos) << missing[1].reason;
}

TEST(MissingSteps, AreNotThoseLeftOutOnPurpose) {
  const Steps nano{0, 16, 64, 128, 256, 512, 1000, 2000, 3000, 4000};
  EXPECT_TRUE(missing_steps(std::vector<ModelSteps>{{"small", {4000}}, {"large", nano}}).empty());
  EXPECT_TRUE(missing_steps(std::vector<ModelSteps>{}).empty());
}

TEST(MissingSteps, AreThoseThatMostOthersHave) {
  const std::vector<ModelSteps> family{
      {"a", {0, 10, 300}}, {"b", {0, 10, 300}}, {"c", {0, 10, 20, 300}}, {"d", {0, 7, 300}}};
  const auto missing = missing_steps(family);
  ASSERT_EQ(missing.size(), 1U);
  EXPECT_EQ(missing[0].model, "d");
  EXPECT_EQ(missing[0].step, 10);
  EXPECT_EQ(missing[0].reason, "3 of the 3 other models have it");
}

}  // namespace
}  // namespace incipit::checkpoint
