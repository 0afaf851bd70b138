#include "emergence/groups.hpp"

#include <gtest/gtest.h>

#include "error.hpp"

namespace incipit::emergence {
namespace {

TEST(JudgeSet, NumbersGroupsByFirstAppearanceAndCounts) {
  const std::vector<int32_t> subject = {1, 0, 1, 0, 1}, group = {7, 2, 7, 2, 4},
                             group_subject = {0, 0, 0, 0, 1, 0, 0, 1};
  const std::vector<int32_t> stratum = {5, 6, 5, 9, 8};
  const JudgeSet judge = make_judge_set(3, subject, group, group_subject, stratum);
  EXPECT_EQ(judge.group, (std::vector<int32_t>{0, 1, 0, 1, 2}));
  EXPECT_EQ(judge.group_subject, (std::vector<int32_t>{1, 0, 1}));
  EXPECT_EQ(judge.group_stratum, (std::vector<int32_t>{5, 6, 8}));
  EXPECT_EQ(judge.member, (std::vector<int32_t>{0, 2, 1, 3, 4}));
  EXPECT_EQ(judge.member_start, (std::vector<int64_t>{0, 2, 4, 5}));
  EXPECT_EQ(judge.probes_of, (std::vector<int64_t>{2, 3, 0}));
  EXPECT_EQ(judge.groups_of, (std::vector<int64_t>{1, 2, 0}));
}

TEST(JudgeSet, RefusesWhatDoesNotFit) {
  const std::vector<int32_t> two = {0, 1}, one = {0}, far = {0, 9};
  EXPECT_THROW((void)make_judge_set(2, two, one, two), Error);
  EXPECT_THROW((void)make_judge_set(2, far, two, two), Error);
  EXPECT_THROW((void)make_judge_set(2, two, far, two), Error);
  EXPECT_THROW((void)make_judge_set(2, two, two, two, one), Error);
}

TEST(QuestionStrata, TakeOffWhatTheTemplatePutThere) {
  const std::string ending = "\nSubject:";
  const std::vector<std::string> texts = {"Why?" + ending, "Because it is so." + ending,
                                          "What else?" + ending, "The gap is ____" + ending,
                                          "Wie heißt Ä" + ending};
  const auto strata = question_strata(texts);
  EXPECT_EQ(strata[0] / 5, strata[2] / 5);
  EXPECT_NE(strata[0] / 5, strata[1] / 5);
  EXPECT_NE(strata[1] / 5, strata[3] / 5);
  EXPECT_NE(strata[3] / 5, strata[4] / 5);
}

TEST(QuestionStrata, CutLengthsIntoFifths) {
  std::vector<std::string> texts;
  for (int i = 1; i <= 100; ++i)
    texts.push_back(std::string(static_cast<size_t>(i), 'a') + (i % 2 == 0 ? "a" : "b"));
  std::vector<int> count(5, 0);
  for (const int32_t s : question_strata(texts)) ++count[static_cast<size_t>(s % 5)];
  EXPECT_EQ(count, (std::vector<int>(5, 20)));
}

TEST(QuestionStrata, CountCharactersNotBytes) {
  std::vector<std::string> texts(9, "ääääx");
  texts.emplace_back("aaaay");
  const auto strata = question_strata(texts);
  for (const int32_t s : strata) EXPECT_EQ(s % 5, strata[0] % 5);
}

}  // namespace
}  // namespace incipit::emergence
