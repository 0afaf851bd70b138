#include "command/study.hpp"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace incipit::command
