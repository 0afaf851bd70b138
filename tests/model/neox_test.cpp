#include "model/neox.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <map>
#include <numeric>

#include "../device/every_device.hpp"
#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"
#include "neox_reference.hpp"
#include "random_checkpoint.hpp"
#include "random_pack.hpp"

namespace incipit::model {
namespace {

constexpr std::int64_t vocabulary_size = 113;

using checkpoint::Activation;
using checkpoint::Config;
using checkpoint::Dtype;

Config shape(std::int64_t layers, std::int64_t heads, std::int64_t head_size, double rotary) {
  Config config;
  config.vocab = vocabulary_size;
  config.d = heads * head_size;
  config.layers = layers;
  config.heads = heads;
  config.mlp = 4 * config.d;
  config.context = 512;
  config.rotary_fraction = rotary;
  return config;
}

/// A checkpoint in a folder of its own that goes with the object.
class Checkpoint {
 public:
  explicit Checkpoint(const Config& config, Dtype dtype = Dtype::f32, int shards = 1)
      : folder_(std::filesystem::temp_directory_path() /
                ("incipit-neox-" + std::to_string(getpid()) + "-" + std::to_string(count_++))) {
    write_random_checkpoint(folder_, {config, dtype, shards, 7});
  }
  ~Checkpoint() { std::filesystem::remove_all(folder_); }
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }
  [[nodiscard]] checkpoint::Weights weights() const { return checkpoint::Weights::open(folder_); }
  [[nodiscard]] Config config() const { return checkpoint::read_config(folder_ / "config.json"); }

 private:
  static inline int count_ = 0;
  std::filesystem::path folder_;
};

using Rows = std::map<int, std::vector<float>>;

Rows run(const Checkpoint& checkpoint, const std::vector<corpus::Pack>& packs, const std::vector<int>& layers,
         int threads = 1) {
  const auto device = device::make_host_device(threads);
  const checkpoint::Weights weights = checkpoint.weights();
  const Config config = checkpoint.config();
  Neox neox(*device, weights, config);
  Rows rows;
  std::vector<int> order;
  neox.run(packs, layers, [&](int layer, std::span<const float> values) {
    rows[layer].assign(values.begin(), values.end());
    order.push_back(layer);
  });
  EXPECT_EQ(order, layers);
  return rows;
}

std::vector<int> all_layers(const Config& config) {
  std::vector<int> layers(static_cast<std::size_t>(config.layers) + 1);
  std::iota(layers.begin(), layers.end(), 0);
  return layers;
}

void expect_agreement(const Checkpoint& checkpoint, const std::vector<corpus::Pack>& packs,
                      double tolerance = 1e-5) {
  const Config config = checkpoint.config();
  const checkpoint::Weights weights = checkpoint.weights();
  const Rows rows = run(checkpoint, packs, all_layers(config));
  const auto d = static_cast<std::size_t>(config.d);
  std::size_t probe = 0;
  for (const corpus::Pack& one : packs) {
    for (std::size_t i = 0; i < one.probes.size(); ++i, ++probe) {
      const std::vector<std::int32_t> tokens(one.tokens.begin() + one.starts[i],
                                             one.tokens.begin() + one.starts[i + 1]);
      const std::vector<reference::Matrix> expected = reference::forward(weights, config, tokens);
      for (std::size_t layer = 0; layer < expected.size(); ++layer) {
        double error = 0;
        double norm = 0;
        for (std::size_t j = 0; j < d; ++j) {
          const double right = expected[layer].back()[j];
          error += std::pow(rows.at(static_cast<int>(layer))[probe * d + j] - right, 2);
          norm += right * right;
        }
        ASSERT_TRUE(std::sqrt(error) <= tolerance * std::sqrt(norm))
            << "layer " << layer << ", probe of " << tokens.size() << " tokens: relative error "
            << std::sqrt(error / norm);
      }
    }
  }
}

TEST(Neox, AgreesWithPlainLoopsInFp64) {
  struct {
    std::int64_t layers, heads, head_size;
    double rotary;
  } const shapes[] = {{1, 1, 2, 0.0}, {3, 3, 5, 0.4},  {2, 4, 16, 0.25},
                      {2, 5, 7, 0.3}, {4, 2, 12, 1.0}, {1, 7, 64, 0.25}};
  for (const auto& s : shapes) {
    SCOPED_TRACE(testing::Message() << s.layers << " layers, " << s.heads << " heads of " << s.head_size);
    expect_agreement(Checkpoint(shape(s.layers, s.heads, s.head_size, s.rotary)),
                     {random_pack({1, 1, 5, 33}, vocabulary_size, 1),
                      random_pack({70, 2}, vocabulary_size, 2, 4), random_pack({1}, vocabulary_size, 3, 6)});
  }
}

TEST(Neox, AgreesInEveryVariant) {
  for (const bool parallel : {true, false}) {
    for (const bool bias : {true, false}) {
      for (const Activation activation :
           {Activation::gelu, Activation::gelu_new, Activation::gelu_fast, Activation::relu}) {
        SCOPED_TRACE(testing::Message() << parallel << bias << static_cast<int>(activation));
        Config config = shape(2, 3, 8, 0.25);
        config.mlp = 50;
        config.parallel_residual = parallel;
        config.attention_bias = bias;
        config.activation = activation;
        config.norm_eps = 1e-3;
        config.rotary_base = 500;
        expect_agreement(Checkpoint(config), {random_pack({1, 9, 1}, vocabulary_size, 4),
                                              random_pack({1, 1, 1}, vocabulary_size, 5, 3)});
      }
    }
  }
}

TEST(Neox, ReadsEveryTypeAndShards) {
  for (const Dtype dtype : {Dtype::f16, Dtype::bf16, Dtype::f32}) {
    expect_agreement(Checkpoint(shape(3, 2, 10, 0.4), dtype, 4), {random_pack({4, 11}, vocabulary_size, 6)});
  }
}

TEST(Neox, TextsLongerThanABlockOfAttention) {
  expect_agreement(Checkpoint(shape(2, 2, 8, 0.5)), {random_pack({200, 129}, vocabulary_size, 7)});
}

TEST(Neox, SameBytesForAnyThreadsAndWave) {
  const Checkpoint checkpoint(shape(3, 5, 24, 0.25), Dtype::f16);
  const std::vector<corpus::Pack> packs = {random_pack({3, 60, 90}, vocabulary_size, 8),
                                           random_pack({1, 200, 400}, vocabulary_size, 9, 3),
                                           random_pack({7}, vocabulary_size, 10, 6)};
  const std::vector<int> layers = {0, 2, 3};
  const Rows together = run(checkpoint, packs, layers, 1);
  EXPECT_EQ(run(checkpoint, packs, layers, 2), together);
  EXPECT_EQ(run(checkpoint, packs, layers, 5), together);
  Rows apart;
  for (const corpus::Pack& one : packs) {
    for (const auto& [layer, rows] : run(checkpoint, {one}, layers, 3)) {
      apart[layer].insert(apart[layer].end(), rows.begin(), rows.end());
    }
  }
  EXPECT_EQ(apart, together);
}

TEST(Neox, StopsAfterTheLastWantedLayer) {
  const Checkpoint checkpoint(shape(3, 2, 8, 0.25));
  const std::vector<corpus::Pack> packs = {random_pack({5, 6, 80}, vocabulary_size, 11)};
  const Rows all = run(checkpoint, packs, {0, 1, 2, 3});
  EXPECT_EQ(run(checkpoint, packs, {0}).at(0), all.at(0));
  // A layer that is the last one run takes another way through its block.
  const std::vector<float> short_way = run(checkpoint, packs, {2}).at(2);
  ASSERT_EQ(short_way.size(), all.at(2).size());
  for (std::size_t i = 0; i < short_way.size(); ++i) EXPECT_NEAR(short_way[i], all.at(2)[i], 1e-4);
}

/// What blocks add, [layers + 1] of [probes, d] each, with the residuals.
struct Parts {
  Rows residual, attention, mlp;
};

Parts run_parts(device::Device& device, const Checkpoint& checkpoint, const std::vector<corpus::Pack>& packs,
                const std::vector<int>& layers, const std::vector<Neox::Replacement>& replaced = {},
                device::NumberType precision = device::NumberType::f32) {
  const checkpoint::Weights weights = checkpoint.weights();
  const Config config = checkpoint.config();
  Parts parts;
  Neox(device, weights, config, precision)
      .run(
          packs, layers,
          [&](int layer, std::span<const float> rows) {
            parts.residual[layer].assign(rows.begin(), rows.end());
          },
          [&](int layer, std::span<const float> attention, std::span<const float> mlp) {
            parts.attention[layer].assign(attention.begin(), attention.end());
            parts.mlp[layer].assign(mlp.begin(), mlp.end());
          },
          replaced);
  return parts;
}

std::vector<std::int32_t> tokens_of_probe(const corpus::Pack& pack, std::size_t probe) {
  return {pack.tokens.begin() + pack.starts[probe], pack.tokens.begin() + pack.starts[probe + 1]};
}

void expect_rows(const std::vector<float>& found, std::size_t probe, const std::vector<double>& expected,
                 double tolerance, const std::string& what) {
  double error = 0, norm = 0;
  for (std::size_t j = 0; j < expected.size(); ++j) {
    error += std::pow(found[probe * expected.size() + j] - expected[j], 2);
    norm += expected[j] * expected[j];
  }
  ASSERT_TRUE(std::sqrt(error) <= tolerance * std::sqrt(norm))
      << what << ", probe " << probe << ": relative error " << std::sqrt(error / norm);
}

/// Both residuals, with and without biases, two packs; a test of the two ways through a block, as the last
/// block takes the one for last tokens.
template <class Test>
void for_every_residual(const Test& test) {
  for (const device::Candidate& candidate : device::every_device())
    for (const bool parallel : {true, false})
      for (const bool bias : {true, false}) {
        SCOPED_TRACE(candidate.name);
        SCOPED_TRACE(testing::Message()
                     << (parallel ? "parallel" : "sequential") << (bias ? " with" : " without") << " bias");
        Config config = shape(3, 3, 8, 0.25);
        config.mlp = 50;
        config.parallel_residual = parallel;
        config.attention_bias = bias;
        test(*candidate.make(), Checkpoint(config),
             std::vector<corpus::Pack>{random_pack({1, 9, 33}, vocabulary_size, 4),
                                       random_pack({1, 2}, vocabulary_size, 5, 3)});
      }
}

TEST(Neox, KeepsWhatAttentionAndMlpAdd) {
  for_every_residual([](device::Device& device, const Checkpoint& checkpoint,
                        const std::vector<corpus::Pack>& packs) {
    const Parts parts = run_parts(device, checkpoint, packs, {0, 1, 2, 3});
    Rows plain;  // without keeping anything
    const checkpoint::Weights weights = checkpoint.weights();
    const Config config = checkpoint.config();
    Neox(device, weights, config)
        .run(packs, std::vector<int>{0, 1, 2, 3},
             [&](int layer, std::span<const float> rows) { plain[layer].assign(rows.begin(), rows.end()); });
    EXPECT_EQ(parts.residual, plain);
    std::size_t probe = 0;
    for (const corpus::Pack& pack : packs)
      for (std::size_t i = 0; i < pack.probes.size(); ++i, ++probe) {
        reference::Added added;
        static_cast<void>(
            reference::forward(checkpoint.weights(), checkpoint.config(), tokens_of_probe(pack, i), &added));
        for (std::size_t layer = 0; layer < added.mlp.size(); ++layer) {
          const auto at = static_cast<int>(layer);
          expect_rows(parts.attention.at(at), probe, added.attention[layer], 2e-5,
                      "attention " + std::to_string(at));
          expect_rows(parts.mlp.at(at), probe, added.mlp[layer], 2e-5, "mlp " + std::to_string(at));
        }
      }
  });
}

TEST(Neox, ReplacesWhatAComponentAddsAtTheLastToken) {
  const std::vector<std::vector<std::pair<int, Component>>> sets = {
      {{1, Component::attention}},
      {{2, Component::mlp}},
      {{3, Component::attention}},
      {{3, Component::mlp}},
      {{1, Component::mlp}, {2, Component::attention}, {2, Component::mlp}}};
  for_every_residual(
      [&](device::Device& device, const Checkpoint& checkpoint, const std::vector<corpus::Pack>& packs) {
        const Parts plain = run_parts(device, checkpoint, packs, {0, 1, 2, 3});
        for (const auto& components : sets) {
          std::vector<Neox::Replacement> replaced;
          std::vector<reference::Replaced> expected;
          for (const auto& [layer, component] : components) {
            std::vector<float> by;
            for (int j = 0; j < 24; ++j) by.push_back(0.1F * static_cast<float>(j - 7 * layer));
            replaced.push_back({layer, component, by});
            expected.push_back(
                {static_cast<std::size_t>(layer), component == Component::attention, {by.begin(), by.end()}});
          }
          const Parts found = run_parts(device, checkpoint, packs, {0, 1, 2, 3}, replaced);
          for (int layer = 0; layer < components.front().first; ++layer)
            EXPECT_EQ(found.residual.at(layer), plain.residual.at(layer)) << "layer " << layer;
          std::size_t probe = 0;
          for (const corpus::Pack& pack : packs)
            for (std::size_t i = 0; i < pack.probes.size(); ++i, ++probe) {
              const auto right = reference::forward(checkpoint.weights(), checkpoint.config(),
                                                    tokens_of_probe(pack, i), nullptr, expected);
              for (std::size_t layer = 0; layer < right.size(); ++layer)
                expect_rows(found.residual.at(static_cast<int>(layer)), probe, right[layer].back(), 2e-5,
                            "layer " + std::to_string(layer));
            }
        }
      });
}

TEST(Neox, ComponentsNeedEveryLayerAndMustBeThere) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  const auto device = device::make_host_device(1);
  const std::vector<corpus::Pack> packs = {random_pack({3}, vocabulary_size, 16)};
  EXPECT_THROW(run_parts(*device, checkpoint, packs, {0, 2}), Error);
  for (const int layer : {0, 3})
    EXPECT_THROW(
        run_parts(*device, checkpoint, packs, {0, 1, 2}, {{layer, Component::mlp, std::vector<float>(16)}}),
        Error);
}

TEST(Neox, NoPacksAreNoRows) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  EXPECT_TRUE(run(checkpoint, {}, {1, 2}).at(2).empty());
}

/// Overwrites one fp32 number of a tensor in the file.
void poke(const Checkpoint& checkpoint, const std::string& name, std::uint64_t index, float value) {
  const checkpoint::Weights weights = checkpoint.weights();
  const checkpoint::Tensor& tensor = weights.at(name);
  std::fstream file(weights.files()[static_cast<std::size_t>(tensor.file)],
                    std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(tensor.offset + index * sizeof value));
  file.write(reinterpret_cast<const char*>(&value), sizeof value);
}

void expect_error(const Checkpoint& checkpoint, const corpus::Pack& texts, Exit code,
                  const std::vector<std::string>& parts) {
  try {
    run(checkpoint, {texts}, {0, 2});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " in: " << error.what();
    }
  }
}

TEST(Neox, NamesANonFiniteWeight) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  const std::string name = "gpt_neox.layers.1.attention.query_key_value.weight";
  // Row 20 belongs to the keys of head 0; the place named is that in the file.
  poke(checkpoint, name, 20 * 16 + 3, std::numeric_limits<float>::quiet_NaN());
  expect_error(checkpoint, random_pack({4}, vocabulary_size, 12), Exit::numbers,
               {"model.safetensors", name, "NaN at [20, 3]"});
  poke(checkpoint, "gpt_neox.layers.0.mlp.dense_4h_to_h.bias", 15, -std::numeric_limits<float>::infinity());
  expect_error(checkpoint, random_pack({4}, vocabulary_size, 12), Exit::numbers,
               {"layers.0.mlp.dense_4h_to_h.bias", "infinity at [15]"});
}

TEST(Neox, NamesAWeightThatTheArithmeticDoesNotHold) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  poke(checkpoint, "gpt_neox.layers.1.attention.dense.weight", 5 * 16 + 2, 70000.0F);
  const auto weights = checkpoint::Weights::open(checkpoint.folder());
  const auto device = device::make_host_device(1);
  const Config config = shape(2, 2, 8, 0.25);
  const std::vector<corpus::Pack> packs = {random_pack({4}, vocabulary_size, 12)};
  const auto run_in = [&](device::NumberType precision) {
    Neox(*device, weights, config, precision)
        .run(packs, std::vector<int>{2}, [](int, std::span<const float>) {});
  };
  test::expect_error(Exit::numbers,
                     {"layers.1.attention.dense.weight", "70000.000000, more than fp16 holds at [5, 2]",
                      "run.precision = bf16"},
                     [&] { run_in(device::NumberType::f16); });
  EXPECT_NO_THROW(run_in(device::NumberType::bf16));
}

TEST(Neox, NamesANonFiniteResidual) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  for (std::uint64_t i = 0; i < 16; ++i)
    poke(checkpoint, "gpt_neox.layers.0.mlp.dense_4h_to_h.bias", i, 3e38F);
  for (std::uint64_t i = 0; i < 16; ++i) poke(checkpoint, "gpt_neox.layers.0.attention.dense.bias", i, 3e38F);
  expect_error(checkpoint, random_pack({4, 6}, vocabulary_size, 13, 41), Exit::numbers,
               {"layer 1", "probe 41", "16 of 16"});
}

TEST(Neox, NamesATokenBeyondTheVocabulary) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  corpus::Pack texts = random_pack({4, 6}, vocabulary_size, 14, 8);
  texts.tokens[5] = 113;
  expect_error(checkpoint, texts, Exit::data, {"token 113", "probe 9", "113"});
}

TEST(Neox, AFileThatShrinksIsAnErrorOfInput) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  const auto device = device::make_host_device(1);
  const checkpoint::Weights weights = checkpoint.weights();
  const Config config = checkpoint.config();
  Neox neox(*device, weights, config);
  std::filesystem::resize_file(checkpoint.folder() / "model.safetensors", 9000);
  const std::vector<corpus::Pack> packs = {random_pack({3}, vocabulary_size, 15)};
  try {
    neox.run(packs, std::vector<int>{2}, [](int, std::span<const float>) {});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::io);
  }
}

TEST(Neox, LayersMustAscendWithinTheDepth) {
  const Checkpoint checkpoint(shape(2, 2, 8, 0.25));
  for (const std::vector<int>& layers : {std::vector<int>{}, {1, 1}, {2, 1}, {-1}, {3}}) {
    EXPECT_THROW(run(checkpoint, {random_pack({3}, vocabulary_size, 16)}, layers), Error);
  }
}

TEST(Neox, BytesGrowWithWhatIsHeld) {
  const Config config = shape(2, 4, 32, 0.25);
  const auto f32 = device::NumberType::f32;
  const auto bf16 = device::NumberType::bf16;
  EXPECT_GE(Neox::bytes_fixed(config, 100, f32), 2U * 12U * 128U * 128U * 4U + 100U * 6U * 128U * 4U);
  EXPECT_GE(Neox::bytes_fixed(config, 100, bf16), 2U * 12U * 128U * 128U * 2U + 100U * 6U * 128U * 2U);
  EXPECT_LT(Neox::bytes_fixed(config, 100, bf16), Neox::bytes_fixed(config, 100, f32));
  const std::vector<corpus::Pack> packs = {random_pack({50}, vocabulary_size, 17),
                                           random_pack({30, 20}, vocabulary_size, 18)};
  EXPECT_GE(Neox::bytes_per_wave(config, packs, bf16), 100U * 128U * 4U);
}

}  // namespace
}  // namespace incipit::model
