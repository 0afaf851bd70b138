// Embeddings against BertModel and MPNetModel of Hugging Face's transformers in fp32:
// tests/reference/encoder_golden.py.

#include "model/text_encoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "../checkpoint/tiny.hpp"
#include "../device/every_device.hpp"
#include "../golden.hpp"
#include "../support.hpp"
#include "device/host/host_device.hpp"

namespace incipit::model {
namespace {

using Texts = std::vector<std::vector<std::int32_t>>;
using Tensors = std::vector<checkpoint::TinyTensor>;
constexpr double bound = 1e-5;

const test::Golden& encoder_golden() {
  static const test::Golden file("encoder.h5");
  return file;
}

std::string kind_name(EncoderConfig::Kind kind) {
  return kind == EncoderConfig::Kind::bert ? "bert" : "mpnet";
}

/// Names and shapes of BertModel's and MPNetModel's state_dict, without pooler.
std::map<std::string, std::vector<std::int64_t>> shapes(const EncoderConfig& config) {
  const std::int64_t d = config.d;
  const bool bert = config.kind == EncoderConfig::Kind::bert;
  std::map<std::string, std::vector<std::int64_t>> all;
  const auto layer = [&](const std::string& name, std::vector<std::int64_t> weight) {
    all[name + ".bias"] = {weight.front()};
    all[name + ".weight"] = std::move(weight);
  };
  all["embeddings.word_embeddings.weight"] = {config.vocab, d};
  all["embeddings.position_embeddings.weight"] = {config.positions, d};
  layer("embeddings.LayerNorm", {d});
  if (bert) all["embeddings.token_type_embeddings.weight"] = {2, d};
  if (!bert) all["encoder.relative_attention_bias.weight"] = {32, config.heads};
  for (std::int64_t i = 0; i < config.layers; ++i) {
    const std::string block = "encoder.layer." + std::to_string(i) + ".";
    for (const char* part : {"query", "key", "value"})
      layer(block + (bert ? "attention.self." + std::string(part) : "attention.attn." + std::string(part, 1)),
            {d, d});
    layer(block + (bert ? "attention.output.dense" : "attention.attn.o"), {d, d});
    layer(block + (bert ? "attention.output.LayerNorm" : "attention.LayerNorm"), {d});
    layer(block + "intermediate.dense", {config.mlp, d});
    layer(block + "output.dense", {d, config.mlp});
    layer(block + "output.LayerNorm", {d});
  }
  return all;
}

/// The weights that the golden script gives its models: a linear congruence over all tensors by their names.
Tensors random_tensors(const EncoderConfig& config, std::uint64_t seed, float spread) {
  Tensors tensors;
  std::uint64_t state = seed;
  for (const auto& [name, shape] : shapes(config)) {
    std::int64_t size = 1;
    for (const std::int64_t extent : shape) size *= extent;
    std::vector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      value = static_cast<float>(static_cast<double>(state >> 40U) / 0x1p23 - 1) * spread;
      if (name.ends_with("LayerNorm.weight")) value += 1;
    }
    tensors.push_back({name, "F32", shape, checkpoint::bytes_of(values)});
  }
  return tensors;
}

std::string config_text(const EncoderConfig& config) {
  return "{\"model_type\": \"" + kind_name(config.kind) + "\", \"hidden_size\": " + std::to_string(config.d) +
         ", \"num_hidden_layers\": " + std::to_string(config.layers) +
         ", \"num_attention_heads\": " + std::to_string(config.heads) +
         ", \"intermediate_size\": " + std::to_string(config.mlp) +
         ", \"vocab_size\": " + std::to_string(config.vocab) +
         ", \"max_position_embeddings\": " + std::to_string(config.positions) +
         ", \"hidden_act\": \"gelu\", \"layer_norm_eps\": " + (config.norm_eps < 1e-6 ? "1e-12" : "1e-05") +
         "}";
}

/// A folder with an encoder in it, and the encoder on a device.
class EncoderFolder : public test::FolderTest {
 protected:
  void write_encoder(const EncoderConfig& config, const Tensors& tensors) const {
    write("config.json", config_text(config));
    write("model.safetensors", checkpoint::safetensors_file(tensors));
  }
  [[nodiscard]] TextEncoder encoder(device::Device& device) const {
    return {device, checkpoint::Weights::open(folder_), read_encoder_config(folder_ / "config.json")};
  }
};

class EncoderGolden : public EncoderFolder, public testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] std::string path(const std::string& name) const {
    return std::string("cases/") + GetParam() + "/" + name;
  }
  [[nodiscard]] std::int64_t number(const char* name) const {
    return encoder_golden().attribute<std::int64_t>(path(""), name);
  }
  [[nodiscard]] EncoderConfig config() const {
    EncoderConfig config;
    config.kind = number("kind") == 0 ? EncoderConfig::Kind::bert : EncoderConfig::Kind::mpnet;
    config.heads = number("heads");
    config.d = config.heads * number("head_size");
    config.layers = number("layers");
    config.mlp = number("mlp");
    config.vocab = number("vocab");
    config.positions = number("positions");
    config.norm_eps = encoder_golden().attribute<double>(path(""), "norm_eps");
    return config;
  }
  [[nodiscard]] Tensors tensors() const {
    return random_tensors(config(), static_cast<std::uint64_t>(number("seed")),
                          encoder_golden().attribute<float>(path(""), "spread"));
  }
  [[nodiscard]] Texts texts() const {
    const std::vector<std::int32_t> tokens = encoder_golden().read<std::int32_t>(path("tokens"));
    Texts all;
    auto next = tokens.begin();
    for (const std::int64_t length : encoder_golden().read<std::int64_t>(path("length"))) {
      all.emplace_back(next, next + length);
      next += length;
    }
    return all;
  }
};

std::vector<float> row_of(const std::vector<float>& all, std::size_t row, std::size_t d) {
  const auto begin = all.begin() + static_cast<std::ptrdiff_t>(row * d);
  return {begin, begin + static_cast<std::ptrdiff_t>(d)};
}

std::vector<double> normalised(const std::vector<float>& row) {
  double sum = 0;
  for (const float x : row) sum += static_cast<double>(x) * static_cast<double>(x);
  std::vector<double> unit;
  for (const float x : row) unit.push_back(static_cast<double>(x) / std::sqrt(sum));
  return unit;
}

TEST_P(EncoderGolden, EmbeddingsAreTheSame) {
  write_encoder(config(), tensors());
  const Texts all = texts();
  const auto d = static_cast<std::size_t>(config().d);
  for (const device::Candidate& candidate : device::every_device()) {
    const auto device = candidate.make();
    TextEncoder model = encoder(*device);
    for (const auto& [name, pooling] : {std::pair{"mean", Pooling::mean}, std::pair{"first", Pooling::first},
                                        std::pair{"max", Pooling::max}}) {
      SCOPED_TRACE(candidate.name + ", " + name);
      const std::vector<float> expected = encoder_golden().read<float>(path(name));
      const std::vector<float> found = model.embed(all, pooling, 220);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        const std::vector<float> ours = row_of(found, i, d);
        const std::vector<float> theirs = row_of(expected, i, d);
        EXPECT_LE(test::relative_error(ours, theirs), bound) << "text " << i;
        EXPECT_LE(test::relative_error(normalised(ours), normalised(theirs)), bound) << "text " << i;
      }
    }
  }
}

TEST_P(EncoderGolden, OrderRepetitionAndThreadsDoNotMatter) {
  write_encoder(config(), tensors());
  const Texts all = texts();
  const auto d = static_cast<std::size_t>(config().d);
  const auto device = device::make_host_device(1);
  const auto device_of_more = device::make_host_device(3);
  TextEncoder model = encoder(*device);
  const std::vector<float> once = model.embed(all, Pooling::mean, 100);
  EXPECT_EQ(once, encoder(*device_of_more).embed(all, Pooling::mean, 100));
  Texts turned(all.rbegin(), all.rend());
  turned.insert(turned.begin() + 2, all.begin(), all.end());
  const std::vector<float> found = model.embed(turned, Pooling::mean, 100);
  for (std::size_t i = 0; i < turned.size(); ++i) {
    const auto original =
        static_cast<std::size_t>(std::find(all.begin(), all.end(), turned[i]) - all.begin());
    EXPECT_EQ(row_of(found, i, d), row_of(once, original, d)) << "text " << i;
  }
}

TEST_P(EncoderGolden, OtherTextsMatterInTheLastBitsOnly) {
  write_encoder(config(), tensors());
  const Texts all = texts();
  const auto d = static_cast<std::size_t>(config().d);
  const auto device = device::make_host_device(1);
  TextEncoder model = encoder(*device);
  const std::vector<float> together = model.embed(all, Pooling::mean, 1000);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<float> alone = model.embed({&all[i], 1}, Pooling::mean, 1000);
    EXPECT_LE(test::relative_error(row_of(together, i, d), alone), 2e-6) << "text " << i;
  }
}

TEST_P(EncoderGolden, NamesMayHaveAPrefixAndOtherTasksTensors) {
  Tensors named = tensors();
  write_encoder(config(), named);
  const auto device = device::every_device().front().make();
  const Texts all = texts();
  const std::vector<float> plain = encoder(*device).embed(all, Pooling::mean, 1000);

  for (checkpoint::TinyTensor& tensor : named) tensor.name = kind_name(config().kind) + "." + tensor.name;
  const std::string prefix = kind_name(config().kind) + ".";
  named.push_back({prefix + "pooler.dense.weight", "F32", {1, 1}, std::string(4, '\1')});
  named.push_back({prefix + "embeddings.position_ids", "I64", {1, 1}, std::string(8, '\0')});
  named.push_back({"cls.predictions.bias", "F32", {1}, std::string(4, '\1')});
  write_encoder(config(), named);
  EXPECT_EQ(encoder(*device).embed(all, Pooling::mean, 1000), plain);
}

constexpr const char* encoder_cases[] = {"bert", "bert_wide", "mpnet", "mpnet_one"};
INSTANTIATE_TEST_SUITE_P(Cases, EncoderGolden, testing::ValuesIn(encoder_cases),
                         [](const auto& chosen) { return std::string(chosen.param); });

TEST(EncoderGoldenFile, DistancesFallIntoTheSameBuckets) {
  const std::vector<std::int64_t> distance = encoder_golden().read<std::int64_t>("distance");
  const std::vector<std::int64_t> bucket = encoder_golden().read<std::int64_t>("bucket");
  ASSERT_EQ(distance.size(), 1201U);
  for (std::size_t i = 0; i < distance.size(); ++i)
    EXPECT_EQ(distance_bucket(distance[i], 32), bucket[i]) << "distance " << distance[i];
}

/// A little encoder whose files are then spoilt.
class BadEncoder : public EncoderFolder {
 protected:
  BadEncoder() {
    config_.d = 8;
    config_.layers = 2;
    config_.heads = 2;
    config_.mlp = 12;
    config_.vocab = 11;
    config_.positions = 6;
    tensors_ = random_tensors(config_, 1, 0.5F);
  }
  checkpoint::TinyTensor& tensor(const std::string& name) {
    return *std::find_if(tensors_.begin(), tensors_.end(), [&](const auto& t) { return t.name == name; });
  }
  void expect_refused(Exit code, const std::vector<std::string>& parts) const {
    write_encoder(config_, tensors_);
    const auto device = device::every_device().front().make();
    test::expect_error(code, parts, [&] { (void)encoder(*device); });
  }
  void expect_texts_refused(Exit code, const Texts& texts, const std::vector<std::string>& parts) const {
    write_encoder(config_, tensors_);
    const auto device = device::every_device().front().make();
    TextEncoder model = encoder(*device);
    test::expect_error(code, parts, [&] { (void)model.embed(texts, Pooling::mean, 100); });
  }
  /// config.json with one key replaced.
  void expect_config_refused(const std::string& from, const std::string& to,
                             const std::vector<std::string>& parts) const {
    std::string text = config_text(config_);
    const std::size_t place = text.find(from);
    ASSERT_NE(place, std::string::npos);
    write("config.json", text.replace(place, from.size(), to));
    test::expect_error(Exit::data, parts, [&] { (void)read_encoder_config(folder_ / "config.json"); });
  }

  EncoderConfig config_;
  Tensors tensors_;
};

TEST_F(BadEncoder, MissingOddAndSurplusTensorsAreNamed) {
  tensor("encoder.layer.1.output.dense.weight").name = "encoder.layer.2.output.dense.weight";
  tensor("embeddings.LayerNorm.bias").shape = {2, 4};
  expect_refused(Exit::data,
                 {"model.safetensors", "1 missing: encoder.layer.1.output.dense.weight",
                  "embeddings.LayerNorm.bias has shape [2, 4] where config.json asks for [8]",
                  "1 that a BertModel of this shape does not have", "encoder.layer.2.output.dense.weight"});
}

TEST_F(BadEncoder, AnotherModelsTensorsAreNotTaken) {
  config_.kind = EncoderConfig::Kind::mpnet;
  expect_refused(Exit::data, {"encoder.layer.0.attention.attn.q.weight", "relative_attention_bias",
                              "does not have: embeddings.token_type_embeddings.weight"});
}

TEST_F(BadEncoder, AWeightThatIsNotFiniteIsNamed) {
  checkpoint::TinyTensor& spoilt = tensor("encoder.layer.0.output.dense.weight");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::memcpy(spoilt.bytes.data() + 4 * (12 + 3), &nan, sizeof nan);
  expect_refused(Exit::numbers, {"encoder.layer.0.output.dense.weight", "NaN", "[1, 3]", "match.encoder"});
}

TEST_F(BadEncoder, AnEmbeddingThatOverflowsIsNamed) {
  // A sum in the layer norm that is beyond fp32.
  checkpoint::TinyTensor& spoilt = tensor("embeddings.word_embeddings.weight");
  std::vector<float> values(11 * 8, 1.0F);
  std::fill(values.begin() + 5 * 8, values.begin() + 6 * 8, 3e38F);
  spoilt.bytes = checkpoint::bytes_of(values);
  expect_texts_refused(Exit::numbers, {{1, 2, 3}, {4, 5}}, {"text 1", "NaN or infinite"});
}

TEST_F(BadEncoder, TextsThatCannotBeReadAreNamed) {
  expect_texts_refused(Exit::data, {{1}, {}}, {"text 1", "0 tokens", "1 to 6"});
  expect_texts_refused(Exit::data, {{1}, {1, 2, 3, 4, 5, 6, 7}}, {"text 1", "7 tokens", "1 to 6"});
  expect_texts_refused(Exit::data, {{1, 11}}, {"text 0", "token 11", "vocabulary of 11"});
  expect_texts_refused(Exit::data, {{-1}}, {"text 0", "token -1", "vocabulary of 11"});
}

TEST_F(BadEncoder, NoTextsHaveNoEmbeddings) {
  write_encoder(config_, tensors_);
  const auto device = device::every_device().front().make();
  EXPECT_TRUE(encoder(*device).embed({}, Pooling::mean, 100).empty());
}

TEST_F(BadEncoder, ConfigsOfOtherModelsAreRefused) {
  expect_config_refused("\"bert\"", "\"roberta\"", {"config.json", "model_type", "'mpnet'", "'roberta'"});
  expect_config_refused("\"gelu\"", "\"relu\"", {"hidden_act", "expected 'gelu'", "'relu'"});
  expect_config_refused("\"hidden_size\": 8", "\"hidden_size\": 9", {"hidden_size", "multiple", "found 9"});
  expect_config_refused("\"vocab_size\": 11", "\"vocab_size\": 0", {"vocab_size", "1 to", "found 0"});
  expect_config_refused("\"vocab_size\"", "\"vocabulary\"", {"'vocab_size' is missing"});
  expect_config_refused("1e-12", "0", {"layer_norm_eps", "between 0 and 1"});
  expect_config_refused("\"hidden_act\"", "\"position_embedding_type\": \"relative_key\", \"hidden_act\"",
                        {"position_embedding_type", "'absolute'", "'relative_key'"});
  expect_config_refused("\"hidden_act\"", "\"is_decoder\": true, \"hidden_act\"", {"is_decoder", "false"});
  config_.kind = EncoderConfig::Kind::mpnet;
  expect_config_refused("\"hidden_act\"", "\"relative_attention_num_buckets\": 16, \"hidden_act\"",
                        {"relative_attention_num_buckets", "expected 32, found 16"});
  expect_config_refused("\"hidden_act\"", "\"pad_token_id\": 0, \"hidden_act\"", {"pad_token_id", "found 0"});
  config_.positions = 2;
  expect_config_refused("gelu", "gelu", {"max_position_embeddings", "more than 2", "found 2"});
}

}  // namespace
}  // namespace incipit::model
