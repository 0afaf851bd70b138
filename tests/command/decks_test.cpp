#include <cstdlib>

#include "../checkpoint/pythia.hpp"
#include "../support.hpp"
#include "command/study.hpp"
#include "deck/deck.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;
using checkpoint::pythias;

const fs::path inputs = fs::path(INCIPIT_SOURCE_DIR) / "inputs";

/// A cache with all of Pythia-12B's steps and the last of the others; the tokenizer is the nano family's.
class PythiaDecks : public test::FolderTest {
 protected:
  PythiaDecks() {
    setenv("HF_HUB_CACHE", folder_.c_str(), 1);
    for (const auto& pythia : pythias) add(pythia, 143000);
    add(pythias.back(), 0);
    for (std::int64_t step = 1; step <= 512; step *= 2) add(pythias.back(), step);
    for (std::int64_t step = 1000; step < 143000; step += 1000) add(pythias.back(), step);
  }
  ~PythiaDecks() override { unsetenv("HF_HUB_CACHE"); }

  void add(const checkpoint::Pythia& pythia, std::int64_t step) const {
    const fs::path snapshot = checkpoint::add_to_cache(folder_, pythia, step);
    fs::create_symlink(inputs / "nano/tokenizer.json", snapshot / "tokenizer.json");
  }
  static Study study(const std::string& name, const std::vector<std::string>& overrides = {}) {
    return resolve(deck::load(inputs / (name + ".ini"), overrides), Scope::curves);
  }
};

TEST_F(PythiaDecks, AllTakesTheTimeOfEachAndTheScale) {
  const Study all = study("pythia-all");
  EXPECT_EQ(all.checkpoints.size(), 154u + 9u);  // all that lie in this cache
  ASSERT_EQ(all.anchors.size(), 10u);
  EXPECT_EQ(all.anchors.front().curves.size(), 2u);
  EXPECT_EQ(all.anchors.front().curves.front().points.size(), 154u);
  EXPECT_EQ(all.anchors.front().curves.back().points.size(), 10u);
}

TEST_F(PythiaDecks, TimeTakes25StepsOf154) {
  const Study few = study("pythia-time");
  EXPECT_EQ(few.checkpoints.size(), 25u);
  const Curve& curve = few.anchors.at(0).curves.at(0);
  EXPECT_EQ(curve.points.front().step, 0);
  EXPECT_EQ(curve.points.back(), (Site{0, 143000, 36}));
  EXPECT_EQ(study("pythia-time-all").checkpoints.size(), 154u);
}

TEST_F(PythiaDecks, SpaceFollowsAllLayersOrThoseAskedFor) {
  const Study all = study("pythia-space");
  ASSERT_EQ(all.checkpoints.size(), 1u);
  EXPECT_EQ(all.anchors.at(0).site, (Site{0, 143000, 0}));
  EXPECT_EQ(all.anchors.at(0).curves.at(0).points.size(), 37u);
  const Study some = study("pythia-space", {"--extract.layers=0,5,15,25,36"});
  EXPECT_EQ(some.checkpoints.at(0).layers, (std::vector<int>{0, 5, 15, 25, 36}));
  ASSERT_EQ(some.anchors.at(0).curves.at(0).points.size(), 5u);
  EXPECT_EQ(some.anchors.at(0).curves.at(0).points.at(2), (Site{0, 143000, 15}));
}

TEST_F(PythiaDecks, ScaleGoesThroughAllTen) {
  const Study scale = study("pythia-scale");
  const Curve& curve = scale.anchors.at(0).curves.at(0);
  ASSERT_EQ(curve.points.size(), 10u);
  for (std::size_t i = 0; i < 10; ++i) {
    EXPECT_EQ(scale.model(curve.points[i]).name, pythias.at(i).name);
    EXPECT_EQ(curve.points[i].layer, pythias.at(i).layers);
  }
  EXPECT_EQ(scale.anchors.at(0).site, (Site{9, 143000, 36}));
}

/// The first experiments as the README gives them.
TEST_F(PythiaDecks, TakeTheOverridesOfTheReadme) {
  const std::string four = "--probes.subjects=physics,biology,history,economics";
  EXPECT_EQ(study("pythia-time", {four}).probes.subjects.size(), 4u);
  EXPECT_EQ(study("pythia-scale", {four}).checkpoints.size(), 10u);
}

/// Losses are of every step of every model, whatever the anchors follow.
TEST(NanoDeck, ALadderHasEveryCheckpointAndNoAnchor) {
  const deck::Deck deck = deck::load(inputs / "nano.ini", {});
  const Study study = resolve(deck, Scope::ladder);
  EXPECT_TRUE(study.anchors.empty());
  std::size_t at = 0;
  for (const auto& model : study.family.models) {
    for (const auto& step : model.steps) {
      const Checkpoint& checkpoint = study.checkpoints.at(at++);
      EXPECT_EQ(study.family.models[static_cast<std::size_t>(checkpoint.model)].name, model.name);
      EXPECT_EQ(checkpoint.step, step.step);
      EXPECT_EQ(checkpoint.folder, step.folder);
      EXPECT_EQ(checkpoint.layers, std::vector<int>{static_cast<int>(model.config.layers)});
    }
  }
  EXPECT_EQ(study.checkpoints.size(), at);
  EXPECT_EQ(at, 14u);
}

}  // namespace
}  // namespace incipit::command
