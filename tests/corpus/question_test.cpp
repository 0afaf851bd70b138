#include "corpus/question.hpp"

#include "../support.hpp"

namespace incipit::corpus {
namespace {

const Question example{"What is 1 + 1?", {"one", "two", "{answer}"}, 1};

std::string fill(const std::string& form) {
  return QuestionTemplate(form).fill(example, "x:1");
}

TEST(QuestionTemplate, FillsIn) {
  EXPECT_EQ(fill("{question}"), "What is 1 + 1?");
  EXPECT_EQ(fill(R"({question}\nSubject:)"), "What is 1 + 1?\nSubject:");
  EXPECT_EQ(fill(R"(Q:\t{question}\n{options}\nAnswer: {answer})"),
            "Q:\tWhat is 1 + 1?\nA. one\nB. two\nC. {answer}\nAnswer: two");
  EXPECT_EQ(fill(R"(\{{answer}\} \\n })"), "{two} \\n }");
  EXPECT_EQ(fill("{answer}{answer}"), "twotwo");
}

TEST(QuestionTemplate, RefusesMalformedOnes) {
  const auto refuses = [](const std::string& form, const std::string& part) {
    test::expect_error(Exit::usage, {"probes.template", part}, [&] { (void)QuestionTemplate(form); });
  };
  refuses("{title}", "{title}");
  refuses("{question", "closed");
  refuses("{}", "{}");
  refuses(R"({question}\x)", R"(\x)");
  refuses("{question}\\", "backslash");
  refuses("always the same", "{question}");
  refuses("", "{question}");
}

TEST(QuestionTemplate, SaysWhatAQuestionLacks) {
  const auto refuses = [](const std::string& form, const Question& question, const std::string& part) {
    test::expect_error(Exit::data, {"x:1", part},
                       [&] { (void)QuestionTemplate(form).fill(question, "x:1"); });
  };
  refuses("{options}", {"Why?", {}, -1}, "options");
  refuses("{answer}", {"Why?", {"a", "b"}, -1}, "answer");
  refuses("{answer}", {"Why?", {"a", "b"}, 2}, "answer");
  EXPECT_EQ(QuestionTemplate("{question}").fill({"Why?", {}, -1}, "x:1"), "Why?");
}

}  // namespace
}  // namespace incipit::corpus
