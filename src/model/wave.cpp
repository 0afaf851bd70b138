#include "model/wave.hpp"

#include <algorithm>

namespace incipit::model {
namespace {

std::int64_t longest_text(std::span<const corpus::Pack> packs) {
  std::int64_t longest = 0;
  for (const corpus::Pack& pack : packs) {
    for (std::size_t i = 0; i + 1 < pack.starts.size(); ++i)
      longest = std::max(longest, pack.starts[i + 1] - pack.starts[i]);
  }
  return longest;
}

}  // namespace

Wave::Wave(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
           std::span<const corpus::Pack> packs, std::int64_t blocks)
    : weights_(weights),
      embedding_stream_(device, weights),
      block_stream_(device, weights),
      blocks_(device, BlockWeights(device, config), BlockWeights(device, config), blocks,
              [this](BlockWeights& to, std::int64_t block) { to.read(block_stream_, weights_, block); }),
      rotary_(device, config, longest_text(packs)),
      workspace_(device, config, packs) {
  runs_.reserve(packs.size());
  for (const corpus::Pack& pack : packs) runs_.emplace_back(device, config, pack);
}

void Wave::embed(PackRun& run) {
  run.embed(embedding_stream_, weights_.at("gpt_neox.embed_in.weight"), workspace_);
}

std::size_t Wave::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens) {
  return 2 * BlockWeights::bytes(config) + Workspace::bytes(config, pack_tokens) +
         2 * TensorStream::bytes(std::max(config.d, config.mlp));
}

std::size_t Wave::bytes_of(const checkpoint::Config& config, std::span<const corpus::Pack> packs) {
  std::size_t bytes = 0;
  std::size_t most_probes = 0;
  for (const corpus::Pack& pack : packs) {
    bytes += PackRun::bytes(config, pack);
    most_probes = std::max(most_probes, pack.probes.size());
  }
  const std::size_t tables = static_cast<std::size_t>(longest_text(packs) * config.rotary_dims());
  return bytes + (most_probes * static_cast<std::size_t>(config.d) + tables) * sizeof(float);
}

std::int64_t probes_of(std::span<const corpus::Pack> packs) {
  std::int64_t probes = 0;
  for (const corpus::Pack& pack : packs) probes += static_cast<std::int64_t>(pack.probes.size());
  return probes;
}

}  // namespace incipit::model
