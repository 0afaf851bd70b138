#include "model/neox.hpp"

#include <algorithm>
#include <future>
#include <string>

#include "error.hpp"
#include "model/block_weights.hpp"
#include "model/pack_run.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {
namespace {

/// Two sets of weights: one runs while the other is read.
class BlockStream {
 public:
  BlockStream(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
              std::int64_t blocks)
      : device_(device),
        weights_(weights),
        stream_(device, weights),
        blocks_(blocks),
        slots_{BlockWeights(device, config), BlockWeights(device, config)} {
    if (blocks_ > 0) prefetch(0);
  }

  /// Block `block`, in order, valid until the next call. Errors of the reading thread are thrown here.
  const BlockWeights& next(std::int64_t block) {
    reading_.get();
    // What is read next goes where block − 1 was: all packs must be through with it.
    device_.synchronize();
    if (block + 1 < blocks_) prefetch(block + 1);
    return slot(block);
  }

 private:
  BlockWeights& slot(std::int64_t block) { return slots_[static_cast<std::size_t>(block % 2)]; }

  void prefetch(std::int64_t block) {
    reading_ = std::async(std::launch::async, [this, block] { slot(block).read(stream_, weights_, block); });
  }

  device::Device& device_;
  const checkpoint::Weights& weights_;
  TensorStream stream_;
  std::int64_t blocks_;
  BlockWeights slots_[2];
  std::future<void> reading_;  // last: its destructor waits for the thread that uses the others
};

/// Collects the rows of last tokens of one layer, pack by pack.
class Capture {
 public:
  Capture(device::Device& device, const checkpoint::Config& config, const checkpoint::Weights& weights,
          std::int64_t probes)
      : device_(device), weights_(weights), d_(config.d), rows_(static_cast<std::size_t>(probes * d_)) {}

  void begin(int layer) {
    layer_ = layer;
    next_ = 0;
  }

  /// Takes `workspace.last` as the rows of the pack.
  void add(const corpus::Pack& pack, Workspace& workspace) {
    const auto count = static_cast<std::int64_t>(pack.probes.size());
    device_.count_nonfinite(
        {.rows = count, .d = d_, .x = workspace.last.data(), .counts = workspace.flags.data()});
    std::vector<std::int32_t> bad(pack.probes.size());
    workspace.flags.download(bad);
    for (std::size_t i = 0; i < bad.size(); ++i) {
      if (bad[i] != 0) refuse(pack.probes[i], bad[i]);
    }
    const auto size = static_cast<std::size_t>(count * d_);
    workspace.last.download(std::span<float>(rows_).subspan(next_, size));
    next_ += size;
  }

  [[nodiscard]] std::span<const float> rows() const { return rows_; }

 private:
  [[noreturn]] void refuse(std::int64_t probe, std::int32_t bad) const {
    throw Error(Exit::numbers,
                weights_.folder().string() + ": the residual after layer " + std::to_string(layer_) +
                    " has " + std::to_string(bad) + " of " + std::to_string(d_) +
                    " values NaN or infinite at the last token of probe " + std::to_string(probe) +
                    " (counted from 0); the checkpoint overflows fp32 or is damaged. Leave this "
                    "step out with family.steps");
  }

  device::Device& device_;
  const checkpoint::Weights& weights_;
  std::int64_t d_;
  int layer_ = 0;
  std::size_t next_ = 0;
  std::vector<float> rows_;
};

std::int64_t longest_text(std::span<const corpus::Pack> packs) {
  std::int64_t longest = 0;
  for (const corpus::Pack& pack : packs) {
    for (std::size_t i = 0; i + 1 < pack.starts.size(); ++i)
      longest = std::max(longest, pack.starts[i + 1] - pack.starts[i]);
  }
  return longest;
}

std::int64_t probes_of(std::span<const corpus::Pack> packs) {
  std::int64_t probes = 0;
  for (const corpus::Pack& pack : packs) probes += static_cast<std::int64_t>(pack.probes.size());
  return probes;
}

void check_layers(std::span<const int> layers, std::int64_t depth) {
  const bool ascending =
      std::adjacent_find(layers.begin(), layers.end(), std::greater_equal<>()) == layers.end();
  if (layers.empty() || !ascending || layers.front() < 0 || layers.back() > depth) {
    throw Error(Exit::defect, "layers of a forward pass must ascend within 0.." + std::to_string(depth));
  }
}

}  // namespace

Neox::Neox(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config)
    : device_(device), weights_(weights), config_(config) {
  checkpoint::check_tensors(weights, config);
}

void Neox::run(std::span<const corpus::Pack> packs, std::span<const int> layers, const Sink& sink) {
  check_layers(layers, config_.layers);
  const int last = layers.back();
  BlockStream blocks(device_, weights_, config_, last);
  const RotaryTable rotary(device_, config_, longest_text(packs));
  Workspace workspace(device_, config_, packs);
  Capture capture(device_, config_, weights_, probes_of(packs));

  std::vector<PackRun> runs;
  runs.reserve(packs.size());
  for (const corpus::Pack& pack : packs) runs.emplace_back(device_, config_, pack);

  const auto capture_layer = [&](int layer, auto&& advance) {
    capture.begin(layer);
    for (PackRun& run : runs) {
      advance(run);
      capture.add(run.pack(), workspace);
    }
    if (std::binary_search(layers.begin(), layers.end(), layer)) sink(layer, capture.rows());
  };

  TensorStream stream(device_, weights_);
  const checkpoint::Tensor& embedding = weights_.at("gpt_neox.embed_in.weight");
  capture_layer(0, [&](PackRun& run) {
    run.embed(stream, embedding, workspace);
    run.gather_last(workspace);
  });
  for (int layer = 1; layer <= last; ++layer) {
    const BlockWeights& weights = blocks.next(layer - 1);
    capture_layer(layer, [&](PackRun& run) {
      if (layer == last) return run.run_last(weights, rotary, workspace);
      run.run(weights, rotary, workspace);
      run.gather_last(workspace);
    });
  }
}

std::size_t Neox::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens) {
  return 2 * BlockWeights::bytes(config) + Workspace::bytes(config, pack_tokens) +
         2 * TensorStream::bytes(std::max(config.d, config.mlp));
}

std::size_t Neox::bytes_per_wave(const checkpoint::Config& config, std::span<const corpus::Pack> packs) {
  std::size_t bytes = 0;
  std::size_t most_probes = 0;
  for (const corpus::Pack& pack : packs) {
    bytes += PackRun::bytes(config, pack);
    most_probes = std::max(most_probes, pack.probes.size());
  }
  const std::size_t captured = static_cast<std::size_t>(probes_of(packs)) + most_probes;
  const std::size_t tables = static_cast<std::size_t>(longest_text(packs) * config.rotary_dims());
  return bytes + (captured * static_cast<std::size_t>(config.d) + tables) * sizeof(float);
}

}  // namespace incipit::model
