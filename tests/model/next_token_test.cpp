#include "model/next_token.hpp"

#include <cmath>
#include <limits>

#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "neox_reference.hpp"
#include "random_checkpoint.hpp"
#include "random_pack.hpp"

namespace incipit::model {
namespace {

using checkpoint::Config;

Config shape(std::int64_t vocabulary, std::int64_t layers = 2) {
  Config config;
  config.vocab = vocabulary;
  config.d = 24;
  config.layers = layers;
  config.heads = 3;
  config.mlp = 96;
  config.context = 256;
  return config;
}

/// Logits of one text in fp64, [token][vocabulary].
reference::Matrix logits_of(const checkpoint::Weights& weights, const Config& config,
                            const std::vector<std::int32_t>& tokens) {
  const auto get = [&](const std::string& name) { return reference::tensor(weights, name); };
  const reference::Matrix normed = reference::layer_norm(
      reference::forward(weights, config, tokens).back(), get("gpt_neox.final_layer_norm.weight"),
      get("gpt_neox.final_layer_norm.bias"), config.norm_eps);
  return reference::linear(normed,
                           get(config.tied_embeddings ? "gpt_neox.embed_in.weight" : "embed_out.weight"), {});
}

double loss_of(const reference::Matrix& logits, const std::vector<std::int32_t>& tokens) {
  double loss = 0;
  for (std::size_t t = 0; t + 1 < tokens.size(); ++t) {
    double sum = 0;
    for (const double logit : logits[t]) sum += std::exp(logit);
    loss += std::log(sum) - logits[t][static_cast<std::size_t>(tokens[t + 1])];
  }
  return loss;
}

std::vector<std::int32_t> text_of(const corpus::Pack& texts, std::size_t i) {
  return {texts.tokens.begin() + texts.starts[i], texts.tokens.begin() + texts.starts[i + 1]};
}

class NextTokenTest : public test::FolderTest {
 protected:
  void make(const Config& config) {
    write_random_checkpoint(folder_, {config, checkpoint::Dtype::f32, 1, 11});
    config_ = checkpoint::read_config(folder_ / "config.json");
  }

  [[nodiscard]] std::vector<NextToken::Loss> run(const std::vector<corpus::Pack>& packs,
                                                 int threads = 1) const {
    const auto device = device::make_host_device(threads);
    const auto weights = checkpoint::Weights::open(folder_);
    return NextToken(*device, weights, config_).run(packs);
  }

  void expect_agreement(const std::vector<corpus::Pack>& packs) const {
    const auto weights = checkpoint::Weights::open(folder_);
    const auto found = run(packs);
    std::size_t probe = 0;
    for (const corpus::Pack& one : packs) {
      for (std::size_t i = 0; i < one.probes.size(); ++i, ++probe) {
        const auto tokens = text_of(one, i);
        const double expected = loss_of(logits_of(weights, config_, tokens), tokens);
        ASSERT_EQ(found[probe].predicted, static_cast<std::int64_t>(tokens.size()) - 1);
        ASSERT_TRUE(std::abs(found[probe].sum - expected) <= 2e-6 * expected)
            << "probe " << probe << " of " << tokens.size() << " tokens: " << found[probe].sum
            << ", expected " << expected;
      }
    }
    ASSERT_EQ(probe, found.size());
  }

  /// Overwrites one number of a tensor in the file.
  void poke(const std::string& name, std::uint64_t index, float value) const {
    const auto weights = checkpoint::Weights::open(folder_);
    std::fstream file(folder_ / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(weights.at(name).offset + index * sizeof value));
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }

  Config config_;
};

TEST_F(NextTokenTest, AgreesWithPlainLoopsInFp64) {
  // Vocabularies smaller than, equal to and larger than one block.
  for (const std::int64_t vocabulary : {2, 113, 1536, 1537, 3200}) {
    SCOPED_TRACE(vocabulary);
    make(shape(vocabulary));
    expect_agreement({random_pack({1, 2, 5, 33}, vocabulary, 1), random_pack({70, 2}, vocabulary, 2, 4),
                      random_pack({1}, vocabulary, 3, 6)});
  }
}

TEST_F(NextTokenTest, AgreesInOtherVariants) {
  Config tied = shape(1700);
  tied.tied_embeddings = true;
  Config sequential = shape(97);
  sequential.parallel_residual = false;
  for (const Config& config : {tied, sequential, shape(50, 1)}) {
    make(config);
    expect_agreement({random_pack({9, 1, 17}, config.vocab, 4)});
  }
}

TEST_F(NextTokenTest, LogitsAgreeWithPlainLoopsInFp64) {
  make(shape(1600));
  const auto device = device::make_host_device(1);
  const auto weights = checkpoint::Weights::open(folder_);
  const corpus::Pack texts = random_pack({3, 21}, 1600, 5);
  const std::vector<float> found = NextToken(*device, weights, config_).logits(texts);
  ASSERT_EQ(found.size(), texts.tokens.size() * 1600);
  double error = 0, norm = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < texts.probes.size(); ++i) {
    for (const auto& row : logits_of(weights, config_, text_of(texts, i))) {
      for (const double logit : row) {
        error += std::pow(found[at++] - logit, 2);
        norm += logit * logit;
      }
    }
  }
  EXPECT_TRUE(std::sqrt(error) <= 2e-6 * std::sqrt(norm)) << std::sqrt(error / norm);
}

TEST_F(NextTokenTest, SameBytesForAnyThreadsAndWave) {
  make(shape(3000, 3));
  const std::vector<corpus::Pack> packs = {random_pack({3, 60, 90}, 3000, 6),
                                           random_pack({1, 200, 256}, 3000, 7, 3),
                                           random_pack({7}, 3000, 8, 6)};
  const auto sums = [](const std::vector<NextToken::Loss>& losses) {
    std::vector<double> out;
    for (const auto& loss : losses) out.push_back(loss.sum);
    return out;
  };
  const std::vector<double> together = sums(run(packs, 1));
  EXPECT_EQ(sums(run(packs, 2)), together);
  EXPECT_EQ(sums(run(packs, 5)), together);
  std::vector<double> apart;
  for (const corpus::Pack& one : packs) {
    const auto own = sums(run({one}, 3));
    apart.insert(apart.end(), own.begin(), own.end());
  }
  EXPECT_EQ(apart, together);
}

TEST_F(NextTokenTest, NoPacksAreNoLosses) {
  make(shape(40));
  EXPECT_TRUE(run({}).empty());
}

TEST_F(NextTokenTest, NamesANonFiniteWeightOfTheHead) {
  make(shape(2000));
  poke("embed_out.weight", 1900 * 24 + 5, std::numeric_limits<float>::quiet_NaN());
  test::expect_error(Exit::numbers, {"model.safetensors", "embed_out.weight", "NaN at [1900, 5]"},
                     [&] { static_cast<void>(run({random_pack({4}, 2000, 9)})); });
}

TEST_F(NextTokenTest, NamesThePlaceOfNonFiniteLogits) {
  make(shape(2000));
  for (std::uint64_t j = 0; j < 24; ++j) poke("gpt_neox.final_layer_norm.weight", j, 1e38F);
  for (std::uint64_t j = 0; j < 24; ++j) poke("embed_out.weight", 1999 * 24 + j, 1e38F);
  test::expect_error(Exit::numbers, {folder_.string(), "token 2 of probe 42"}, [&] {
    static_cast<void>(run({random_pack({1, 6}, 2000, 10, 41)}));
  });
}

TEST_F(NextTokenTest, NeedsTheHead) {
  Config tied = shape(60);
  tied.tied_embeddings = true;
  make(tied);  // without embed_out.weight
  config_.tied_embeddings = false;
  test::expect_error(Exit::data, {"model.safetensors", "1 missing: embed_out.weight"},
                     [&] { static_cast<void>(run({random_pack({4}, 60, 11)})); });
}

TEST_F(NextTokenTest, NamesATokenBeyondTheVocabulary) {
  make(shape(60));
  corpus::Pack texts = random_pack({4, 6}, 60, 12, 8);
  texts.tokens[5] = 60;
  test::expect_error(Exit::data, {"token 60", "probe 9"}, [&] { static_cast<void>(run({texts})); });
}

TEST_F(NextTokenTest, BytesGrowWithWhatIsHeld) {
  const Config config = shape(5000);
  EXPECT_GE(NextToken::bytes_fixed(config, 100, device::NumberType::f32), 1536U * (2U * 24U + 100U) * 4U);
  const std::vector<corpus::Pack> packs = {random_pack({50}, 5000, 13), random_pack({30, 20}, 5000, 14)};
  EXPECT_GE(NextToken::bytes_per_wave(config, packs, device::NumberType::f32), 100U * (24U * 4U + 20U));
}

}  // namespace
}  // namespace incipit::model
