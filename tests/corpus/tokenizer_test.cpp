#include "corpus/tokenizer.hpp"

#include <nlohmann/json.hpp>
#include <thread>

#include "../support.hpp"
#include "corpus/normalization.hpp"
#include "random_text.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"

namespace incipit::corpus {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

const fs::path source = INCIPIT_SOURCE_DIR;

Json read_json(const fs::path& path) {
  return Json::parse(store::read_text(path));
}

void expect_cases(const Tokenizer& tokenizer, const Json& cases) {
  for (const Json& entry : cases) {
    EXPECT_EQ(tokenizer.encode(entry["text"].get<std::string>()), entry["ids"].get<std::vector<int32_t>>())
        << entry["text"];
  }
}

void expect_texts(const Tokenizer& tokenizer, const Json& cases) {
  for (const Json& entry : cases) {
    EXPECT_EQ(tokenizer.decode(entry["ids"].get<std::vector<int32_t>>()), entry["text"].get<std::string>())
        << entry["ids"];
  }
}

class TokenizerTest : public test::FolderTest {
 protected:
  [[nodiscard]] Tokenizer load(const Json& json) const {
    return Tokenizer::load(write("tokenizer.json", json.dump()));
  }
  void refuses(const Json& json, const std::vector<std::string>& parts) const {
    std::vector<std::string> all = parts;
    all.emplace_back("tokenizer.json");
    test::expect_error(Exit::data, all, [&] { (void)load(json); });
  }

  fs::path nano_ = source / "inputs/nano/tokenizer.json";
};

/// What the Hugging Face library gave, by tests/reference/tokenizer_golden.py.
TEST_F(TokenizerTest, GivesTheIdsOfTheReference) {
  const Json golden = read_json(source / "tests/corpus/golden/nano.json");
  ASSERT_EQ(store::sha256_file(nano_), golden["sha256"].get<std::string>()) << "make the golden file again";
  ASSERT_GE(golden["cases"].size(), 200u);
  expect_cases(Tokenizer::load(nano_), golden["cases"]);
}

TEST_F(TokenizerTest, GivesTheIdsOfTheReferenceUnderEveryFlag) {
  const Json golden = read_json(source / "tests/corpus/golden/nano.json");
  const Json description = read_json(nano_);
  ASSERT_GE(golden["variants"].size(), 5u);
  for (const Json& variant : golden["variants"]) {
    Json patched = description;
    patched.merge_patch(variant["patch"]);
    ASSERT_GE(variant["cases"].size(), 30u);
    expect_cases(load(patched), variant["cases"]);
  }
}

TEST_F(TokenizerTest, GivesTheTextsOfTheReference) {
  const Json golden = read_json(source / "tests/corpus/golden/nano.json");
  const Json description = read_json(nano_);
  ASSERT_GE(golden["decoded"].size(), 100u);
  expect_texts(Tokenizer::load(nano_), golden["decoded"]);
  for (const Json& variant : golden["variants"]) {
    Json patched = description;
    patched.merge_patch(variant["patch"]);
    ASSERT_GE(variant["decoded"].size(), 10u);
    expect_texts(load(patched), variant["decoded"]);
  }
}

TEST_F(TokenizerTest, GivesEveryTextBack) {
  const Tokenizer tokenizer = Tokenizer::load(nano_);
  for (uint64_t i = 0; i < 500; ++i) {
    Random random(4, Purpose::test, i);
    const std::string text = random_text(random);
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text)), nfc(text));
  }
}

TEST_F(TokenizerTest, KnowsWhichTokensAreNoText) {
  const Tokenizer tokenizer = Tokenizer::load(nano_);
  EXPECT_TRUE(tokenizer.is_special(0));
  EXPECT_FALSE(tokenizer.is_special(tokenizer.encode("a").front()));
  EXPECT_FALSE(tokenizer.is_special(4096));
}

TEST_F(TokenizerTest, GivesTheIdsOfTheReferenceForPythia) {
  const fs::path shared = test::shared_folder();
  if (shared.empty()) GTEST_SKIP() << "Pythia's tokenizer is not here: set INCIPIT_SHARED";
  const fs::path pythia = shared / "data/pythia-tokenizer/tokenizer.json";
  const Json golden = read_json(source / "tests/corpus/golden/pythia.json");
  ASSERT_EQ(store::sha256_file(pythia), golden["sha256"].get<std::string>());
  const Tokenizer tokenizer = Tokenizer::load(pythia);
  expect_cases(tokenizer, golden["cases"]);
  expect_texts(tokenizer, golden["decoded"]);
  EXPECT_EQ(tokenizer.vocab_size(), 50277);
  EXPECT_EQ(tokenizer.token(50276), "  ");
  EXPECT_EQ(tokenizer.bos(), 0);
}

TEST_F(TokenizerTest, ReadsMergesAsPairs) {
  Json json = read_json(nano_);
  for (Json& merge : json["model"]["merges"]) {
    const std::string text = merge;
    const std::size_t space = text.find(' ');
    merge = {text.substr(0, space), text.substr(space + 1)};
  }
  const Json golden = read_json(source / "tests/corpus/golden/nano.json");
  expect_cases(load(json), golden["cases"]);
}

TEST_F(TokenizerTest, GivesTheTextBack) {
  const Tokenizer tokenizer = Tokenizer::load(nano_);
  EXPECT_EQ(tokenizer.vocab_size(), 4096);
  EXPECT_EQ(tokenizer.bos(), 0);
  EXPECT_EQ(tokenizer.token(0), "<|endoftext|>");
  std::string text;
  for (const int32_t id : tokenizer.encode("The cell's nucleus,  twice.\n")) text += tokenizer.token(id);
  EXPECT_EQ(text, "The cell's nucleus,  twice.\n");
  EXPECT_EQ(tokenizer.token(tokenizer.encode("\x01").front()), "\x01");
  const std::vector<int32_t> parts =
      tokenizer.encode("\U00010348");  // rare: single bytes, no text by themselves
  ASSERT_GT(parts.size(), 1u);
  EXPECT_EQ(tokenizer.token(parts.front()), "ð");
  test::expect_error(Exit::data, {"4096"}, [&] { (void)tokenizer.token(4096); });
}

TEST_F(TokenizerTest, RefusesInvalidUtf8) {
  const Tokenizer tokenizer = Tokenizer::load(nano_);
  test::expect_error(Exit::data, {"UTF-8", "byte 5"}, [&] { (void)tokenizer.encode("hello\xff world"); });
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

TEST_F(TokenizerTest, NamesTheByteThatTheReferenceNames) {
  const Json golden = read_json(source / "tests/corpus/golden/nano.json");
  ASSERT_GE(golden["invalid"].size(), 60u);
  const Tokenizer tokenizer = Tokenizer::load(nano_);
  for (const Json& entry : golden["invalid"]) {
    const std::string expected = "at byte " + std::to_string(entry["byte"].get<int>());
    try {
      (void)tokenizer.encode(from_hex(entry["hex"]));
      ADD_FAILURE() << "no error for " << entry;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string(error.what()).ends_with(expected)) << error.what() << " for " << entry;
    }
  }
}

TEST_F(TokenizerTest, MayBeSharedByThreads) {
  const Tokenizer tokenizer = Tokenizer::load(nano_);
  std::vector<std::string> texts;
  std::vector<std::vector<int32_t>> expected;
  for (uint64_t i = 0; i < 300; ++i) {
    Random random(3, Purpose::test, i);
    texts.push_back(random_text(random));
    expected.push_back(tokenizer.encode(texts.back()));
  }
  std::vector<int> equal(3, 0);
  std::vector<std::thread> threads;
  for (int& count : equal) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < texts.size(); ++i)
        count += tokenizer.encode(texts[i]) == expected[i] ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(3, 300));
}

TEST_F(TokenizerTest, RefusesWhatItDoesNotKnowByName) {
  const Json json = read_json(nano_);
  const auto with = [&](const char* patch) {
    Json patched = json;
    patched.merge_patch(Json::parse(patch));
    return patched;
  };
  refuses(with(R"({"model": {"type": "WordPiece"}})"), {"model", "WordPiece"});
  refuses(with(R"({"model": {"type": null}})"), {"model", "type"});
  refuses(with(R"({"model": {"dropout": 0.1}})"), {"dropout"});
  refuses(with(R"({"model": {"continuing_subword_prefix": "##"}})"), {"continuing_subword_prefix"});
  refuses(with(R"({"model": {"end_of_word_suffix": "</w>"}})"), {"end_of_word_suffix"});
  refuses(with(R"({"normalizer": {"type": "NFKC"}})"), {"normalizer", "NFKC"});
  refuses(
      with(R"({"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip"}]}})"),
      {"Strip"});
  refuses(with(R"({"pre_tokenizer": {"type": "Whitespace"}})"), {"pre_tokenizer", "Whitespace"});
  refuses(with(R"({"pre_tokenizer": null})"), {"pre_tokenizer"});
}

TEST_F(TokenizerTest, RefusesMalformedFiles) {
  const Json json = read_json(nano_);
  const auto with = [&](const std::function<void(Json&)>& change) {
    Json changed = json;
    change(changed);
    return changed;
  };
  refuses(Json::array(), {"object"});
  refuses(with([](Json& j) { j.erase("model"); }), {"model"});
  refuses(with([](Json& j) { j["model"].erase("vocab"); }), {"vocab"});
  refuses(with([](Json& j) { j["model"]["vocab"]["new"] = 17; }), {"two tokens have the id 17"});
  refuses(with([](Json& j) { j["model"]["vocab"]["new"] = -1; }), {"'new'", "-1"});
  refuses(with([](Json& j) { j["model"]["vocab"]["new"] = 3000000000u; }), {"'new'"});
  refuses(with([](Json& j) { j["model"]["merges"][5] = "abc"; }), {"merges[5]", "abc"});
  refuses(with([](Json& j) { j["model"]["merges"][5] = "a b c"; }), {"merges[5]"});
  refuses(with([](Json& j) { j["model"]["merges"][5] = Json::array({"a"}); }), {"merges[5]"});
  refuses(with([](Json& j) { j["model"]["merges"][5] = "q q"; }), {"merges[5]", "'qq'", "vocabulary"});
  refuses(with([](Json& j) { j["added_tokens"][0]["id"] = 5; }), {"added_tokens[0]", "5"});
  refuses(with([](Json& j) { j["added_tokens"][1]["content"] = ""; }), {"added_tokens[1]", "empty"});
  refuses(with([](Json& j) { j["added_tokens"].push_back(j["added_tokens"][0]); }),
          {"added_tokens[2]", "twice"});
  refuses(with([](Json& j) { j["added_tokens"][0]["lstrip"] = "yes"; }), {"added_tokens[0]", "lstrip"});
  refuses(with([](Json& j) {
            j["model"]["vocab"].erase("z");
            j["model"]["merges"] = Json::array();
          }),
          {"byte 122", "'z'"});
  const auto broken = write("tokenizer.json", "{\"model\":");
  test::expect_error(Exit::data, {"tokenizer.json", "JSON"}, [&] { (void)Tokenizer::load(broken); });
  test::expect_error(Exit::io, {"nowhere"}, [&] { (void)Tokenizer::load(folder_ / "nowhere"); });
}

}  // namespace
}  // namespace incipit::corpus
