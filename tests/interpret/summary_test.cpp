#include "interpret/summary.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "nan.hpp"

namespace incipit::interpret {
namespace {

LatentLabel judged(Status status, double f1, const std::vector<Answer>& answers) {
  LatentLabel label;
  label.status = status;
  label.f1 = f1;
  label.f1_always_yes = 0.6;
  label.f1_coin = 0.5;
  for (const Answer answer : answers) {
    label.judgements.push_back({0, true, false, {answer, 0.0}});
    label.unparsed += answer == Answer::unparsed;
  }
  return label;
}

TEST(Summary, IsOverWhatWasJudged) {
  using enum Answer;
  const std::vector<LatentLabel> labels = {judged(Status::interpretable, 1.0, {yes, no, yes, unparsed}),
                                           judged(Status::uninterpretable, 0.5, {no, no}), LatentLabel{}};
  const Summary summary = summarize(labels);
  EXPECT_EQ(summary.latents, (std::array<int64_t, 4>{1, 1, 0, 1}));
  EXPECT_EQ(summary.judged, 2);
  EXPECT_EQ(summary.answers, 6);
  EXPECT_EQ(summary.unparsed, 1);
  EXPECT_DOUBLE_EQ(summary.f1, 0.75);
  EXPECT_DOUBLE_EQ(summary.f1_coin, 0.5);
  EXPECT_DOUBLE_EQ(summary.yes, 0.4);
  EXPECT_TRUE(warnings(summary).empty());
}

TEST(Summary, OfNothingWarnsOfNothing) {
  const Summary summary = summarize({});
  EXPECT_TRUE(std::isnan(summary.f1) && std::isnan(summary.yes));
  EXPECT_TRUE(warnings(summary).empty());
}

TEST(Summary, WarnsOfATeacherThatDoesNotTellTextsApart) {
  using enum Answer;
  const auto warning = [](const std::vector<Answer>& answers) {
    const std::vector<LatentLabel> labels = {judged(Status::uninterpretable, 0.6, answers)};
    const auto all = warnings(summarize(labels));
    return all.size() == 1 ? all.front() : std::to_string(all.size()) + " warnings";
  };
  EXPECT_TRUE(warning({yes, yes, yes}).starts_with("the teacher said yes to 100 %"));
  EXPECT_TRUE(warning({no, no, no}).starts_with("the teacher said no to 100 %"));
  EXPECT_TRUE(warning({yes, no, unparsed, unparsed, unparsed}).starts_with("3 of 5 answers were neither"));
  EXPECT_TRUE(warning({unparsed}).starts_with("1 of 1 answers were neither"));
}

}  // namespace
}  // namespace incipit::interpret
