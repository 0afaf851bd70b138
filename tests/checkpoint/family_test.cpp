#include "checkpoint/family.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "../support.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

std::vector<int64_t> steps_of(const Model& model) {
  std::vector<int64_t> steps;
  for (const Step& step : model.steps) steps.push_back(step.step);
  return steps;
}

using Steps = std::vector<int64_t>;

class FamilyTest : public test::FolderTest {
 protected:
  FamilyTest() {
    for (const int step : {0, 8, 16, 100, 2}) checkpoint("family/wide/step" + std::to_string(step), 16);
    for (const int step : {0, 16}) checkpoint("family/narrow/step" + std::to_string(step), 8);
    checkpoint("family/another/step16", 8);
    write("family/tokenizer.json", "{}");
    write("family/README.md", "notes");
    fs::create_directories(folder_ / "family/scripts");
  }

  /// Seen to be there is enough for find_family; the weights are not opened.
  void checkpoint(const fs::path& place, int64_t d) const {
    write(place / "config.json", tiny_config_text(d));
    write(place / "model.safetensors", "");
  }
  [[nodiscard]] Family find(const std::vector<std::string>& models = {},
                            const std::string& steps = "all") const {
    return find_family({(folder_ / "family").string(), models, steps});
  }
  void refuses(Exit code, const std::vector<std::string>& parts, const FamilyOptions& options) const {
    test::expect_error(code, parts, [&] { (void)find_family(options); });
  }
  [[nodiscard]] FamilyOptions options(const std::string& steps = "all",
                                      std::vector<std::string> models = {}) const {
    return {(folder_ / "family").string(), std::move(models), steps};
  }
};

TEST_F(FamilyTest, SortsModelsBySizeAndStepsByNumber) {
  const Family family = find();
  ASSERT_EQ(family.models.size(), 3u);
  EXPECT_EQ(family.models[0].name, "another");
  EXPECT_EQ(family.models[1].name, "narrow");
  EXPECT_EQ(family.models[2].name, "wide");
  EXPECT_EQ(steps_of(family.models[2]), (Steps{0, 2, 8, 16, 100}));
  EXPECT_EQ(family.models[2].steps[4].folder, folder_ / "family/wide/step100");
  EXPECT_EQ(family.models[2].config.d, 16);
  EXPECT_EQ(family.models[2].tokenizer, folder_ / "family/tokenizer.json");
}

TEST_F(FamilyTest, PrefersTheNearestTokenizer) {
  write("family/wide/tokenizer.json", "{}");
  EXPECT_EQ(find().models[2].tokenizer, folder_ / "family/wide/tokenizer.json");
  write("family/wide/step16/tokenizer.json", "{}");
  EXPECT_EQ(find().models[2].tokenizer, folder_ / "family/wide/step16/tokenizer.json");
  fs::remove(folder_ / "family/tokenizer.json");
  refuses(Exit::data, {"no tokenizer.json", "another"}, options());
}

TEST_F(FamilyTest, FiltersModels) {
  const Family family = find({"wide", "another", "wide"});
  ASSERT_EQ(family.models.size(), 2u);
  EXPECT_EQ(family.models[1].name, "wide");
  refuses(Exit::usage, {"'wid'", "nearest is 'wide'", "another, narrow"}, options("all", {"wid"}));
  refuses(Exit::data, {"scripts", "no steps"}, options("all", {"scripts"}));
}

TEST_F(FamilyTest, ChoosesListedSteps) {
  const Family family = find({}, "16, 0,100");
  EXPECT_EQ(steps_of(family.models[0]), Steps{16});
  EXPECT_EQ(steps_of(family.models[1]), (Steps{0, 16}));
  EXPECT_EQ(steps_of(family.models[2]), (Steps{0, 16, 100}));
  refuses(Exit::data, {"3, 5"}, options("0,3,5,16"));
  refuses(Exit::data, {"none of the listed", "another, narrow"}, options("2,8"));
  EXPECT_EQ(find({"wide"}, "2,8").models.size(), 1u);
}

TEST_F(FamilyTest, ChoosesStepsSpacedInLog) {
  EXPECT_EQ(steps_of(find({"wide"}, "log:3").models[0]), (Steps{0, 8, 100}));
  EXPECT_EQ(steps_of(find({"wide"}, "log:1").models[0]), Steps{100});
  EXPECT_EQ(steps_of(find({"wide"}, "log:99").models[0]), (Steps{0, 2, 8, 16, 100}));
}

TEST_F(FamilyTest, RefusesMalformedSteps) {
  for (const std::string steps :
       {"", "some", "1,,2", "1,", "-1", "1.5", "log:", "log:0", "log:x", "step16", "99999999999999999999"}) {
    refuses(Exit::usage, {"family.steps", "'" + steps + "'"}, options(steps));
  }
}

TEST_F(FamilyTest, RefusesFoldersThatAreNoFamily) {
  refuses(Exit::io, {"nowhere"}, {(folder_ / "nowhere").string(), {}, "all"});
  refuses(Exit::usage, {"family.path"}, {"", {}, "all"});
  fs::create_directories(folder_ / "empty");
  refuses(Exit::data, {"empty", "MODEL/stepN"}, {(folder_ / "empty").string(), {}, "all"});
  refuses(Exit::data, {"empty", "'x'"}, {(folder_ / "empty").string(), {"x"}, "all"});
  refuses(Exit::data, {"wide", "the folder above"}, {(folder_ / "family/wide").string(), {}, "all"});
}

TEST_F(FamilyTest, RefusesIncompleteSteps) {
  fs::remove(folder_ / "family/wide/step8/model.safetensors");
  refuses(Exit::data, {"step8", "no weights"}, options());
  EXPECT_EQ(find({}, "0,16").models.size(), 3u);  // only chosen steps matter
  fs::create_symlink(folder_ / "gone", folder_ / "family/wide/step8/model.safetensors");
  refuses(Exit::data, {"step8", "link to nothing"}, options());
  fs::remove(folder_ / "family/wide/step8/config.json");
  refuses(Exit::data, {"step8", "no config.json"}, options());
}

TEST_F(FamilyTest, RefusesStepsOfAnotherShape) {
  checkpoint("family/wide/step16", 8);
  refuses(Exit::data, {"step16", "step8", "another model"}, options());
}

TEST_F(FamilyTest, RefusesOneStepTwice) {
  checkpoint("family/wide/step016", 16);
  refuses(Exit::data, {"step 16", "twice"}, options());
}

class CacheTest : public FamilyTest {
 protected:
  CacheTest() {
    add("pythia-70m", "step0", "aaa", 8);
    add("pythia-70m", "step1000", "bbb", 8);
    add("pythia-70m", "main", "ccc", 8);
    add("pythia-160m", "step1000", "ddd", 16);
    write("hub/models--Other--thing/refs/step1", "eee");
    setenv("HF_HUB_CACHE", (folder_ / "hub").c_str(), 1);
  }
  ~CacheTest() override { unsetenv("HF_HUB_CACHE"); }

  void add(const std::string& model, const std::string& reference, const std::string& hash, int64_t d) const {
    const fs::path place = "hub/models--EleutherAI--" + model;
    write(place / "refs" / reference, hash + "\n");
    checkpoint(place / "snapshots" / hash, d);
    write(place / "snapshots" / hash / "tokenizer.json", "{}");
  }
};

TEST_F(CacheTest, FindsReferencesAndSnapshots) {
  const Family family = find_family({"hf:EleutherAI", {}, "all"});
  ASSERT_EQ(family.models.size(), 2u);
  EXPECT_EQ(family.models[0].name, "pythia-70m");
  EXPECT_EQ(steps_of(family.models[0]), (Steps{0, 1000}));
  const fs::path snapshot = folder_ / "hub/models--EleutherAI--pythia-70m/snapshots/bbb";
  EXPECT_EQ(family.models[0].steps[1].folder, snapshot);
  EXPECT_EQ(family.models[0].tokenizer, snapshot / "tokenizer.json");
  EXPECT_EQ(family.models[1].name, "pythia-160m");
}

TEST_F(CacheTest, FollowsTheOtherVariables) {
  unsetenv("HF_HUB_CACHE");
  setenv("HF_HOME", folder_.c_str(), 1);
  EXPECT_EQ(find_family({"hf:EleutherAI", {"pythia-160m"}, "1000"}).models.size(), 1u);
  unsetenv("HF_HOME");
}

TEST_F(CacheTest, RefusesFaultyCaches) {
  refuses(Exit::data, {"models--Nobody--*"}, {"hf:Nobody", {}, "all"});
  refuses(Exit::usage, {"hf:ORG"}, {"hf:", {}, "all"});
  write("hub/models--EleutherAI--pythia-70m/refs/step2", "fff");
  refuses(Exit::data, {"step2", "fff", "not there"}, {"hf:EleutherAI", {}, "all"});
  write("hub/models--EleutherAI--pythia-70m/refs/step2", "../../x");
  refuses(Exit::data, {"step2", "snapshot"}, {"hf:EleutherAI", {}, "all"});
}

TEST(SpreadInLog, TakesPythiasStepsAsTheyAre) {
  Steps steps{0};
  for (int64_t step = 1; step <= 512; step *= 2) steps.push_back(step);
  for (int64_t step = 1000; step <= 143000; step += 1000) steps.push_back(step);
  ASSERT_EQ(steps.size(), 154u);
  const Steps chosen = spread_in_log(steps, 25);
  ASSERT_EQ(chosen.size(), 25u);
  EXPECT_EQ(chosen.front(), 0);
  EXPECT_EQ(chosen.back(), 143000);
  for (std::size_t i = 1; i < chosen.size(); ++i) EXPECT_LT(chosen[i - 1], chosen[i]);
  EXPECT_EQ(spread_in_log(steps, 154), steps);
}

/// Every choice that holds both ends, tried.
TEST(SpreadInLog, HasTheLeastSumOfDistances) {
  const Steps steps{0, 1, 2, 3, 5, 8, 30, 32, 34, 100, 1000};
  for (int64_t count = 2; count <= 10; ++count) {
    const auto cost = [&](const Steps& chosen) {
      double sum = 0;
      for (std::size_t i = 0; i < chosen.size(); ++i) {
        sum += std::abs(std::log2(1.0 + static_cast<double>(chosen[i])) -
                        std::log2(1001.0) * static_cast<double>(i) / static_cast<double>(count - 1));
      }
      return sum;
    };
    double least = INFINITY;
    for (unsigned mask = 0; mask < 1u << steps.size(); ++mask) {
      Steps chosen;
      for (std::size_t i = 0; i < steps.size(); ++i) {
        if ((mask >> i & 1u) != 0) chosen.push_back(steps[i]);
      }
      const bool ends = !chosen.empty() && chosen.front() == 0 && chosen.back() == 1000;
      if (ends && static_cast<int64_t>(chosen.size()) == count) least = std::min(least, cost(chosen));
    }
    EXPECT_NEAR(cost(spread_in_log(steps, count)), least, 1e-12) << count;
  }
}

}  // namespace
}  // namespace incipit::checkpoint
