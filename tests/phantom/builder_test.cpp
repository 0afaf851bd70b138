#include "phantom/builder.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "../support.hpp"
#include "checkpoint/weights.hpp"
#include "checkpoint/write_checkpoint.hpp"
#include "corpus/packs.hpp"
#include "device/host/host_device.hpp"
#include "index.hpp"
#include "model/neox.hpp"
#include "small.hpp"

namespace incipit::phantom {
namespace {

/// Of components up to 24 in a stream of norm 60, in fp32 through units of steepness 10 to 100.
constexpr double rounding = 5e-3;

using Rows = std::vector<Direction>;  ///< [probe] of d

class BuilderTest : public test::FolderTest {
 protected:
  BuilderTest()
      : plan_(draw_plan(small(5))), texts_(write_texts(plan_.options)), codes_(draw_codes(plan_.options)) {}

  /// What the forward pass of a checkpoint, read back from its files, makes of all probes: [layer][probe].
  std::vector<Rows> residuals(Builder& builder, std::size_t step) {
    checkpoint::write_checkpoint(folder_ / "step", builder.config(), builder.step(step));
    const auto config = checkpoint::read_config(folder_ / "step" / "config.json");
    EXPECT_EQ(config.mlp, builder.config().mlp);
    const auto weights = checkpoint::Weights::open(folder_ / "step");
    const auto device = device::make_host_device(1);
    const auto tokenizer = corpus::Tokenizer::load(write("tokenizer.json", tokenizer_json(texts_)));
    corpus::Tokenized tokenized;
    for (const Texts::Probe& probe : texts_.probe) tokenized.tokens.push_back(tokenizer.encode(probe.text));
    const auto packs = corpus::make_packs(tokenized, 1 << 20);
    std::vector<int> layers;
    for (int l = 0; l <= config.layers; ++l) layers.push_back(l);
    std::vector<Rows> found(layers.size(), Rows(texts_.probe.size()));
    model::Neox(*device, weights, config).run(packs, layers, [&](int layer, std::span<const float> rows) {
      for (std::size_t i = 0; i < packs.front().probes.size(); ++i)
        found[at(layer)][at(packs.front().probes[i])].assign(rows.begin() + at(config.d) * i,
                                                             rows.begin() + at(config.d) * (i + 1));
    });
    return found;
  }

  /// What the plan says a probe holds beyond its embedding, as science has it and not as the builder does.
  Direction planned(const Frame& frame, std::size_t model, std::size_t step, int64_t layer,
                    const Texts::Probe& probe) const {
    Direction x(at(frame.d), 0.0);
    const auto add = [&](double factor, const Direction& y) {
      for (std::size_t i = 0; i < x.size(); ++i) x[i] += factor * y[i];
    };
    for (std::size_t c = 0; c < plan_.subject.size(); ++c)
      if (plan_.state(model, step, layer, c) == State::rescaled) add(-amplitude::concept_, frame.concept_[c]);
    const std::size_t c = at(probe.subject);
    const State state = plan_.state(model, step, layer, c);
    if (probe.term >= plan_.known(model, step, c) || state == State::absent) return x;
    add(amplitude::concept_, state == State::turned ? frame.turned[c] : frame.concept_[c]);
    const double nuisance = state == State::outvoted ? amplitude::nuisance_loud : amplitude::nuisance_known;
    add(nuisance - amplitude::nuisance, frame.nuisance[at(nuisance_of(plan_.options, c, at(probe.term)))]);
    return x;
  }

  Plan plan_;
  Texts texts_;
  std::vector<std::vector<double>> codes_;
};

double largest(const Direction& x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v));
  return most;
}

Direction difference(const Direction& a, const Direction& b) {
  Direction x(a);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] -= b[i];
  return x;
}

TEST_F(BuilderTest, TheStreamHoldsWhatWasPlantedAtEveryLayerAndStep) {
  std::size_t transitions = 0;
  double most_carried = 0;
  for (std::size_t model = 0; model < plan_.model.size(); ++model) {
    Builder builder(plan_, texts_, codes_, model);
    for (std::size_t step = 0; step < plan_.step.size(); ++step) {
      const auto found = residuals(builder, step);
      for (std::size_t i = 0; i < texts_.probe.size(); ++i) {
        const auto at_layer = [&](std::size_t l) {
          return planned(builder.frame(), model, step, static_cast<int64_t>(l), texts_.probe[i]);
        };
        // Attention brings its noise in the first block; behind it nothing comes but what was planted.
        for (std::size_t l = 2; l < found.size(); ++l) {
          const Direction change = difference(at_layer(l), at_layer(l - 1));
          transitions += largest(change) > 1 ? 1 : 0;
          EXPECT_LT(largest(difference(difference(found[l][i], found[l - 1][i]), change)), rounding)
              << texts_.probe[i].id << " step " << plan_.step[step] << " layer " << l;
        }
        const Direction carried =
            difference(difference(found[1][i], found[0][i]), difference(at_layer(1), at_layer(0)));
        const Direction embedding = difference(found[0][i], at_layer(0));
        for (std::size_t c = 0; c < plan_.subject.size(); ++c) {
          if (!plan_.subject[c].exists) continue;
          EXPECT_LT(std::abs(dot(carried, builder.frame().concept_[c])), amplitude::carried + rounding);
          EXPECT_LT(std::abs(dot(embedding, builder.frame().concept_[c])), amplitude::noise + rounding);
        }
        most_carried = std::max(most_carried, largest(carried));
      }
    }
  }
  EXPECT_GT(transitions, 100U);
  EXPECT_GT(most_carried, 0.2);
}

TEST_F(BuilderTest, CodesCanBeToldApart) {
  for (std::size_t a = 0; a < codes_.size(); ++a)
    for (std::size_t b = 0; b <= a; ++b) {
      if (a == b) {
        EXPECT_NEAR(dot(codes_[a], codes_[b]), 1, 1e-12);
      } else {
        EXPECT_LE(dot(codes_[a], codes_[b]), most_alike);
      }
    }
}

TEST_F(BuilderTest, FramesAreOrthonormalAndFixOnes) {
  const Frame frame = draw_frame(plan_, 1);
  Rows all{frame.constant, Direction(at(frame.d), 1 / std::sqrt(static_cast<double>(frame.d)))};
  for (const auto* some :
       {&frame.code, &frame.nuisance, &frame.filler, &frame.concept_, &frame.turned, &frame.spare})
    for (const Direction& x : *some)
      if (!x.empty()) all.push_back(x);
  EXPECT_EQ(std::ssize(all), frame.d);
  for (std::size_t a = 0; a < all.size(); ++a)
    for (std::size_t b = 0; b <= a; ++b) EXPECT_NEAR(dot(all[a], all[b]), a == b ? 1 : 0, 1e-12);
}

}  // namespace
}  // namespace incipit::phantom
