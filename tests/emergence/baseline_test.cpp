#include "emergence/baseline.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "data.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

struct Texts {
  std::vector<std::string> text;
  std::vector<int32_t> subject, group;
};

/// `last[c]`: words that end the texts of subject c; `inside[c]`: words within them.
Texts texts(int64_t n, const std::vector<std::vector<std::string>>& inside,
            const std::vector<std::vector<std::string>>& last, uint64_t stream) {
  Random random(7, Purpose::test, stream);
  const auto any = [&](const std::vector<std::string>& words) { return words[random.below(words.size())]; };
  Texts out;
  for (int64_t i = 0; i < n; ++i) {
    const auto c = static_cast<size_t>(i) % inside.size();
    out.text.push_back("The " + any(inside[c]) + " of the " + any(inside[c]) + " is " + any(last[c]));
    out.subject.push_back(static_cast<int32_t>(c));
    out.group.push_back(static_cast<int32_t>(i));
  }
  return out;
}

TokenBaseline baseline(const Texts& fit, const Texts& judge, int32_t subjects) {
  const JudgeSet set = make_judge_set(subjects, judge.subject, judge.group, judge.subject);
  return token_baseline(fit.text, fit.subject, fit.group, judge.text, set,
                        make_resampling(test::host(), set, {100, 99}, 1), 1);
}

const std::vector<std::vector<std::string>> same_words = {{"one", "two", "three", "four"},
                                                          {"one", "two", "three", "four"}};

TEST(TokenBaseline, SeesTheEndingsOfTheLastWord) {
  const std::vector<std::vector<std::string>> last = {{"realism", "dualism", "holism", "monism"},
                                                      {"sodium", "helium", "barium", "radium"}};
  const auto held_out =
      std::vector<std::vector<std::string>>{{"idealism", "nihilism"}, {"calcium", "lithium"}};
  const TokenBaseline found = baseline(texts(80, same_words, last, 1), texts(60, same_words, held_out, 2), 2);
  for (size_t c = 0; c < 2; ++c) {
    EXPECT_GT(found.contrast[0].subject[c].value, 0.9);
    EXPECT_GT(found.auc[0].subject[c].value, 0.95);
    EXPECT_EQ(found.contrast[0].subject[c].p, 0.01);
    // Words never seen tell the bag nothing.
    EXPECT_LT(std::abs(found.contrast[1].subject[c].value), 0.4);
  }
  EXPECT_GT(found.accuracy[0], 0.95);
}

TEST(TokenBaseline, SeesTheWordsOfTheWholeText) {
  const std::vector<std::vector<std::string>> inside = {{"cell", "gene", "leaf"},
                                                        {"force", "mass", "charge"}};
  const std::vector<std::vector<std::string>> last = {{"known", "given"}, {"known", "given"}};
  const TokenBaseline found = baseline(texts(80, inside, last, 3), texts(60, inside, last, 4), 2);
  for (size_t c = 0; c < 2; ++c) {
    EXPECT_NEAR(found.contrast[1].subject[c].value, 1, 1e-12);
    EXPECT_LT(std::abs(found.contrast[0].subject[c].value), 0.4);
    EXPECT_NEAR(found.auc[0].subject[c].value, 0.5, 0.2);
    EXPECT_FALSE(std::isnan(found.auc[1].subject[c].low));
  }
}

TEST(TokenBaseline, OfNothingIsNothing) {
  const std::vector<std::vector<std::string>> last = {{"Subject:"}, {"Subject:"}};
  const TokenBaseline found = baseline(texts(60, same_words, last, 5), texts(100, same_words, last, 6), 2);
  EXPECT_EQ(found.contrast[0].subject[0].value, 0);  // all texts look alike: one subject gets them all
  EXPECT_EQ(found.auc[0].subject[0].value, 0.5);
  EXPECT_EQ(found.accuracy[0], 0.5);
}

TEST(TokenBaseline, ASubjectWithoutFitTextsHasNoScore) {
  Texts fit = texts(40, same_words, same_words, 7), judge = texts(40, same_words, same_words, 8);
  judge.subject[0] = 2;
  const TokenBaseline found = baseline(fit, judge, 3);
  EXPECT_TRUE(std::isnan(found.auc[0].subject[2].value));
  EXPECT_EQ(found.contrast[0].subject[2].value, 0);  // never predicted
  judge.text.pop_back();
  EXPECT_THROW((void)baseline(fit, judge, 3), Error);
}

}  // namespace
}  // namespace incipit::emergence
