#include "command/study.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "error.hpp"

namespace incipit::command {
namespace {

TEST(ResolveLayer, LastNumberAndFraction) {
  EXPECT_EQ(resolve_layer("last", 6, "anchor.a"), 6);
  EXPECT_EQ(resolve_layer("0", 6, "anchor.a"), 0);
  EXPECT_EQ(resolve_layer("6", 6, "anchor.a"), 6);
  EXPECT_EQ(resolve_layer("0.5", 6, "anchor.a"), 3);
  EXPECT_EQ(resolve_layer("0.5", 5, "anchor.a"), 3);   // half is rounded up
  EXPECT_EQ(resolve_layer("0.25", 6, "anchor.a"), 2);  // 1.5
  EXPECT_EQ(resolve_layer("0.1", 6, "anchor.a"), 1);   // 0.6
}

TEST(ResolveLayer, BeyondTheDepthIsAUsageErrorThatNamesTheRange) {
  try {
    resolve_layer("7", 6, "anchor.a");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_NE(std::string(error.what()).find("anchor.a.layer = 7"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("to 6"), std::string::npos);
  }
}

TEST(SitesOf, EachSiteOnceInOrderOfAppearance) {
  const Anchor anchor{
      "a", {0, 5, 1}, {{"time", {{0, 1, 1}, {0, 5, 1}}}, {"space", {{0, 5, 0}, {0, 5, 1}, {0, 5, 2}}}}};
  const std::vector<Site> expected{{0, 1, 1}, {0, 5, 1}, {0, 5, 0}, {0, 5, 2}};
  EXPECT_EQ(sites_of(anchor), expected);
}

TEST(LeaveOut, TakesTheCheckpointAndLeavesAGapOnTheCurves) {
  Study study;
  study.checkpoints = {{0, 1, "a", {1}, false}, {0, 5, "b", {0, 1}, true}, {1, 1, "c", {1}, false}};
  study.anchors = {{"a", {0, 5, 1}, {{"time", {{0, 1, 1}, {0, 5, 1}}}, {"scale", {{1, 1, 1}, {0, 5, 1}}}}}};
  leave_out(study, {{0, 1}});
  ASSERT_EQ(study.checkpoints.size(), 2U);
  EXPECT_EQ(study.checkpoints[0].step, 5);
  EXPECT_EQ(study.checkpoints[1].model, 1);
  const Anchor& anchor = study.anchors.front();
  EXPECT_EQ(anchor.curves[0].points.size(), 2U);
  EXPECT_EQ(anchor.left_out, (std::vector<Site>{{0, 1, 1}}));
  EXPECT_EQ(sites_of(anchor), (std::vector<Site>{{0, 5, 1}, {1, 1, 1}}));
}

/// Two models, the larger twice as wide, with an anchor at the larger one's end.
Study two_models() {
  Study study;
  for (const auto& [name, d] : {std::pair("small", 8), std::pair("large", 16)}) {
    checkpoint::Model model;
    model.name = name;
    model.config.d = d;
    model.config.layers = 2;
    for (const std::int64_t step : {0, 5, 9}) model.steps.push_back({.step = step, .folder = name});
    study.family.models.push_back(model);
  }
  const Site end{1, 9, 2};
  study.anchors = {{"a",
                    end,
                    {{"time", {{1, 0, 2}, {1, 5, 2}, end}},
                     {"space", {{1, 9, 0}, {1, 9, 1}, end}},
                     {"scale", {{0, 9, 2}, end}}}}};
  return study;
}

std::vector<std::string> names(const Study& study) {
  std::vector<std::string> out;
  for (const auto& dictionary : study.dictionaries) out.push_back(dictionary.name);
  return out;
}

const Trail& trail(const Study& study, const std::string& place, const std::string& curve) {
  const auto found = std::ranges::find_if(
      study.trails, [&](const Trail& t) { return t.place == place && t.curve.name == curve; });
  if (found == study.trails.end()) throw std::runtime_error("no trail " + place + "/" + curve);
  return *found;
}

deck::Deck without_controls() {
  deck::Deck deck;
  deck.controls.ceiling = false;
  return deck;
}

TEST(PlanTrails, WithoutControlsAnchorsAlone) {
  Study study = two_models();
  plan_trails(study, without_controls());
  EXPECT_EQ(names(study), std::vector<std::string>{"a"});
  ASSERT_EQ(study.trails.size(), 3U);
  EXPECT_TRUE(study.trails[1].of_anchor());
  EXPECT_EQ(study.trails[1].maps, std::size_t{0});
  EXPECT_EQ(study.maps.at(0).sites, sites_of(study.anchors[0]));
  EXPECT_TRUE(study.checkpoints.empty());
}

TEST(PlanTrails, TheCeilingCutsTheAnchorToEachSmallerModel) {
  Study study = two_models();
  plan_trails(study, {});  // on by default
  const auto& ceiling = trail(study, "controls/ceiling/curves", "scale");
  EXPECT_EQ(ceiling.curve.points, study.anchors[0].curves[2].points);
  EXPECT_EQ(ceiling.readings.at(0).site, (Site{1, 9, 2, 8}));
  EXPECT_EQ(ceiling.readings.at(1).site, (Site{1, 9, 2, 0}));  // as wide as itself: not cut
  EXPECT_FALSE(ceiling.maps);
}

TEST(PlanTrails, RandomWeightsTakeAModelOfEachShapeWithAllLayers) {
  Study study = two_models();
  auto deck = without_controls();
  deck.controls.random_weights = "curves";
  plan_trails(study, deck);
  EXPECT_EQ(names(study), (std::vector<std::string>{"a", "a.random_weights"}));
  ASSERT_EQ(study.checkpoints.size(), 2U);
  EXPECT_EQ(study.checkpoints[0].model, 1);  // the anchor's waits for nothing
  EXPECT_TRUE(study.checkpoints[0].anchor);
  EXPECT_EQ(study.checkpoints[0].layers, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(study.checkpoints[1].layers, (std::vector<int>{2}));
  EXPECT_FALSE(study.checkpoints[1].anchor);
  const std::string place = "controls/random_weights/curves";
  EXPECT_EQ(trail(study, place, "own").readings.at(0).dictionary, 1U);
  EXPECT_EQ(trail(study, place, "time").curve.points, (std::vector<Site>{{1, random_weights, 2}}));
  const auto& scale = trail(study, place, "scale");
  EXPECT_EQ(scale.readings.at(0).dictionary, 0U);  // the anchor's reads them
  EXPECT_EQ(scale.readings.at(0).site, (Site{0, random_weights, 2}));
  const auto& maps = study.maps.at(scale.maps.value());
  EXPECT_EQ(maps.home, study.anchors[0].site);
  EXPECT_EQ(maps.sites.size(), 4U);  // three layers of the large, one of the small
}

TEST(PlanTrails, OwnAnchorsAreMadeOncePerSiteThatIsThere) {
  Study study = two_models();
  study.anchors[0].left_out = {{1, 5, 2}};
  auto deck = without_controls();
  deck.controls.own_anchor = {"time", "scale"};
  plan_trails(study, deck);
  EXPECT_EQ(names(study),
            (std::vector<std::string>{"a", "a.own.large.step0.layer2", "a.own.small.step9.layer2"}));
  const auto& time = trail(study, "curves", "own_time");
  EXPECT_FALSE(time.of_anchor());
  EXPECT_EQ(time.readings.at(0).dictionary, 1U);
  EXPECT_EQ(time.readings.at(2).dictionary, 0U);  // at home
  EXPECT_EQ(trail(study, "curves", "own_scale").readings.at(0).dictionary, 2U);
}

TEST(PlanTrails, TheFirstStepIsTheFirstThatTheAuditLeft) {
  Study study = two_models();
  study.anchors[0].left_out = {{1, 0, 2}};
  auto deck = without_controls();
  deck.controls.first_step = true;
  plan_trails(study, deck);
  EXPECT_EQ(study.dictionaries.at(1).site, (Site{1, 5, 2}));
  const auto& first = trail(study, "controls/first_step/curves", "time");
  EXPECT_EQ(first.readings.size(), 3U);
  EXPECT_EQ(study.maps.at(first.maps.value()).sites, (std::vector<Site>{{1, 5, 2}, {1, 9, 2}}));
}

TEST(PlanTrails, FurtherSeedsShareTheAnchorsFilesAndComeLast) {
  Study study = two_models();
  auto deck = without_controls();
  deck.sae.seeds = 3;
  deck.controls.first_step = true;
  plan_trails(study, deck);
  EXPECT_EQ(names(study), (std::vector<std::string>{"a", "a.first_step", "a.seed2", "a.seed3"}));
  EXPECT_EQ(study.dictionaries[3].trained, 0U);
  EXPECT_EQ(study.dictionaries[3].seed, 2U);
  EXPECT_EQ(std::ranges::count_if(study.trails, [](const Trail& t) { return t.seed.has_value(); }), 6);
  deck.controls.seeds = false;
  Study few = two_models();
  plan_trails(few, deck);
  EXPECT_EQ(names(few), (std::vector<std::string>{"a", "a.first_step"}));
}

}  // namespace
}  // namespace incipit::command
