#include "command/ledger.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "../support.hpp"
#include "deck/deck.hpp"

namespace incipit::command {
namespace {

using deck::Stage;

const std::filesystem::path inputs = std::filesystem::path(INCIPIT_SOURCE_DIR) / "inputs";

/// What a deck of the bundled family asks for. The ledger refers to the study.
struct Planned {
  Planned(Scope scope, const std::vector<std::string>& overrides)
      : deck(deck::load(inputs / "nano.ini", overrides)), study(resolve(deck, scope)) {
    if (scope == Scope::curves) plan_trails(study, deck);
    for (const auto& file : input_files(deck, study)) hashes[file.string()] = "of " + file.string();
  }
  [[nodiscard]] Ledger ledger() const { return {deck, study, hashes, "host"}; }

  deck::Deck deck;
  Study study;
  std::map<std::string, std::string> hashes;
};

std::vector<std::string> fingerprints(const std::vector<const Unit*>& units) {
  std::vector<std::string> out;
  for (const auto* unit : units) out.push_back(unit->path.string() + " " + unit->fingerprint);
  return out;
}

TEST(Ledger, LossesAreAskedForAndChangeTheCurvesAlone) {
  const Planned without(Scope::curves, {}), with(Scope::curves, {"--extract.loss=yes"});
  const Ledger before = without.ledger(), after = with.ledger();
  EXPECT_TRUE(before.of(Stage::loss).empty());
  EXPECT_FALSE(after.of(Stage::loss).empty());
  for (const auto stage : {Stage::extract, Stage::train, Stage::interpret, Stage::match, Stage::align})
    EXPECT_EQ(fingerprints(after.of(stage)), fingerprints(before.of(stage))) << name_of(stage);
  EXPECT_NE(after.emergence().fingerprint, before.emergence().fingerprint);
  EXPECT_EQ(deck::differing_keys(before.emergence().keys, after.emergence().keys),
            std::vector<std::string>{"extract.loss"});
}

TEST(Ledger, LossesOfCurvesAreAmongThoseOfTheLadder) {
  const Planned curves(Scope::curves, {"--extract.loss=yes", "--controls.random_weights=curves"}),
      ladder(Scope::ladder, {});
  const Ledger some = curves.ledger(), all = ladder.ledger();
  const auto found = fingerprints(some.of(Stage::loss)), there = fingerprints(all.of(Stage::loss));
  for (const auto& unit : found) EXPECT_NE(std::ranges::find(there, unit), there.end()) << unit;
  // One for each checkpoint that training made, in the study's order; those with random weights come behind.
  const auto& checkpoints = curves.study.checkpoints;
  ASSERT_LT(found.size(), checkpoints.size());
  for (std::size_t c = 0; c < checkpoints.size(); ++c) {
    ASSERT_EQ(checkpoints[c].random(), c >= found.size());
    if (checkpoints[c].random()) continue;
    const Site site{checkpoints[c].model, checkpoints[c].step, 0};
    EXPECT_EQ(&some.loss(site), &some.loss(c));
    EXPECT_EQ(some.loss(c).path.filename(), checkpoints[c].name() + ".h5");
  }
}

}  // namespace
}  // namespace incipit::command
