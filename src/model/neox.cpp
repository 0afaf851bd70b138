#include "model/neox.hpp"

#include <algorithm>
#include <string>

#include "error.hpp"
#include "model/wave.hpp"

namespace incipit::model {
namespace {

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
  checkpoint::check_tensors(weights, config, checkpoint::Head::unneeded);
}

void Neox::run(std::span<const corpus::Pack> packs, std::span<const int> layers, const Sink& sink) {
  check_layers(layers, config_.layers);
  const int last = layers.back();
  Wave wave(device_, weights_, config_, packs, last);
  Workspace& workspace = wave.workspace();
  Capture capture(device_, config_, weights_, probes_of(packs));

  const auto capture_layer = [&](int layer, auto&& advance) {
    capture.begin(layer);
    for (PackRun& run : wave.runs()) {
      advance(run);
      capture.add(run.pack(), workspace);
    }
    if (std::binary_search(layers.begin(), layers.end(), layer)) sink(layer, capture.rows());
  };

  capture_layer(0, [&](PackRun& run) {
    wave.embed(run);
    run.gather_last(workspace);
  });
  for (int layer = 1; layer <= last; ++layer) {
    const BlockWeights& weights = wave.block(layer - 1);
    capture_layer(layer, [&](PackRun& run) {
      if (layer == last) return run.run_last(weights, wave.rotary(), workspace);
      run.run(weights, wave.rotary(), workspace);
      run.gather_last(workspace);
    });
  }
}

std::size_t Neox::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens) {
  return Wave::bytes_fixed(config, pack_tokens);
}

std::size_t Neox::bytes_per_wave(const checkpoint::Config& config, std::span<const corpus::Pack> packs) {
  const auto captured = static_cast<std::size_t>(probes_of(packs) * config.d);
  return Wave::bytes_of(config, packs) + captured * sizeof(float);
}

}  // namespace incipit::model
