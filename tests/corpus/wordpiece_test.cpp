#include "corpus/wordpiece.hpp"

#include <nlohmann/json.hpp>

#include "../support.hpp"
#include "corpus/bert_text.hpp"
#include "store/files.hpp"

namespace incipit::corpus {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Ids = std::vector<int32_t>;

class WordPieceTest : public test::FolderTest {
 protected:
  [[nodiscard]] WordPiece load(const Json& json) const {
    write("tokenizer.json", json.dump());
    return WordPiece::load(folder_);
  }
  [[nodiscard]] Json patched(const char* patch) const {
    Json json = golden_["tokenizer"];
    json.merge_patch(Json::parse(patch));
    return json;
  }
  void refuses(const Json& json, std::vector<std::string> parts) const {
    parts.emplace_back("tokenizer.json");
    test::expect_error(Exit::data, parts, [&] { (void)load(json); });
  }
  static void expect_cases(const WordPiece& tokenizer, const Json& cases, int64_t length) {
    for (const Json& entry : cases) {
      EXPECT_EQ(tokenizer.encode(entry["text"].get<std::string>(), length), entry["ids"].get<Ids>())
          << entry["text"];
    }
  }
  /// The folder of an older encoder: its pieces by line, and what the tokenizer's class does not say.
  void write_lines(const Json& config) const {
    std::vector<std::string> pieces(golden_["tokenizer"]["model"]["vocab"].size());
    for (const auto& [piece, id] : golden_["tokenizer"]["model"]["vocab"].items())
      pieces[id.get<std::size_t>()] = piece;
    std::string lines;
    for (const std::string& piece : pieces) lines += piece + "\n";
    write("vocab.txt", lines);
    write("tokenizer_config.json", config.dump());
  }

  /// What the Hugging Face library gave, by tests/reference/wordpiece_golden.py.
  Json golden_ =
      Json::parse(store::read_text(fs::path(INCIPIT_SOURCE_DIR) / "tests/corpus/golden/wordpiece.json"));
};

TEST_F(WordPieceTest, GivesTheIdsOfTheReference) {
  ASSERT_GE(golden_["cases"].size(), 250U);
  const WordPiece tokenizer = load(golden_["tokenizer"]);
  expect_cases(tokenizer, golden_["cases"], golden_["length"]);
  EXPECT_EQ(tokenizer.vocab_size(), static_cast<int64_t>(golden_["tokenizer"]["model"]["vocab"].size()));
}

TEST_F(WordPieceTest, GivesTheIdsOfTheReferenceUnderEveryOption) {
  ASSERT_GE(golden_["variants"].size(), 14U);
  for (const Json& variant : golden_["variants"]) {
    // As a merge patch, except that null stays null.
    Json patched = golden_["tokenizer"];
    for (const auto& [key, value] : variant["patch"].items()) {
      if (value.is_null()) {
        patched[key] = nullptr;
      } else if (value.is_object() && patched[key].is_object()) {
        patched[key].update(value);
      } else {
        patched[key] = value;
      }
    }
    ASSERT_GE(variant["cases"].size(), 28U);
    expect_cases(load(patched), variant["cases"], variant["length"]);
  }
}

TEST_F(WordPieceTest, ReadsAVocabularyByLines) {
  write_lines({{"tokenizer_class", "BertTokenizer"}, {"mask_token", {{"content", "[MASK]"}}}});
  expect_cases(WordPiece::load(folder_), golden_["cases"], golden_["length"]);
  write_lines({{"tokenizer_class", "MPNetTokenizer"},
               {"do_lower_case", false},
               {"strip_accents", true},
               {"tokenize_chinese_chars", false},
               {"cls_token", "[MASK]"},
               {"sep_token", "[PAD]"},
               {"pad_token", "[PAD]"},
               {"mask_token", {{"content", "[MASK]"}, {"lstrip", true}}}});
  const Json special = golden_["tokenizer"]["model"]["vocab"];
  const WordPiece tokenizer = WordPiece::load(folder_);
  EXPECT_EQ(tokenizer.encode(" [MASK]", 8), (Ids{special["[MASK]"], special["[MASK]"], special["[PAD]"]}));
  EXPECT_EQ(tokenizer.encode("\u00e9", 8), tokenizer.encode("e", 8));
  EXPECT_NE(tokenizer.encode("A", 8), tokenizer.encode("a", 8));
}

TEST_F(WordPieceTest, PrefersTheWholeDescription) {
  write_lines({{"tokenizer_class", "T5Tokenizer"}});
  expect_cases(load(golden_["tokenizer"]), golden_["cases"], golden_["length"]);
}

TEST_F(WordPieceTest, KeepsTheFrameOfATextThatIsCut) {
  const WordPiece tokenizer = load(golden_["tokenizer"]);
  const Ids whole = tokenizer.encode("the cell, the cell, the cell", 100);
  ASSERT_GT(whole.size(), 6U);
  Ids cut(whole.begin(), whole.begin() + 5);
  cut.push_back(whole.back());
  EXPECT_EQ(tokenizer.encode("the cell, the cell, the cell", 6), cut);
  EXPECT_EQ(tokenizer.encode("", 2), (Ids{whole.front(), whole.back()}));
  test::expect_error(Exit::data, {"1", "2"}, [&] { (void)tokenizer.encode("the", 1); });
  test::expect_error(Exit::data, {"UTF-8", "byte 4"}, [&] { (void)tokenizer.encode("the \xff", 9); });
}

TEST_F(WordPieceTest, RefusesOtherTokenizersByName) {
  refuses(patched(R"({"model": {"type": "BPE"}})"), {"model", "'BPE'", "'WordPiece'"});
  refuses(patched(R"({"model": {"type": "Unigram", "vocab": [["a", -1.5]]}})"), {"'Unigram'", "'WordPiece'"});
  refuses(patched(R"({"model": {"type": null}})"), {"model", "without a type"});
  refuses(patched(R"({"normalizer": {"type": "NFC"}})"), {"normalizer", "'NFC'", "BertNormalizer"});
  refuses(patched(R"({"pre_tokenizer": {"type": "ByteLevel"}})"),
          {"pre_tokenizer", "ByteLevel", "BertPreTokenizer"});
  refuses(patched(R"({"pre_tokenizer": null})"), {"pre_tokenizer"});
  refuses(patched(R"({"post_processor": {"type": "ByteLevel"}})"), {"post_processor", "ByteLevel"});
}

TEST_F(WordPieceTest, RefusesMalformedFiles) {
  const auto with = [&](const std::function<void(Json&)>& change) {
    Json changed = golden_["tokenizer"];
    change(changed);
    return changed;
  };
  refuses(Json::array(), {"object"});
  refuses(patched(R"({"model": null})"), {"model"});
  refuses(patched(R"({"model": {"unk_token": "nowhere"}})"), {"unk_token", "'nowhere'"});
  refuses(patched(R"({"model": {"vocab": {"new": 7}}})"), {"two tokens have the id 7"});
  refuses(patched(R"({"model": {"max_input_chars_per_word": -1}})"), {"max_input_chars_per_word", "-1"});
  refuses(patched(R"({"normalizer": {"lowercase": "yes"}})"), {"lowercase"});
  refuses(patched(R"({"post_processor": {"special_tokens": {"[SEP]": null}}})"), {"special_tokens", "[SEP]"});
  refuses(patched(R"({"post_processor": {"special_tokens": {"[SEP]": {"ids": [99999]}}}})"), {"99999"});
  refuses(with([](Json& j) { j["post_processor"]["single"].push_back(j["post_processor"]["single"][1]); }),
          {"single", "one Sequence", "2"});
  refuses(patched(R"({"post_processor": {"type": "BertProcessing", "sep": ["[SEP]"], "cls": ["[CLS]", 2]}})"),
          {"sep", "a token and its id"});
  refuses(with([](Json& j) {
            j["added_tokens"].push_back(
                {{"id", j["model"]["vocab"]["\u0301"]}, {"content", "\u0301"}, {"normalized", true}});
          }),
          {"added_tokens", "nothing is left"});
  write("tokenizer.json", "{\"model\":");
  test::expect_error(Exit::data, {"tokenizer.json", "JSON"}, [&] { (void)WordPiece::load(folder_); });
}

TEST_F(WordPieceTest, RefusesMalformedLinesAndConfigs) {
  const auto refuses_lines = [&](const Json& config, const std::vector<std::string>& parts) {
    write_lines(config);
    test::expect_error(Exit::data, parts, [&] { (void)WordPiece::load(folder_); });
  };
  const std::string config = "tokenizer_config.json";
  test::expect_error(Exit::data, {folder_.string(), "tokenizer.json", "vocab.txt"},
                     [&] { (void)WordPiece::load(folder_); });
  refuses_lines({{"tokenizer_class", "RobertaTokenizer"}}, {config, "RobertaTokenizer", "BertTokenizer"});
  refuses_lines(Json::object(), {config, "tokenizer_class"});
  refuses_lines({{"tokenizer_class", "MPNetTokenizer"}}, {config, "cls_token", "'<s>'", "vocab.txt"});
  refuses_lines({{"tokenizer_class", "BertTokenizer"}, {"sep_token", 7}}, {config, "sep_token", "7"});
  refuses_lines({{"tokenizer_class", "BertTokenizer"}, {"sep_token", {{"lstrip", true}}}},
                {config, "sep_token", "content"});
  refuses_lines({{"tokenizer_class", "BertTokenizer"}, {"do_lower_case", "no"}}, {config, "do_lower_case"});
  write("vocab.txt", "[PAD]\n[UNK]\n[PAD]\n");
  write(config, R"({"tokenizer_class": "BertTokenizer"})");
  test::expect_error(Exit::data, {"vocab.txt", "line 3", "[PAD]", "twice"},
                     [&] { (void)WordPiece::load(folder_); });
  write("vocab.txt", "[PAD]\n\xff\n");
  test::expect_error(Exit::data, {"vocab.txt", "line 2", "UTF-8"}, [&] { (void)WordPiece::load(folder_); });
  fs::remove(folder_ / config);
  test::expect_error(Exit::data, {config}, [&] { (void)WordPiece::load(folder_); });
}

TEST(BertNormalizer, DoesOneThingAtATime) {
  const std::string text = "\u0130\u00c9 a\u200b\u0085b\u3000\u4e2dc";
  EXPECT_EQ((BertNormalizer{false, false, false, false}.apply(text)), text);
  EXPECT_EQ((BertNormalizer{true, false, false, false}.apply("a\u200bb\u3000c\x01\ufffd\t")), "ab c ");
  EXPECT_EQ((BertNormalizer{false, true, false, false}.apply("a\u4e2dc")), "a \u4e2d c");
  EXPECT_EQ((BertNormalizer{false, false, true, false}.apply("\u00c9\u1ed9")), "Eo");
  EXPECT_EQ((BertNormalizer{false, false, false, true}.apply("\u0130\u03a3\u00c9")), "i\u0307\u03c3\u00e9");
}

TEST(BertWords, ArePartedBySpaceAndPunctuation) {
  EXPECT_EQ(bert_words("a b,c$\u3000\u00bfd\u20ace"),
            (std::vector<std::string_view>{"a", "b", ",", "c", "$", "\u00bf", "d\u20ace"}));
  EXPECT_TRUE(bert_words(" \n\u00a0").empty());
}

}  // namespace
}  // namespace incipit::corpus
