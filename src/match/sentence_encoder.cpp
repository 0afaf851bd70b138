#include "match/sentence_encoder.hpp"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "checkpoint/weights.hpp"
#include "error.hpp"
#include "index.hpp"
#include "store/hash.hpp"

namespace incipit::match {
namespace {

constexpr std::int64_t pack_tokens = 2048;

/// Of one file its SHA-256, of several that of their hashes.
std::string hash_of(const std::vector<std::filesystem::path>& weights) {
  if (weights.size() == 1) return store::sha256_file(weights.front());
  store::Sha256 all;
  for (const auto& path : weights) all.update(store::sha256_file(path));
  return all.hex();
}

std::string name_of(const SentenceFolder& folder) {
  return fmt::format("{} {:.12}", folder.name, hash_of(folder.weights));
}

void to_unit_norm(std::span<float> row) {
  double squares = 0;
  for (const float x : row) squares += static_cast<double>(x) * static_cast<double>(x);
  if (!(squares > 0)) throw Error(Exit::numbers, "a sentence encoder gave a vector without a direction");
  const double norm = std::sqrt(squares);
  for (float& x : row) x = static_cast<float>(static_cast<double>(x) / norm);
}

}  // namespace

SentenceEncoder::SentenceEncoder(device::Device& device, SentenceFolder folder)
    : folder_(std::move(folder)),
      name_(name_of(folder_)),
      encoder_(device, checkpoint::Weights::open(folder_.model), folder_.config) {}

std::vector<float> SentenceEncoder::embed(std::span<const std::string> texts) {
  std::vector<std::vector<std::int32_t>> tokens;
  tokens.reserve(texts.size());
  for (const std::string& text : texts)
    tokens.push_back(folder_.tokenizer.encode(folder_.prompt + text, folder_.max_length));
  std::vector<float> rows = encoder_.embed(tokens, folder_.pooling, pack_tokens);
  const std::size_t d = at(folder_.config.d);
  for (std::size_t i = 0; i < rows.size(); i += d) to_unit_norm(std::span(rows).subspan(i, d));
  return rows;
}

}  // namespace incipit::match
