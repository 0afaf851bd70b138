#include "interpret/answer_cache.hpp"

#include <cmath>
#include <fstream>

#include "../support.hpp"
#include "nan.hpp"

namespace incipit::interpret {
namespace {

class AnswersOnDisk : public test::FolderTest {
 protected:
  std::filesystem::path journal() const { return std::filesystem::directory_iterator(folder_ / "a")->path(); }
};

TEST_F(AnswersOnDisk, ComeBackBitForBit) {
  const std::string key = AnswerCache::key("m", "judge", {"s", "u"});
  {
    AnswerCache answers(folder_ / "a");
    EXPECT_EQ(answers.find(key), nullptr);
    answers.add(key, {0.1 + 0.2, ""});
    answers.add("other", {nan, "two\n\"lines\" ü"});
    EXPECT_EQ(answers.find(key)->log_odds, 0.1 + 0.2);
  }
  const AnswerCache again(folder_ / "a");
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again.find(key)->log_odds, 0.1 + 0.2);
  EXPECT_TRUE(std::isnan(again.find("other")->log_odds));
  EXPECT_EQ(again.find("other")->text, "two\n\"lines\" ü");
}

TEST_F(AnswersOnDisk, SurviveATornLineAndNameADamagedOne) {
  {
    AnswerCache answers(folder_ / "a");
    answers.add("one", {nan, "1"});
    answers.add("two", {nan, "2"});
  }
  std::filesystem::resize_file(journal(), std::filesystem::file_size(journal()) - 5);
  {
    AnswerCache torn(folder_ / "a");
    EXPECT_NE(torn.find("one"), nullptr);
    EXPECT_EQ(torn.find("two"), nullptr);
    torn.add("two", {nan, "2"});  // goes to a journal of its own
  }
  EXPECT_EQ(AnswerCache(folder_ / "a").size(), 2U);
  write("a/0.jsonl", "{\"key\": \"k\", \"text\": \"t\"}\n{\"key\": 3}\n");
  test::expect_error(Exit::data, {"0.jsonl:2"}, [&] { AnswerCache(folder_ / "a"); });
}

TEST(AnswerKey, HangsOnEveryPart) {
  const std::string key = AnswerCache::key("m", "judge", {"s", "u"});
  EXPECT_EQ(key.size(), 64U);
  EXPECT_NE(key, AnswerCache::key("n", "judge", {"s", "u"}));
  EXPECT_NE(key, AnswerCache::key("m", "label", {"s", "u"}));
  EXPECT_NE(key, AnswerCache::key("m", "judge", {"su", ""}));
}

}  // namespace
}  // namespace incipit::interpret
