#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../checkpoint/tiny.hpp"
#include "../support.hpp"
#include "random.hpp"

namespace incipit::match::testing {

/// A folder with a BERT of one layer and eight dimensions that knows a dozen words.
class LittleEncoderTest : public test::FolderTest {
 protected:
  using Json = nlohmann::json;

  LittleEncoderTest() {
    write_json("config.json", config_);
    write_json("tokenizer.json", tokenizer_);
    write_json("modules.json", modules({"Transformer", "Pooling", "Normalize"}));
    write_json("sentence_bert_config.json", {{"max_seq_length", 10}, {"do_lower_case", false}});
    write_json("1_Pooling/config.json", pooling_);
    write("model.safetensors", checkpoint::safetensors_file(tensors()));
  }

  void write_json(const char* name, const Json& value) const { write(name, value.dump()); }

  [[nodiscard]] static Json modules(const std::vector<std::string>& types) {
    Json list = Json::array();
    for (const std::string& type : types) {
      const std::string path = list.empty() ? "" : std::to_string(list.size()) + "_" + type;
      list.push_back(
          {{"idx", list.size()}, {"path", path}, {"type", "sentence_transformers.models." + type}});
    }
    return list;
  }

  [[nodiscard]] static std::vector<checkpoint::TinyTensor> tensors() {
    std::vector<checkpoint::TinyTensor> all;
    const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
      int64_t size = 1;
      for (const int64_t extent : shape) size *= extent;
      Random random(5, Purpose::test, all.size());
      std::vector<float> values;
      for (int64_t i = 0; i < size; ++i) values.push_back(static_cast<float>(random.normal()));
      all.push_back({name, "F32", std::move(shape), checkpoint::bytes_of(values)});
    };
    const auto layer = [&](const std::string& name, std::vector<int64_t> shape) {
      add(name + ".weight", shape);
      add(name + ".bias", {shape.front()});
    };
    add("embeddings.word_embeddings.weight", {16, 8});
    add("embeddings.position_embeddings.weight", {12, 8});
    add("embeddings.token_type_embeddings.weight", {2, 8});
    layer("embeddings.LayerNorm", {8});
    const std::string block = "encoder.layer.0.";
    for (const char* part : {"self.query", "self.key", "self.value", "output.dense"})
      layer(block + "attention." + part, {8, 8});
    layer(block + "attention.output.LayerNorm", {8});
    layer(block + "intermediate.dense", {20, 8});
    layer(block + "output.dense", {8, 20});
    layer(block + "output.LayerNorm", {8});
    return all;
  }

  Json config_ = {{"model_type", "bert"},         {"vocab_size", 16},         {"hidden_size", 8},
                  {"num_hidden_layers", 1},       {"num_attention_heads", 2}, {"intermediate_size", 20},
                  {"max_position_embeddings", 12}};
  Json pooling_ = {{"word_embedding_dimension", 8},
                   {"pooling_mode_cls_token", false},
                   {"pooling_mode_mean_tokens", true},
                   {"pooling_mode_max_tokens", false}};
  Json tokenizer_ = {
      {"normalizer", {{"type", "BertNormalizer"}, {"lowercase", false}}},
      {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
      {"post_processor", {{"type", "BertProcessing"}, {"cls", {"[CLS]", 2}}, {"sep", {"[SEP]", 3}}}},
      {"model",
       {{"type", "WordPiece"},
        {"vocab",
         {{"[PAD]", 0},
          {"[UNK]", 1},
          {"[CLS]", 2},
          {"[SEP]", 3},
          {"cell", 4},
          {"court", 5},
          {"##s", 6},
          {"of", 7},
          {"law", 8},
          {"query", 9},
          {":", 10},
          {"Cell", 11},
          {"number", 12},
          {"gene", 13}}}}}};
};

}  // namespace incipit::match::testing
