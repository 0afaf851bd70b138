#include "interpret/chat.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

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

TEST(Chat, TellsAnswersThatSayNothingFromWhatIsBroken) {
  const auto plain = parse_completion(R"({"choices":[{"message":{"content":"No."},"logprobs":null}]})");
  ASSERT_TRUE(plain);
  EXPECT_TRUE(std::isnan(plain->log_odds));
  EXPECT_EQ(plain->text, "No.");
  for (const char* body : {"[]", "{}", "3", R"({"choices":[]})", R"({"choices":[{"message":"x"}]})",
                           R"({"choices":[{"message":{"content":3}}]})"}) {
    const auto choice = parse_completion(body);
    ASSERT_TRUE(choice) << body;
    EXPECT_TRUE(choice->text.empty() && std::isnan(choice->log_odds)) << body;
  }
  for (const char* body : {"", "{", "<html>", R"({"choices":[{"message":{"content":"Ye)",
                           R"({"error":{"message":"overloaded"}})"})
    EXPECT_FALSE(parse_completion(body)) << body;
}

TEST(Chat, AsksTheSameWayEachTime) {
  const Prompt prompt{"told \"so\"", "asked\xFF"};
  const auto body = [&](const Request& request) {
    return nlohmann::json::parse(request_body("org/m", prompt, request));
  };
  const auto judged = body({.tokens = 1, .alternatives = true, .extras = {}});
  EXPECT_EQ(judged["model"], "org/m");
  EXPECT_EQ(judged["temperature"], 0);
  EXPECT_EQ(judged["max_tokens"], 1);
  EXPECT_EQ(judged["seed"], 1);
  EXPECT_EQ(judged["logprobs"], true);
  EXPECT_EQ(judged["top_logprobs"], 20);
  EXPECT_EQ(judged["messages"][0]["content"], prompt.system);
  EXPECT_EQ(judged["messages"][1]["content"], "asked\xEF\xBF\xBD");
  EXPECT_FALSE(body({.tokens = 32, .alternatives = false, .extras = {}}).contains("logprobs"));
  const auto bare = body({.tokens = 1, .alternatives = true, .extras = {false, false, false}});
  EXPECT_FALSE(bare.contains("logprobs") || bare.contains("top_logprobs") || bare.contains("seed"));
  ASSERT_EQ(bare["messages"].size(), 1U);
  EXPECT_TRUE(bare["messages"][0]["content"].get<std::string>().starts_with("told \"so\"\n\nasked"));
}

TEST(Chat, UnderstandsRetryAfter) {
  EXPECT_EQ(retry_after("7", 0), 7.0);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 40), 60.0);
  EXPECT_EQ(retry_after("Thu, 01 Jan 1970 00:01:40 GMT", 400), 0.0);
  EXPECT_FALSE(retry_after("soon", 0));
}

}  // namespace
}  // namespace incipit::interpret
