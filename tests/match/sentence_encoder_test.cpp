#include "match/sentence_encoder.hpp"

#include <cmath>
#include <cstdlib>

#include "../golden.hpp"
#include "device/host/host_device.hpp"
#include "little_encoder.hpp"
#include "store/hash.hpp"

namespace incipit::match {
namespace {

namespace fs = std::filesystem;

class LittleSentenceEncoder : public testing::LittleEncoderTest {
 protected:
  [[nodiscard]] std::vector<float> embed(const std::vector<std::string>& texts) const {
    return SentenceEncoder(*device_, read_sentence_folder(folder_)).embed(texts);
  }
  std::unique_ptr<device::Device> device_ = device::make_host_device(1);
};

TEST_F(LittleSentenceEncoder, GivesUnitVectorsOfPooledStates) {
  const std::vector<std::string> texts{"cells of law", "", "unheard", "cells of law"};
  SentenceEncoder encoder(*device_, read_sentence_folder(folder_));
  ASSERT_EQ(encoder.dimensions(), 8);
  const std::vector<float> rows = encoder.embed(texts);
  ASSERT_EQ(rows.size(), 32U);
  for (std::size_t i = 0; i < 4; ++i) {
    double squares = 0;
    for (std::size_t k = 0; k < 8; ++k) squares += std::pow(static_cast<double>(rows[8 * i + k]), 2);
    EXPECT_NEAR(squares, 1, 1e-6);
  }
  EXPECT_TRUE(std::equal(rows.begin(), rows.begin() + 8, rows.begin() + 24));
  EXPECT_FALSE(std::equal(rows.begin(), rows.begin() + 8, rows.begin() + 8));
  // The model itself, without a norm.
  const SentenceFolder folder = read_sentence_folder(folder_);
  model::TextEncoder model(*device_, checkpoint::Weights::open(folder_), folder.config);
  const std::vector<std::vector<std::int32_t>> tokens{{2, 4, 6, 7, 8, 3}};
  const std::vector<float> pooled = model.embed(tokens, model::Pooling::mean, 100);
  double norm = 0;
  for (const float x : pooled) norm += static_cast<double>(x) * static_cast<double>(x);
  for (std::size_t k = 0; k < 8; ++k)
    EXPECT_NEAR(static_cast<double>(rows[k]) * std::sqrt(norm), static_cast<double>(pooled[k]), 1e-5);
}

TEST_F(LittleSentenceEncoder, PoolsAsTheFolderSays) {
  const std::vector<float> mean = embed({"cells of law"});
  write_json("1_Pooling/config.json", {{"pooling_mode", "max"}});
  const std::vector<float> max = embed({"cells of law"});
  write_json("1_Pooling/config.json", {{"pooling_mode", "cls"}});
  const std::vector<float> first = embed({"cells of law"});
  EXPECT_NE(mean, max);
  EXPECT_NE(mean, first);
  EXPECT_NE(max, first);
}

TEST_F(LittleSentenceEncoder, PutsThePromptBeforeTheText) {
  const std::vector<float> whole = embed({"query: law"});
  write_json("config_sentence_transformers.json",
             {{"prompts", {{"query", "query: "}}}, {"default_prompt_name", "query"}});
  EXPECT_EQ(embed({"law"}), whole);
}

TEST_F(LittleSentenceEncoder, CutsALongText) {
  EXPECT_EQ(embed({"law law law law law law law law law gene"}), embed({"law law law law law law law law"}));
}

TEST_F(LittleSentenceEncoder, IsNamedAfterFolderAndWeights) {
  const SentenceEncoder encoder(*device_, read_sentence_folder(folder_));
  const std::string hash = store::sha256_file(folder_ / "model.safetensors");
  EXPECT_EQ(encoder.name(), folder_.filename().string() + " " + hash.substr(0, 12));
}

TEST_F(LittleSentenceEncoder, RefusesWeightsThatDoNotFit) {
  auto all = tensors();
  all.pop_back();
  write("model.safetensors", checkpoint::safetensors_file(all));
  test::expect_error(Exit::data, {"encoder.layer.0.output.LayerNorm.bias"}, [&] { (void)embed({"law"}); });
}

/// Real weights, against what sentence-transformers gave: tests/reference/sentence_golden.py. Fetched by
/// jobs/get-encoder.sh into a folder that INCIPIT_ENCODERS names, or into build/encoders.
class RealEncoder : public ::testing::TestWithParam<const char*> {
 protected:
  static fs::path folder() {
    const char* const set = std::getenv("INCIPIT_ENCODERS");
    return fs::path(set != nullptr ? set : INCIPIT_SOURCE_DIR "/build/encoders") / GetParam();
  }
  template <class T>
  static std::vector<std::vector<T>> lists(const test::Golden& golden, const std::string& values,
                                           const std::string& ends) {
    const std::vector<std::int32_t> all = golden.read<std::int32_t>(values);
    std::vector<std::vector<T>> out;
    std::int32_t begin = 0;
    for (const std::int32_t end : golden.read<std::int32_t>(ends)) {
      out.emplace_back(all.begin() + begin, all.begin() + end);
      begin = end;
    }
    return out;
  }
};

TEST_P(RealEncoder, GivesTokensAndEmbeddingsOfTheReference) {
  if (!fs::exists(folder()))
    GTEST_SKIP() << folder()
                 << " is not here: jobs/get-encoder.sh fetches it, INCIPIT_ENCODERS names the folder above";
  const std::string name = GetParam();
  const test::Golden golden("sentences.h5");
  std::vector<std::string> texts;
  for (const auto& bytes : lists<char>(golden, "texts", "text_ends"))
    texts.emplace_back(bytes.begin(), bytes.end());
  ASSERT_EQ(texts.size(), 24U);

  SentenceFolder encoder_folder = read_sentence_folder(folder());
  const auto tokens = lists<std::int32_t>(golden, name + "/tokens", name + "/token_ends");
  std::size_t longest = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(encoder_folder.tokenizer.encode(texts[i], encoder_folder.max_length), tokens[i]) << texts[i];
    longest = std::max(longest, tokens[i].size());
  }
  EXPECT_EQ(longest, static_cast<std::size_t>(encoder_folder.max_length));

  const auto device = device::make_host_device(2);
  SentenceEncoder encoder(*device, std::move(encoder_folder));
  const std::vector<float> rows = encoder.embed(texts);
  const auto expected = golden.read<float>(name + "/embeddings");
  const auto d = static_cast<std::size_t>(encoder.dimensions());
  ASSERT_EQ(rows.size(), expected.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto part = [&](const std::vector<float>& all) { return std::span(all).subspan(i * d, d); };
    EXPECT_LE(test::relative_error(part(rows), part(expected)), 1e-5) << texts[i];
  }
}

INSTANTIATE_TEST_SUITE_P(Encoders, RealEncoder, ::testing::Values("all-mpnet-base-v2", "all-MiniLM-L6-v2"),
                         [](const auto& param) {
                           return std::string(param.param) == "all-mpnet-base-v2" ? "mpnet" : "minilm";
                         });

}  // namespace
}  // namespace incipit::match
