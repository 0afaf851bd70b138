#include "model/text_encoder.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "corpus/packs.hpp"
#include "error.hpp"
#include "index.hpp"
#include "model/layers.hpp"
#include "model/pack_run.hpp"

namespace incipit::model {
namespace {

device::Pool pool_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::mean:
      return device::Pool::mean;
    case Pooling::first:
      return device::Pool::first;
    case Pooling::max:
      return device::Pool::max;
  }
  throw Error(Exit::defect, "a pooling without a device operation");
}

/// Texts sorted by length and tokens, each but once. The last bits of a product's row may hang on where among
/// the others it stands; so the embeddings are a function of which texts there are.
struct Distinct {
  explicit Distinct(std::span<const std::vector<std::int32_t>> all) : place(all.size()) {
    std::vector<std::size_t> order(all.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return all[a].size() != all[b].size() ? all[a].size() < all[b].size() : all[a] < all[b];
    });
    for (const std::size_t i : order) {
      if (texts.tokens.empty() || texts.tokens.back() != all[i]) texts.tokens.push_back(all[i]);
      place[i] = texts.tokens.size() - 1;
    }
  }

  corpus::Tokenized texts;
  std::vector<std::size_t> place;  ///< of each given text among `texts`
};

/// Scratch for one pack at a time.
struct EncoderWorkspace {
  EncoderWorkspace(device::Device& device, const EncoderConfig& config, int64_t tokens)
      : x(device, at(tokens * config.d)),
        a(device, at(tokens * config.d)),
        b(device, at(tokens * config.d)),
        wide(device, at(tokens * std::max(4 * config.d, config.mlp))) {}

  device::Buffer<float> x;     ///< [tokens, d] hidden state
  device::Buffer<float> a;     ///< [tokens, d]
  device::Buffer<float> b;     ///< [tokens, d]
  device::Buffer<float> wide;  ///< [tokens, max(4·d, mlp)]
};

/// Position of every token of a pack. As in `transformers`, a padding token amid an MPNet's text stands at
/// the padding's position, and those after it as if it were not there.
std::vector<std::int32_t> positions_in(const corpus::Pack& pack, const EncoderConfig& config) {
  std::vector<std::int32_t> positions;
  for (std::size_t i = 0; i < pack.probes.size(); ++i) {
    auto next = static_cast<std::int32_t>(config.first_position());
    for (int64_t t = pack.starts[i]; t < pack.starts[i + 1]; ++t) {
      const bool padding =
          config.kind == EncoderConfig::Kind::mpnet && pack.tokens[at(t)] == config.pad_token;
      positions.push_back(padding ? static_cast<std::int32_t>(config.pad_token) : next++);
    }
  }
  return positions;
}

/// One pack on its way through the blocks.
class PackPass {
 public:
  PackPass(device::Device& device, const EncoderConfig& config, const EncoderWeights& weights,
           const corpus::Pack& pack, EncoderWorkspace& workspace)
      : device_(device),
        config_(config),
        weights_(weights),
        rows_(std::ssize(pack.tokens)),
        texts_(std::ssize(pack.probes)),
        starts_(device, std::span<const std::int32_t>(
                            std::vector<std::int32_t>(pack.starts.begin(), pack.starts.end()))),
        space_(workspace) {
    for (std::size_t i = 0; i < pack.probes.size(); ++i)
      longest_ = std::max(longest_, pack.starts[i + 1] - pack.starts[i]);
    embed(pack);
    for (const EncoderBlock& block : weights.blocks) run(block);
  }

  /// [texts, d]
  [[nodiscard]] std::vector<float> pooled(Pooling pooling) {
    device::Buffer<float> out(device_, at(texts_ * config_.d));
    device_.pool_rows({.sequences = texts_,
                       .d = config_.d,
                       .pool = pool_of(pooling),
                       .starts = starts_.data(),
                       .in = space_.x.data(),
                       .out = out.data()});
    return out.download();
  }

 private:
  void embed(const corpus::Pack& pack) {
    const device::Buffer<std::int32_t> token(device_, std::span<const std::int32_t>(pack.tokens));
    const std::vector<std::int32_t> positions = positions_in(pack, config_);
    const device::Buffer<std::int32_t> position(device_, std::span<const std::int32_t>(positions));
    device_.embed_tokens({.rows = rows_,
                          .d = config_.d,
                          .token = token.data(),
                          .position = position.data(),
                          .word = weights_.word,
                          .place = weights_.place,
                          .every = weights_.type,
                          .out = space_.x.data()});
    norm(weights_.norm, weights_.norm_bias);
    device_.synchronize();
  }

  // `wide` holds the product of queries, keys and values, then the values in its last quarter, then the
  // attention's output at its start.
  void run(const EncoderBlock& block) {
    float* wide = space_.wide.data();
    float* v = wide + 3 * rows_ * config_.d;
    project(device_, rows_, 3 * config_.d, config_.d, space_.x.data(), block.qkv, wide, 0);
    device_.rotary_split(device::RotarySplit<float>{.rows = rows_,
                                                    .heads = config_.heads,
                                                    .head_size = config_.head_size(),
                                                    .in = wide,
                                                    .bias = block.qkv_bias,
                                                    .q = space_.a.data(),
                                                    .k = space_.b.data(),
                                                    .v = v});
    device_.full_attention(
        {.sequences = texts_,
         .heads = config_.heads,
         .head_size = config_.head_size(),
         .rows = rows_,
         .longest = longest_,
         .scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_size()))),
         .starts = starts_.data(),
         .q = space_.a.data(),
         .k = space_.b.data(),
         .v = v,
         .reach = config_.longest(),
         .bias = weights_.distance_bias,
         .out = wide});
    add_product(config_.d, wide, block.dense, block.dense_bias);
    norm(block.norm1, block.norm1_bias);

    project(device_, rows_, config_.mlp, config_.d, space_.x.data(), block.up, wide, 0);
    device_.bias_activation(
        device::BiasActivation<float>{.rows = rows_, .d = config_.mlp, .bias = block.up_bias, .x = wide});
    add_product(config_.mlp, wide, block.down, block.down_bias);
    norm(block.norm2, block.norm2_bias);
  }

  void norm(const float* weight, const float* bias) {
    layer_norm(device_, config_, rows_, space_.x.data(), weight, bias, space_.x.data());
  }

  /// x += in · weightᵀ + bias
  void add_product(int64_t inputs, const float* in, const float* weight, const float* bias) {
    device_.add_bias({.rows = rows_, .d = config_.d, .bias = bias, .x = space_.x.data()});
    project(device_, rows_, config_.d, inputs, in, weight, space_.x.data(), 1);
  }

  device::Device& device_;
  const EncoderConfig& config_;
  const EncoderWeights& weights_;
  int64_t rows_;
  int64_t texts_;
  int64_t longest_ = 0;
  device::Buffer<std::int32_t> starts_;  ///< [texts + 1]
  EncoderWorkspace& space_;
};

}  // namespace

TextEncoder::TextEncoder(device::Device& device, const checkpoint::Weights& weights,
                         const EncoderConfig& config)
    : device_(device),
      config_(config),
      where_(weights.folder().string()),
      weights_(device, weights, config) {}

std::vector<float> TextEncoder::embed(std::span<const std::vector<std::int32_t>> texts, Pooling pooling,
                                      std::int64_t pack_tokens) {
  check(texts);
  const Distinct distinct(texts);
  for (const auto& text : texts) pack_tokens = std::max<int64_t>(pack_tokens, std::ssize(text));
  const std::vector<corpus::Pack> packs = corpus::make_packs(distinct.texts, pack_tokens);
  EncoderWorkspace workspace(device_, config_, most_tokens(packs));

  std::vector<float> rows;  // in the packs' order, which is that of `distinct`
  for (const corpus::Pack& pack : packs) {
    const std::vector<float> pooled = PackPass(device_, config_, weights_, pack, workspace).pooled(pooling);
    rows.insert(rows.end(), pooled.begin(), pooled.end());
  }
  std::vector<float> all;
  all.reserve(texts.size() * at(config_.d));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::span<const float> row =
        std::span(rows).subspan(distinct.place[i] * at(config_.d), at(config_.d));
    check_finite(row, i);
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

void TextEncoder::check_finite(std::span<const float> row, std::size_t text) const {
  if (std::all_of(row.begin(), row.end(), [](float x) { return std::isfinite(x); })) return;
  throw Error(Exit::numbers,
              where_ + ": the embedding of text " + std::to_string(text) +
                  " (counted from 0) is NaN or infinite; the weights are damaged, get them again");
}

void TextEncoder::check(std::span<const std::vector<std::int32_t>> texts) const {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string text = where_ + ": text " + std::to_string(i) + " (counted from 0)";
    const int64_t length = std::ssize(texts[i]);
    if (length < 1 || length > config_.longest()) {
      throw Error(Exit::data, text + " has " + std::to_string(length) + " tokens, expected 1 to " +
                                  std::to_string(config_.longest()) + ", the positions in config.json");
    }
    for (const std::int32_t token : texts[i]) {
      if (token >= 0 && token < config_.vocab) continue;
      throw Error(Exit::data, text + " has token " + std::to_string(token) +
                                  ", which is not in the encoder's " + "vocabulary of " +
                                  std::to_string(config_.vocab) +
                                  "; are vocab.txt and config.json of the same encoder?");
    }
  }
}

}  // namespace incipit::model
