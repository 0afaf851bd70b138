#include "match/sentence_folder.hpp"

#include <algorithm>

#include "little_encoder.hpp"

namespace incipit::match {
namespace {

namespace fs = std::filesystem;
using model::Pooling;
using Ids = std::vector<int32_t>;

class SentenceFolderTest : public testing::LittleEncoderTest {
 protected:
  [[nodiscard]] SentenceFolder read() const { return read_sentence_folder(folder_); }
  void refuses(const std::vector<std::string>& parts) const {
    test::expect_error(Exit::data, parts, [&] { (void)read(); });
  }
  void remove(const char* name) const { fs::remove(folder_ / name); }
  [[nodiscard]] std::vector<std::string> names(const SentenceFolder& folder) const {
    std::vector<std::string> all;
    for (const fs::path& file : folder.files) all.push_back(fs::relative(file, folder_).string());
    return all;
  }
};

TEST_F(SentenceFolderTest, SaysWhatTheFolderSays) {
  const SentenceFolder folder = read();
  EXPECT_EQ(folder.name, folder_.filename().string());
  EXPECT_EQ(folder.config.d, 8);
  EXPECT_EQ(folder.pooling, Pooling::mean);
  EXPECT_EQ(folder.max_length, 10);
  EXPECT_EQ(folder.prompt, "");
  EXPECT_EQ(folder.tokenizer.encode("Cells of law", 10), (Ids{2, 11, 6, 7, 8, 3}));
  EXPECT_EQ(names(folder),
            (std::vector<std::string>{"1_Pooling/config.json", "config.json", "model.safetensors",
                                      "modules.json", "sentence_bert_config.json", "tokenizer.json"}));
  EXPECT_EQ(read_sentence_folder(folder_ / "").name, folder.name);
}

TEST_F(SentenceFolderTest, APlainFolderIsPooledByTheMean) {
  for (const char* name : {"modules.json", "sentence_bert_config.json", "1_Pooling/config.json"})
    remove(name);
  const SentenceFolder folder = read();
  EXPECT_EQ(folder.pooling, Pooling::mean);
  EXPECT_EQ(folder.max_length, 12);  // the model's positions
  write_json("tokenizer_config.json", {{"model_max_length", 7}});
  EXPECT_EQ(read().max_length, 7);
  write_json("tokenizer_config.json", {{"model_max_length", 1e30}});
  EXPECT_EQ(read().max_length, 12);
  EXPECT_EQ(names(read()).back(), "tokenizer_config.json");
}

TEST_F(SentenceFolderTest, KnowsBothSpellingsOfAPooling) {
  const auto pooling = [&](const Json& config) {
    write_json("1_Pooling/config.json", config);
    return read().pooling;
  };
  EXPECT_EQ(pooling({{"pooling_mode_cls_token", true}}), Pooling::first);
  EXPECT_EQ(pooling({{"pooling_mode_max_tokens", true}, {"pooling_mode_mean_tokens", false}}), Pooling::max);
  EXPECT_EQ(pooling({{"embedding_dimension", 8}, {"pooling_mode", "cls"}}), Pooling::first);
  EXPECT_EQ(pooling({{"pooling_mode", {"max"}}}), Pooling::max);
  EXPECT_EQ(pooling(Json::object()), Pooling::mean);
}

TEST_F(SentenceFolderTest, FollowsModulesToTheirFolders) {
  Json list = modules({"Transformer", "Pooling"});
  list[0]["path"] = "0_Transformer";
  list[0]["type"] = "sentence_transformers.base.modules.transformer.Transformer";
  write_json("modules.json", list);
  for (const char* name :
       {"config.json", "tokenizer.json", "model.safetensors", "sentence_bert_config.json"}) {
    fs::create_directories(folder_ / "0_Transformer");
    fs::rename(folder_ / name, folder_ / "0_Transformer" / name);
  }
  EXPECT_EQ(read().model, folder_ / "0_Transformer");
  EXPECT_EQ(read().max_length, 10);
}

TEST_F(SentenceFolderTest, ReadsCaseAndPrompt) {
  write_json("sentence_bert_config.json", {{"do_lower_case", true}});
  EXPECT_EQ(read().tokenizer.encode("CELLS", 10), (Ids{2, 4, 6, 3}));
  write_json("config_sentence_transformers.json",
             {{"prompts", {{"query", "query: "}, {"document", ""}}}, {"default_prompt_name", "query"}});
  EXPECT_EQ(read().prompt, "query: ");
  pooling_["include_prompt"] = false;
  write_json("1_Pooling/config.json", pooling_);
  refuses({"1_Pooling/config.json", "include_prompt"});
  write_json("config_sentence_transformers.json",
             {{"prompts", {{"document", ""}}}, {"default_prompt_name", "query"}});
  refuses({"config_sentence_transformers.json", "query"});
}

TEST_F(SentenceFolderTest, NamesAFileThatIsMissing) {
  const std::pair<const char*, const char*> files[] = {{"1_Pooling/config.json", "1_Pooling/config.json"},
                                                       {"config.json", "config.json"},
                                                       {"model.safetensors", "model.safetensors"},
                                                       {"tokenizer.json", "tokenizer.json"}};
  for (const auto& [name, shown] : files) {
    fs::rename(folder_ / name, folder_ / "away");
    refuses({folder_.string(), shown});
    fs::rename(folder_ / "away", folder_ / name);
  }
  test::expect_error(Exit::usage, {"match.encoder", "nowhere", "lexical", "jobs/get-encoder.sh"},
                     [&] { (void)read_sentence_folder(folder_ / "nowhere"); });
  test::expect_error(Exit::usage, {"config.json"},
                     [&] { (void)read_sentence_folder(folder_ / "config.json"); });
}

TEST_F(SentenceFolderTest, RefusesModulesItDoesNotKnow) {
  const auto with = [&](const std::vector<std::string>& types) {
    write_json("modules.json", modules(types));
    std::vector<std::string> parts{"modules.json", "expected Transformer, Pooling"};
    for (const std::string& type : types) parts.push_back(type);
    refuses(parts);
  };
  with({"Transformer", "Pooling", "Dense", "Normalize"});
  with({"Transformer", "Pooling", "Dense"});
  with({"Transformer"});
  with({"WordEmbeddings", "Pooling"});
  with({});
  write_json("modules.json", {{"type", "Transformer"}});
  refuses({"modules.json", "a list"});
  write_json("modules.json", Json::array({{{"path", ""}}}));
  refuses({"modules.json", "module 0", "type"});
  write("modules.json", "[");
  refuses({"modules.json", "JSON"});
}

TEST_F(SentenceFolderTest, RefusesPoolingsItDoesNotKnow) {
  const auto with = [&](const Json& config, const char* found) {
    write_json("1_Pooling/config.json", config);
    refuses({"1_Pooling/config.json", "mean, cls and max", found});
  };
  with({{"pooling_mode_mean_tokens", true}, {"pooling_mode_max_tokens", true}}, "max_tokens, mean_tokens");
  with({{"pooling_mode_mean_sqrt_len_tokens", true}}, "mean_sqrt_len_tokens");
  with({{"pooling_mode", "lasttoken"}}, "lasttoken");
  with({{"pooling_mode", {"mean", "cls"}}}, "mean, cls");
  with({{"pooling_mode", 3}}, "3");
  pooling_["word_embedding_dimension"] = 9;
  write_json("1_Pooling/config.json", pooling_);
  refuses({"1_Pooling/config.json", "word_embedding_dimension", "9", "8"});
  write_json("1_Pooling/config.json", {{"pooling_mode_mean_tokens", "yes"}});
  refuses({"1_Pooling/config.json", "pooling_mode_mean_tokens"});
}

TEST_F(SentenceFolderTest, RefusesATokenizerThatDoesNotFit) {
  Json other = tokenizer_;
  other["model"]["type"] = "BPE";
  write_json("tokenizer.json", other);
  refuses({"tokenizer.json", "'BPE'", "'WordPiece'"});
  other = tokenizer_;
  other["model"]["vocab"]["beyond"] = 16;
  write_json("tokenizer.json", other);
  refuses({folder_.string(), "17 tokens", "vocab_size is 16"});
  write_json("tokenizer.json", tokenizer_);
  write_json("sentence_bert_config.json", {{"max_seq_length", 1}});
  refuses({folder_.string(), "cut at 1 tokens"});
  write_json("sentence_bert_config.json", {{"max_seq_length", 0}});
  refuses({"sentence_bert_config.json", "max_seq_length", "0"});
  write_json("sentence_bert_config.json", {{"max_seq_length", 1000}});
  EXPECT_EQ(read().max_length, 12);
}

}  // namespace
}  // namespace incipit::match
