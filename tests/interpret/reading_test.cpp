#include "interpret/reading.hpp"

#include <cmath>

#include "../support.hpp"
#include "nan.hpp"

namespace incipit::interpret {
namespace {

/// Says yes to texts that hold "cell", and counts what it is asked.
class Counting : public LanguageModel {
 public:
  explicit Counting(int& asked) : asked_(asked) {}
  Identity identity() const override { return {"counting 1 m", "counting", "m", ""}; }
  void write(std::span<const Prompt> prompts, int, const Keep<std::string>& keep) override {
    for (std::size_t i = prompts.size(); i-- > 0; ++asked_) keep(i, "Label: \"cells\"\nmore");
  }
  void choose(std::span<const Prompt> prompts, const Keep<Choice>& keep) override {
    for (std::size_t i = prompts.size(); i-- > 0; ++asked_)
      keep(i, {prompts[i].user.find("a cell") != std::string::npos ? 2.0 : -2.0, ""});
  }

 private:
  int& asked_;
};

class Reading : public test::FolderTest {
 protected:
  ReadingTeacher teacher(bool has_model, const std::string& stop = "") {
    std::unique_ptr<LanguageModel> model;
    if (has_model) model = std::make_unique<Counting>(asked_);
    return {{"counting 1 m", "counting", "m", ""},
            std::move(model),
            Prompts(bundled),
            std::make_unique<AnswerCache>(folder_ / "a"),
            [stop] { return stop; },
            [this](const std::string& text) { noted_ = text; }};
  }

  int asked_ = 0;
  std::string noted_;
  Brief brief_{0, {{1, "one", 1.0}}, {{2, "two", 0.0}}, {}, {}};
};

TEST_F(Reading, AsksEachQuestionOnceAndReplaysWithoutAModel) {
  const std::vector<Brief> briefs = {brief_, brief_};
  const std::vector<Question> questions = {{&brief_, "x", {"a cell", "a wall", "a cell"}},
                                           {&brief_, "", {"a cell"}}};
  std::vector<std::vector<Verdict>> first;
  {
    ReadingTeacher live = teacher(true);
    EXPECT_EQ(live.label(briefs), (std::vector<std::string>{"cells", "cells"}));
    first = live.judge(questions);
    EXPECT_EQ(asked_, 3);  // a label, and two different texts
    EXPECT_EQ(noted_, "2 of 2 judgements");
  }
  ReadingTeacher replay = teacher(false);
  EXPECT_EQ(replay.label(briefs).size(), 2U);
  const auto again = replay.judge(questions);
  for (const auto& verdicts : {first, again}) {
    EXPECT_EQ(verdicts[0][0].answer, Answer::yes);
    EXPECT_EQ(verdicts[0][1].answer, Answer::no);
    EXPECT_EQ(verdicts[0][2].score, 2.0);
    EXPECT_EQ(verdicts[1][0].answer, Answer::unparsed);
  }
  const std::vector<Question> other = {{&brief_, "y", {"a cell"}}};
  test::expect_error(Exit::unavailable, {"1 of 1"}, [&] { (void)replay.judge(other); });
}

TEST_F(Reading, StopsBetweenAnswersAndKeepsThem) {
  const std::vector<Question> questions = {{&brief_, "x", {"a", "b", "c"}}};
  {
    ReadingTeacher stopped = teacher(true, "signal 10");
    test::expect_error(Exit::again, {"signal 10"}, [&] { (void)stopped.judge(questions); });
  }
  EXPECT_EQ(AnswerCache(folder_ / "a").size(), 1U);
}

TEST(ParseLabel, TakesTheFirstLineThatSaysSomething) {
  EXPECT_EQ(parse_label("\n **Label:** \"cell walls\"\nbecause"), "cell walls");
  EXPECT_EQ(parse_label("“Zellwände”"), "Zellwände");
  EXPECT_EQ(parse_label(" \n\"\"\n"), "");
  std::string umlauts;
  for (int i = 0; i < 100; ++i) umlauts += "ü";
  EXPECT_EQ(parse_label(umlauts).size(), 160U);
}

TEST(ParseChoice, GoesByOddsThenByTheFirstWord) {
  EXPECT_EQ(parse_choice({0.5, "no"}).answer, Answer::yes);
  EXPECT_EQ(parse_choice({nan, " **YES**, it does"}).answer, Answer::yes);
  EXPECT_EQ(parse_choice({nan, "No."}).answer, Answer::no);
  EXPECT_EQ(parse_choice({nan, "nothing"}).answer, Answer::unparsed);
  EXPECT_TRUE(std::isnan(parse_choice({nan, ""}).score));
}

}  // namespace
}  // namespace incipit::interpret
