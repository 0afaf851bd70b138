#include "match/subjects.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "error.hpp"

namespace incipit::match {
namespace {

namespace fs = std::filesystem;

class SubjectsFile : public ::testing::Test {
 protected:
  void TearDown() override { fs::remove(path_); }

  Subjects load(const std::string& text, const std::vector<std::string>& wanted) {
    std::ofstream(path_) << text;
    return load_subjects(path_, wanted);
  }
  /// The message, which must carry exit code 65 and name the file.
  std::string refusal(const std::string& text, const std::vector<std::string>& wanted) {
    try {
      load(text, wanted);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::data);
      EXPECT_NE(std::string(error.what()).find(path_.string()), std::string::npos) << error.what();
      return error.what();
    }
    ADD_FAILURE() << "accepted: " << text;
    return "";
  }

  fs::path path_ = fs::temp_directory_path() / "incipit_subjects_test.json";
};

constexpr const char* good = R"({"subjects": {"law": {"phrases": ["courts"], "read": false},
  "art": {"phrases": ["painting", "sculpture"]}, "math": {"phrases": ["numbers"], "read": true}},
  "decoys": ["tea", "a bus"]})";

TEST_F(SubjectsFile, GivesTheProbesSubjectsInTheirOrder) {
  const Subjects subjects = load(good, {"art", "law"});
  ASSERT_EQ(subjects.all.size(), 2U);
  EXPECT_EQ(subjects.all[0].name, "art");
  EXPECT_EQ(subjects.all[0].phrases, (std::vector<std::string>{"painting", "sculpture"}));
  EXPECT_TRUE(subjects.all[0].read);
  EXPECT_FALSE(subjects.all[1].read);
  EXPECT_EQ(subjects.decoys, (std::vector<std::string>{"tea", "a bus"}));
}

TEST_F(SubjectsFile, NamesEverySubjectThatHasNoEntry) {
  const std::string message = refusal(good, {"art", "alchemy", "law", "astrology"});
  EXPECT_NE(message.find("alchemy, astrology"), std::string::npos) << message;
}

TEST_F(SubjectsFile, RefusesWhatIsNoSuchFileAndSaysWhere) {
  const auto expect = [&](const std::string& text, const char* part) {
    const std::string message = refusal(text, {"law"});
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect("{\"subjects\": {\n  \"law\" }", "line 2");
  expect("[]", "object");
  expect("{\"decoys\": []}", "subjects");
  expect(R"({"subjects": {"law": {"phrases": []}}})", "law");
  expect(R"({"subjects": {"law": {"phrases": ["  "]}}})", "law");
  expect(R"({"subjects": {"law": {"phrases": [3]}}})", "law");
  expect(R"({"subjects": {"law": {"read": true}}})", "phrases");
  expect(R"({"subjects": {"law": {"phrases": ["a"], "read": "yes"}}})", "read");
  expect(R"({"subjects": {"law": {"phrases": ["a"], "phrase": ["b"]}}})", "unknown key 'phrase'");
  expect(R"({"subjects": {"law": {"phrases": ["a"]}}, "decoy": ["b"]})", "unknown key 'decoy'");
  expect(R"({"subjects": {"law": {"phrases": ["a"]}}, "decoys": [""]})", "decoys");
  // A mistake in an entry that this deck does not need is one all the same.
  expect(R"({"subjects": {"law": {"phrases": ["a"]}, "art": {"phrases": []}}})", "art");
  expect(R"({"subjects": {"law": {"phrases": ["a"]}, "law": {"phrases": ["b"]}}})", "twice");
}

TEST_F(SubjectsFile, MissingFileIsExitIo) {
  try {
    load_subjects("/nowhere/subjects.json", {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::io);
    EXPECT_NE(std::string(error.what()).find("/nowhere/subjects.json"), std::string::npos);
  }
}

TEST(BundledSubjects, AreWellFormed) {
  const fs::path bundled = fs::path(INCIPIT_SOURCE_DIR) / "inputs" / "subjects.json";
  if (!fs::exists(bundled)) GTEST_SKIP() << bundled << " is not there";
  const Subjects subjects = load_subjects(bundled, std::vector<std::string>{"biology", "law", "physics"});
  EXPECT_EQ(subjects.all.size(), 3U);
  EXPECT_GE(subjects.decoys.size(), 20U);
}

}  // namespace
}  // namespace incipit::match
