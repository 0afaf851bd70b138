#include "interpret/chat.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace incipit::interpret {
namespace {

TEST(Chat, KnowsWhereToPost) {
  EXPECT_EQ(completions_url("http://h:1/"), "http://h:1/v1/chat/completions");
  EXPECT_EQ(completions_url("https://h/v1"), "https://h/v1/chat/completions");
}

TEST(Chat, SumsTheSpellingsOfYesAndNo) {
  const auto choice = parse_completion(
      R"({"choices":[{"message":{"content":"Yes"},"logprobs":{"content":[{"token":"Yes","top_logprobs":[
      {"token":"Yes","logprob":-1.0},{"token":" yes","logprob":-1.0},{"token":"NO","logprob":-2.0}]}]}}]})");
  ASSERT_TRUE(choice);
  EXPECT_NEAR(choice->log_odds, 1 + std::log(2), 1e-12);
  EXPECT_EQ(choice->text, "Yes");
}

TEST(Chat, ReadsWhatHasNoOddsAndRefusesOtherShapes) {
  const auto plain = parse_completion(R"({"choices":[{"message":{"content":"No."},"logprobs":null}]})");
  ASSERT_TRUE(plain);
  EXPECT_TRUE(std::isnan(plain->log_odds));
  for (const char* body : {"", "{", "[]", "{}", R"({"choices":[]})", R"({"choices":[{"message":"x"}]})",
                           R"({"choices":[{"message":{"content":3}}]})"})
    EXPECT_FALSE(parse_completion(body)) << body;
}

TEST(Chat, UnderstandsRetryAfter) {
  EXPECT_EQ(retry_after("7", 0), 7.0);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), 60.0);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 400), 0.0);
  EXPECT_FALSE(retry_after("soon", 0));
}

}  // namespace
}  // namespace incipit::interpret
