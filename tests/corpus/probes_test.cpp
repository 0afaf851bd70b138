#include "corpus/probes.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "../support.hpp"
#include "gzip.hpp"
#include "store/hash.hpp"

namespace incipit::corpus {
namespace {

namespace fs = std::filesystem;

std::string line(const std::string& id, const std::string& subject, const std::string& text) {
  return R"({"id": ")" + id + R"(", "subject": ")" + subject + R"(", "text": ")" + text + "\"}\n";
}

class ProbesTest : public test::FolderTest {
 protected:
  [[nodiscard]] Probes load(const std::string& text) {
    options_.path = write("probes.jsonl", text);
    return load_probes(options_, 1);
  }
  void refuses(Exit code, const std::string& text, const std::vector<std::string>& parts) {
    test::expect_error(code, parts, [&] { (void)load(text); });
  }

  ProbeOptions options_;
};

TEST_F(ProbesTest, ReadsJsonLines) {
  const std::string text = line("a", "math", "one") + "\n" +
                           R"({"id": 7, "subject": "art", "group": "g", "text": "zwei é\nlines"})" + "\r\n" +
                           R"({"id": "c", "subject": "math", "group": "g", "text": " ", "more": [1]})";
  const Probes probes = load(text);
  ASSERT_EQ(probes.all.size(), 3u);
  EXPECT_EQ(probes.all[0].group, "a");
  EXPECT_EQ(probes.all[1].id, "7");
  EXPECT_EQ(probes.all[1].text, "zwei é\nlines");
  EXPECT_EQ(probes.all[1].where, options_.path.string() + ":3");
  EXPECT_EQ(probes.subjects, (std::vector<std::string>{"art", "math"}));
  EXPECT_EQ(probes.subject, (std::vector<int32_t>{1, 0, 1}));
  EXPECT_EQ(probes.groups, (std::vector<std::string>{"a", "g"}));
  EXPECT_EQ(probes.group, (std::vector<int32_t>{0, 1, 1}));
  EXPECT_EQ(probes.group_subject, (std::vector<int32_t>{1, 0}));  // g is art's: its first probe is
  EXPECT_EQ(probes.part[1], probes.part[2]);
  EXPECT_EQ(probes.sha256, store::sha256(text));
  ASSERT_EQ(probes.files.size(), 1u);
  EXPECT_EQ(probes.files[0].path, options_.path);
}

TEST_F(ProbesTest, ReadsGzip) {
  const std::string packed = gzip(line("a", "math", "one"));
  const Probes probes = load(packed);
  EXPECT_EQ(probes.all.size(), 1u);
  EXPECT_EQ(probes.sha256, store::sha256(packed));
}

TEST_F(ProbesTest, SplitsWholeGroups) {
  std::string text;
  for (int i = 0; i < 400; ++i) {
    const std::string number = std::to_string(i);
    text += R"({"id": ")" + number + R"(", "subject": ")" + (i % 2 == 0 ? "art" : "law") +
            R"(", "group": ")" + std::to_string(i / 10) + (i % 2 == 0 ? "a" : "l") + R"(", "text": "x"})" +
            "\n";
  }
  const Probes probes = load(text);
  std::map<int32_t, std::set<Part>> parts;
  for (std::size_t i = 0; i < probes.all.size(); ++i) parts[probes.group[i]].insert(probes.part[i]);
  for (const auto& [group, of_group] : parts) EXPECT_EQ(of_group.size(), 1u) << group;
  EXPECT_EQ(probes.of(Part::fit).size(), 200u);
  EXPECT_EQ(probes.of(Part::verify).size(), 100u);
  EXPECT_EQ(probes.of(Part::judge).size(), 100u);
  EXPECT_NE(load_probes(options_, 2).part, probes.part);
  options_.split = "none";
  const Probes whole = load_probes(options_, 1);
  EXPECT_FALSE(whole.split);
  EXPECT_EQ(whole.of(Part::judge).size(), 400u);
  EXPECT_EQ(whole.of(Part::fit).back(), 399);
}

TEST_F(ProbesTest, FiltersAndLimits) {
  std::string text;
  for (int i = 0; i < 9; ++i) text += line(std::to_string(i), i % 3 == 0 ? "a" : i % 3 == 1 ? "b" : "c", "x");
  options_.subjects = {"c", "a"};
  options_.limit = 2;
  const Probes probes = load(text);
  std::vector<std::string> ids;
  for (const Probe& probe : probes.all) ids.push_back(probe.id);
  EXPECT_EQ(ids, (std::vector<std::string>{"0", "2", "3", "5"}));
  EXPECT_EQ(probes.subjects, (std::vector<std::string>{"a", "c"}));
  options_.subjects = {"a", "d"};
  refuses(Exit::data, text, {"no probes of d", "a, b, c"});
  options_.subjects.clear();
  options_.limit = -1;
  refuses(Exit::usage, text, {"probes.limit"});
}

TEST_F(ProbesTest, RefusesFaultyLinesByNumber) {
  const std::string good = line("a", "math", "one");
  refuses(Exit::data, good + "\n{\"id\": ", {"probes.jsonl:3", "JSON"});
  refuses(Exit::data, good + "[1]\n", {"probes.jsonl:2", "object"});
  refuses(Exit::data, good + R"({"id": "b", "subject": "math"})", {"probes.jsonl:2", "'text'"});
  refuses(Exit::data, good + R"({"id": "b", "text": "x"})", {"probes.jsonl:2", "'subject'"});
  refuses(Exit::data, good + R"({"subject": "math", "text": "x"})", {"probes.jsonl:2", "'id'"});
  refuses(Exit::data, good + R"({"id": 1.5, "subject": "math", "text": "x"})", {"probes.jsonl:2", "'id'"});
  refuses(Exit::data, good + R"({"id": "b", "subject": "math", "text": 5})", {"probes.jsonl:2", "'text'"});
  refuses(Exit::data, good + line("", "math", "x"), {"probes.jsonl:2", "id is empty"});
  refuses(Exit::data, good + line("b", "", "x"), {"probes.jsonl:2", "subject is empty"});
  refuses(Exit::data, good + line("b", "math", ""), {"probes.jsonl:2", "text is empty"});
  refuses(Exit::data, good + line("b\\u0000", "math", "x"), {"probes.jsonl:2", "zero byte"});
  refuses(Exit::data, good + line("b", "math", "\xff"), {"probes.jsonl:2", "UTF-8"});
  refuses(Exit::data, good + line("b", "math", "\\ud800"), {"probes.jsonl:2", "JSON"});
  refuses(Exit::data, good + line("b", "art", "x") + line("a", "art", "y"),
          {"probes.jsonl:3", "'a'", "probes.jsonl:1"});
  refuses(Exit::data, "\n \n", {"no probes"});
  options_.format = "json";
  refuses(Exit::usage, good, {"probes.format", "'json'"});
  options_.format = "jsonl";
  options_.split = "1:1";
  refuses(Exit::usage, good, {"probes.split"});
  options_.path = folder_ / "nowhere";
  options_.split = "2:1:1";
  test::expect_error(Exit::io, {"nowhere"}, [&] { (void)load_probes(options_, 1); });
}

TEST_F(ProbesTest, ReadsMmluPro) {
  options_.format = "mmlu-pro";
  options_.template_ = R"({question}\n{options}\nAnswer: {answer})";
  const std::string long_question(100, 'q');
  const Probes probes = load(
      R"({"question_id": 70, "category": "law", "question": "Why?", "options": ["a", "b"], "answer_index": 1})"
      "\n"
      R"({"question_id": 71, "category": "law", "question": ")" +
      long_question + R"(", "options": ["a", "b"], "answer": "A"})");
  EXPECT_EQ(probes.all[0].id, "70");
  EXPECT_EQ(probes.all[0].subject, "law");
  EXPECT_EQ(probes.all[0].group, "Why?");
  EXPECT_EQ(probes.all[0].text, "Why?\nA. a\nB. b\nAnswer: b");
  EXPECT_EQ(probes.all[1].group, long_question.substr(0, 80));
  EXPECT_TRUE(probes.all[1].text.ends_with("Answer: a"));
  refuses(Exit::data, R"({"question_id": 70, "category": "law", "question": "Why?", "options": ["a"]})",
          {"probes.jsonl:1", "answer"});
  options_.template_ = "{question}";
  EXPECT_EQ(load(R"({"question_id": 70, "category": "law", "question": "Why?"})").all[0].text, "Why?");
  options_.template_ = "{name}";
  refuses(Exit::usage, "{}", {"{name}"});
}

TEST_F(ProbesTest, ReadsMmluFolders) {
  options_.format = "mmlu";
  options_.template_ = "{question} {answer}";
  write("mmlu/world_religions_test.csv", "\"Who,\nthen?\",w,x,y,z,C\nWhat?,1,2,3,4,A\n");
  write("mmlu/anatomy_test.csv", "Where?,a,b,c,d,D\n");
  write("mmlu/anatomy_dev.csv", "not,read");
  options_.path = folder_ / "mmlu";
  const Probes probes = load_probes(options_, 1);
  ASSERT_EQ(probes.all.size(), 3u);
  EXPECT_EQ(probes.all[0].id, "anatomy/1");
  EXPECT_EQ(probes.all[0].text, "Where? d");
  EXPECT_EQ(probes.all[1].text, "Who,\nthen? y");
  EXPECT_EQ(probes.all[2].id, "world_religions/3");
  EXPECT_EQ(probes.subjects, (std::vector<std::string>{"anatomy", "world_religions"}));
  EXPECT_EQ(probes.files.size(), 2u);
  EXPECT_EQ(probes.sha256.size(), 64u);
  const auto refuses_folder = [&](Exit code, const std::vector<std::string>& parts) {
    test::expect_error(code, parts, [&] { (void)load_probes(options_, 1); });
  };
  write("mmlu/bad_test.csv", "Q?,a,b,c,d,A\nQ?,a,b,c,d\n");
  refuses_folder(Exit::data, {"bad_test.csv:2", "5 fields"});
  write("mmlu/bad_test.csv", "Q?,a,b,c,d,E\n");
  refuses_folder(Exit::data, {"bad_test.csv:1", "'E'"});
  write("mmlu/bad_test.csv", "Q\xff?,a,b,c,d,A\n");
  refuses_folder(Exit::data, {"bad_test.csv:1", "UTF-8"});
  write("empty/notes.txt", "");
  options_.path = folder_ / "empty";
  refuses_folder(Exit::data, {"empty", "SUBJECT_test.csv"});
  options_.path = folder_ / "nowhere";
  refuses_folder(Exit::io, {"nowhere"});
}

TEST_F(ProbesTest, ReadsTheRealQuestions) {
  const fs::path shared = test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "MMLU-Pro is not here: set INCIPIT_SHARED";
  options_.path = shared / "data/mmlu_pro.jsonl.gz";
  options_.format = "mmlu-pro";
  options_.template_ = R"({question}\nSubject:)";
  const Probes probes = load_probes(options_, 1);
  EXPECT_EQ(probes.all.size(), 9657u);
  EXPECT_EQ(probes.subjects.size(), 14u);
  EXPECT_LT(probes.groups.size(), probes.all.size());
  EXPECT_TRUE(probes.all[0].text.ends_with("offence.\nSubject:"));
}

}  // namespace
}  // namespace incipit::corpus
