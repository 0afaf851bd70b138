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
  const Parsed parsed = parse_completion(
      R"({"choices":[{"message":{"content":"Yes"},"logprobs":{"content":[{"token":"Yes","top_logprobs":[
      {"token":"Yes","logprob":-1.0},{"token":" yes","logprob":-1.0},{"token":"NO","logprob":-2.0}]}]}}]})");
  ASSERT_EQ(parsed.kind, Parsed::Kind::answer);
  EXPECT_NEAR(parsed.choice.log_odds, 1 + std::log(2), 1e-12);
  EXPECT_EQ(parsed.choice.text, "Yes");
}

TEST(Chat, TellsAnswersFromOtherShapesAndFromWhatIsBroken) {
  const Parsed plain = parse_completion(R"({"choices":[{"message":{"content":"No."},"logprobs":null}]})");
  ASSERT_EQ(plain.kind, Parsed::Kind::answer);
  EXPECT_TRUE(std::isnan(plain.choice.log_odds));
  for (const char* body : {"[]", "{}", "3", R"({"choices":[]})", R"({"choices":[{"message":"x"}]})",
                           R"({"choices":[{"message":{"content":3}}]})"}) {
    const Parsed parsed = parse_completion(body);
    EXPECT_EQ(parsed.kind, Parsed::Kind::other) << body;
    EXPECT_EQ(parsed.choice.text, "");
  }
  for (const char* body : {"", "{", "<html>", R"({"choices":[{"message":{"content":"Ye)",
                           R"({"error":{"message":"overloaded"}})"})
    EXPECT_EQ(parse_completion(body).kind, Parsed::Kind::broken) << body;
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
