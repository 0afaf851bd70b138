#include "model/wave.hpp"

#include <algorithm>

#include "meters.hpp"

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

template <device::Number T>
Wave<T>::Wave(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
              std::span<const corpus::Pack> packs, std::int64_t blocks, checkpoint::SharedParts* shared)
    : weights_(weights),
      embedding_stream_(device, weights),
      block_stream_(device, weights, shared),
      blocks_(device, BlockWeights<T>(device, config), BlockWeights<T>(device, config), blocks,
              [this](BlockWeights<T>& to, std::int64_t block) {
                const auto part = block_stream_.part(pieces_of_block(weights_, block));
                to.read(block_stream_, weights_, block);
              }),
      rotary_(device, config, longest_text(packs)),
      workspace_(device, config, most_tokens(packs)) {
  runs_.reserve(packs.size());
  for (const corpus::Pack& pack : packs) runs_.emplace_back(device, config, pack);
}

template <device::Number T>
void Wave<T>::embed(PackRun<T>& run) {
  const Stopwatch watch(meters.stalled);  // its rows are read as they are needed
  run.embed(embedding_stream_, weights_.at("gpt_neox.embed_in.weight"), workspace_);
}

template <device::Number T>
std::size_t Wave<T>::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens) {
  return 2 * BlockWeights<T>::bytes(config) + Workspace<T>::bytes(config, pack_tokens) +
         2 * TensorStream::bytes(std::max(config.d, config.mlp));
}

template <device::Number T>
std::size_t Wave<T>::bytes_of(const checkpoint::Config& config, std::span<const corpus::Pack> packs) {
  std::size_t bytes = static_cast<std::size_t>(longest_text(packs) * config.rotary_dims()) * sizeof(float);
  for (const corpus::Pack& pack : packs) bytes += PackRun<T>::bytes(config, pack);
  return bytes;
}

template class Wave<float>;
template class Wave<device::Float16>;
template class Wave<device::BFloat16>;

std::uint64_t largest_block(const checkpoint::Weights& weights, std::int64_t blocks) {
  std::uint64_t largest = 0;
  for (std::int64_t b = 0; b < blocks; ++b)
    largest = std::max(largest, checkpoint::SharedParts::bytes_of_part(pieces_of_block(weights, b)));
  return largest;
}

std::int64_t probes_of(std::span<const corpus::Pack> packs) {
  std::int64_t probes = 0;
  for (const corpus::Pack& pack : packs) probes += static_cast<std::int64_t>(pack.probes.size());
  return probes;
}

}  // namespace incipit::model
