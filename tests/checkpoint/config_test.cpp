#include "checkpoint/config.hpp"

#include <cmath>

#include "../support.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

class ConfigTest : public test::FolderTest {
 protected:
  /// A tiny config with more keys put before its closing brace.
  [[nodiscard]] Config with(const std::string& keys) const {
    std::string text = tiny_config_text();
    text.insert(text.size() - 1, ", " + keys);
    return read_config(write("config.json", text));
  }
  void refuses(const std::string& keys, const std::vector<std::string>& parts) const {
    std::vector<std::string> all = parts;
    all.emplace_back("config.json");
    test::expect_error(Exit::data, all, [&] { (void)with(keys); });
  }
};

TEST_F(ConfigTest, ReadsWhatPythiaWrites) {
  const Config config = read_config(write("config.json", R"({
    "architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_act": "gelu",
    "hidden_size": 768, "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 2048,
    "num_attention_heads": 12, "num_hidden_layers": 12, "rotary_emb_base": 10000, "rotary_pct": 0.25,
    "tie_word_embeddings": false, "torch_dtype": "float16", "use_parallel_residual": true,
    "vocab_size": 50304, "bos_token_id": 0})"));
  EXPECT_EQ(config.d, 768);
  EXPECT_EQ(config.heads, 12);
  EXPECT_EQ(config.head_size(), 64);
  EXPECT_EQ(config.rotary_dims(), 16);
  EXPECT_EQ(config.context, 2048);
  EXPECT_EQ(config.dtype, "float16");
  EXPECT_TRUE(config.parallel_residual && config.attention_bias && !config.tied_embeddings);
  EXPECT_EQ(config.activation, Activation::gelu);
  EXPECT_DOUBLE_EQ(config.flops_per_token(), 24.0 * 768 * 768 * 12);
}

TEST_F(ConfigTest, FillsInWhatTransformersFillsIn) {
  const Config config = read_config(write("config.json", tiny_config_text()));
  EXPECT_EQ(config, tiny_config());
  EXPECT_EQ(config.rotary_base, 10000);
  EXPECT_EQ(config.norm_eps, 1e-5);
}

TEST_F(ConfigTest, ReadsTheNewerRopeParameters) {
  const Config config = with(
      R"("rope_parameters": {"rope_type": "default", "rope_theta": 5000.0, "partial_rotary_factor": 1.0})");
  EXPECT_EQ(config.rotary_base, 5000);
  EXPECT_EQ(config.rotary_fraction, 1.0);
  EXPECT_EQ(config.rotary_dims(), 4);
  EXPECT_EQ(with(R"("rotary_emb_base": 20000, "rope_scaling": null)").rotary_base, 20000);
}

TEST_F(ConfigTest, ReadsVariants) {
  EXPECT_FALSE(with(R"("use_parallel_residual": false)").parallel_residual);
  EXPECT_FALSE(with(R"("attention_bias": false)").attention_bias);
  EXPECT_EQ(with(R"("hidden_act": "gelu_new")").activation, Activation::gelu_new);
  EXPECT_EQ(with(R"("hidden_act": "gelu_pytorch_tanh")").activation, Activation::gelu_new);
  EXPECT_EQ(with(R"("hidden_act": "gelu_fast")").activation, Activation::gelu_fast);
  EXPECT_EQ(with(R"("hidden_act": "relu")").activation, Activation::relu);
  EXPECT_EQ(with(R"("dtype": "bfloat16")").dtype, "bfloat16");
}

TEST_F(ConfigTest, CountsParametersAsPublished) {
  struct Published {
    int64_t vocab, d, layers, total, non_embedding;
  };
  // Pythia's model card.
  for (const auto& [vocab, d, layers, total, non_embedding] : {
           Published{50304, 512, 6, 70'426'624, 18'915'328},
           Published{50304, 768, 12, 162'322'944, 85'056'000},
           Published{50304, 1024, 24, 405'334'016, 302'311'424},
           Published{50304, 2048, 16, 1'011'781'632, 805'736'448},
           Published{50304, 2560, 32, 2'775'208'960, 2'517'652'480},
           Published{50432, 4096, 32, 6'857'302'016, 6'444'163'072},
           Published{50688, 5120, 36, 11'846'072'320, 11'327'027'200},
       }) {
    Config config;
    config.vocab = vocab;
    config.d = d;
    config.layers = layers;
    config.mlp = 4 * d;
    EXPECT_EQ(config.params(), total);
    EXPECT_EQ(config.params_non_embedding(), non_embedding);
  }
}

TEST_F(ConfigTest, CountsParametersAsTheTensorsDo) {
  for (const bool tied : {false, true}) {
    for (const bool bias : {false, true}) {
      Config config = tiny_config();
      config.tied_embeddings = tied;
      config.attention_bias = bias;
      int64_t sum = 0;
      for (const auto& [name, shape] : expected_tensors(config)) {
        int64_t size = 1;
        for (const int64_t extent : shape) size *= extent;
        sum += size;
      }
      EXPECT_EQ(config.params(), sum) << tied << bias;
    }
  }
}

TEST_F(ConfigTest, RefusesByName) {
  refuses(R"("model_type": "llama")", {"llama", "gpt_neox"});
  refuses(R"("hidden_act": "swish")", {"swish"});
  refuses(R"("rope_scaling": {"type": "linear", "factor": 2})", {"rope_scaling", "linear"});
  refuses(R"("rope_parameters": {"rope_type": "yarn"})", {"yarn"});
}

TEST_F(ConfigTest, RefusesAbsurdValues) {
  refuses(R"("hidden_size": 0)", {"hidden_size"});
  refuses(R"("hidden_size": 9)", {"9", "num_attention_heads"});
  refuses(R"("hidden_size": 1e3)", {"hidden_size", "whole number"});
  refuses(R"("hidden_size": 99999999999999999999)", {"hidden_size"});
  refuses(R"("num_hidden_layers": 100000)", {"num_hidden_layers"});
  refuses(R"("num_attention_heads": "two")", {"num_attention_heads", "two"});
  refuses(R"("vocab_size": -5)", {"vocab_size"});
  refuses(R"("rotary_pct": 1.5)", {"rotary"});
  refuses(R"("rotary_pct": 0.25)", {"even"});
  refuses(R"("rotary_emb_base": 0)", {"rotary"});
  refuses(R"("layer_norm_eps": 0)", {"layer_norm_eps"});
  refuses(R"("use_parallel_residual": 1)", {"use_parallel_residual"});
}

TEST_F(ConfigTest, RefusesWhatIsNoConfig) {
  test::expect_error(Exit::io, {"nowhere"}, [&] { (void)read_config(folder_ / "nowhere.json"); });
  for (const std::string text : {"", "{", "[]", "3", "{}", R"({"model_type": "gpt_neox"})", "\xff\xfe"}) {
    const auto path = write("broken.json", text);
    test::expect_error(Exit::data, {"broken.json"}, [&] { (void)read_config(path); });
  }
}

}  // namespace
}  // namespace incipit::checkpoint
