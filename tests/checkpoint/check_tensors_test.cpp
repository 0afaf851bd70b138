#include <algorithm>

#include "../support.hpp"
#include "checkpoint/weights.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

class CheckTensorsTest : public test::FolderTest {
 protected:
  void check(const Config& config) const {
    write("model.safetensors", safetensors_file(tensors_));
    check_tensors(Weights::open(folder_), config);
  }
  void refuses(const std::vector<std::string>& parts) const {
    std::vector<std::string> all = parts;
    all.push_back(folder_.string());
    test::expect_error(Exit::data, all, [&] { check(config_); });
  }
  TinyTensor& tensor(const std::string& name) {
    return *std::find_if(tensors_.begin(), tensors_.end(),
                         [&](const TinyTensor& t) { return t.name == name; });
  }
  void remove(const std::string& name) {
    std::erase_if(tensors_, [&](const TinyTensor& t) { return t.name == name; });
  }

  Config config_ = tiny_config();
  std::vector<TinyTensor> tensors_ = tiny_tensors(config_);
};

TEST_F(CheckTensorsTest, AcceptsAWholeModel) {
  check(config_);
}

TEST_F(CheckTensorsTest, PassesOverOldBuffers) {
  tensors_.push_back({"gpt_neox.layers.0.attention.bias", "BOOL", {1, 1, 2, 2}, "abcd"});
  tensors_.push_back({"gpt_neox.layers.1.attention.masked_bias", "F32", {}, "abcd"});
  tensors_.push_back({"gpt_neox.layers.1.attention.rotary_emb.inv_freq", "F32", {1}, "abcd"});
  check(config_);
}

TEST_F(CheckTensorsTest, NamesAllThatIsWrongAtOnce) {
  remove("gpt_neox.final_layer_norm.bias");
  remove("gpt_neox.layers.1.attention.dense.weight");
  tensor("embed_out.weight").shape = {8, 11};
  tensor("gpt_neox.layers.0.mlp.dense_h_to_4h.bias").dtype = "I32";
  tensors_.push_back({"lm_head.weight", "U8", {1}, "a"});
  refuses({"2 missing", "gpt_neox.final_layer_norm.bias", "gpt_neox.layers.1.attention.dense.weight",
           "embed_out.weight has shape [8, 11] where config.json asks for [11, 8]",
           "gpt_neox.layers.0.mlp.dense_h_to_4h.bias has dtype I32", "lm_head.weight"});
}

TEST_F(CheckTensorsTest, KnowsModelsWithoutAttentionBias) {
  config_.attention_bias = false;
  refuses({"4 that", "gpt_neox.layers.0.attention.dense.bias"});
  tensors_ = tiny_tensors(config_);
  check(config_);
}

TEST_F(CheckTensorsTest, KnowsTiedEmbeddings) {
  config_.tied_embeddings = true;
  check(config_);  // saved all the same
  remove("embed_out.weight");
  check(config_);
  config_.tied_embeddings = false;
  refuses({"1 missing", "embed_out.weight"});
}

TEST_F(CheckTensorsTest, ResidualsNeedNoHead) {
  for (const char* name :
       {"gpt_neox.final_layer_norm.weight", "gpt_neox.final_layer_norm.bias", "embed_out.weight"})
    remove(name);
  write("model.safetensors", safetensors_file(tensors_));
  check_tensors(Weights::open(folder_), config_, Head::unneeded);
  refuses({"model.safetensors", "3 missing", "gpt_neox.final_layer_norm.bias", "embed_out.weight"});
}

TEST_F(CheckTensorsTest, AHeadThatIsThereMustBeRight) {
  tensor("embed_out.weight").shape = {8, 11};
  write("model.safetensors", safetensors_file(tensors_));
  test::expect_error(Exit::data, {"embed_out.weight has shape [8, 11]"},
                     [&] { check_tensors(Weights::open(folder_), config_, Head::unneeded); });
}

}  // namespace
}  // namespace incipit::checkpoint
