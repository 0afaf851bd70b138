#include "model/neox.hpp"

#include <algorithm>
#include <string>

#include "error.hpp"
#include "model/precision.hpp"
#include "model/wave.hpp"

namespace incipit::model {
namespace {

/// The rows of last tokens of one layer, pack by pack. They stay on the device until the layer is done, so
/// that no pack waits for the host.
class Capture {
 public:
  Capture(device::Device& device, const checkpoint::Config& config, const checkpoint::Weights& weights,
          std::span<const corpus::Pack> packs)
      : device_(device),
        weights_(weights),
        d_(config.d),
        bad_(device, static_cast<std::size_t>(probes_of(packs))),
        rows_(device, bad_.size() * static_cast<std::size_t>(d_)) {
    for (const corpus::Pack& pack : packs)
      probe_.insert(probe_.end(), pack.probes.begin(), pack.probes.end());
  }

  void begin(int layer) {
    layer_ = layer;
    next_ = 0;
  }

  /// Where the next pack puts its rows.
  [[nodiscard]] float* place() { return rows_.data() + next_ * d_; }

  /// Takes what is at place() as the rows of so many probes.
  void add(std::int64_t probes) {
    device_.count_nonfinite({.rows = probes, .d = d_, .x = place(), .counts = bad_.data() + next_});
    next_ += probes;
  }

  /// Throws where a row is not finite.
  void check() const {
    const std::vector<std::int32_t> bad = bad_.download();
    for (std::size_t i = 0; i < bad.size(); ++i) {
      if (bad[i] != 0) refuse(probe_[i], bad[i]);
    }
  }

  [[nodiscard]] std::vector<float> rows() const { return rows_.download(); }

  /// Device and host bytes for so many probes.
  [[nodiscard]] static std::size_t bytes(std::int64_t probes, std::int64_t d) {
    return static_cast<std::size_t>(probes) *
           (2 * static_cast<std::size_t>(d) * sizeof(float) + sizeof(std::int32_t));
  }

 private:
  [[noreturn]] void refuse(std::int64_t probe, std::int32_t bad) const {
    throw Error(Exit::numbers,
                weights_.folder().string() + ": the residual after layer " + std::to_string(layer_) +
                    " has " + std::to_string(bad) + " of " + std::to_string(d_) +
                    " values NaN or infinite at the last token of probe " + std::to_string(probe) +
                    " (counted from 0); the checkpoint overflows run.precision or is damaged. Leave this "
                    "step out with family.steps");
  }

  device::Device& device_;
  const checkpoint::Weights& weights_;
  std::int64_t d_;
  int layer_ = 0;
  std::int64_t next_ = 0;             ///< probes taken of this layer
  std::vector<std::int64_t> probe_;   ///< [probes] their numbers
  device::Buffer<std::int32_t> bad_;  ///< [probes]
  device::Buffer<float> rows_;        ///< [probes, d]
};

void check_layers(std::span<const int> layers, std::int64_t depth) {
  const bool ascending =
      std::adjacent_find(layers.begin(), layers.end(), std::greater_equal<>()) == layers.end();
  if (layers.empty() || !ascending || layers.front() < 0 || layers.back() > depth) {
    throw Error(Exit::defect, "layers of a forward pass must ascend within 0.." + std::to_string(depth));
  }
}

template <device::Number T>
void run_in(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
            std::span<const corpus::Pack> packs, std::span<const int> layers, const Neox::Sink& sink) {
  check_layers(layers, config.layers);
  const int last = layers.back();
  Wave<T> wave(device, weights, config, packs, last);
  Workspace<T>& workspace = wave.workspace();
  Capture capture(device, config, weights, packs);

  const auto capture_layer = [&](int layer, auto&& advance) {
    capture.begin(layer);
    for (PackRun<T>& run : wave.runs()) {
      advance(run);
      capture.add(run.probes());
    }
    capture.check();
    if (std::binary_search(layers.begin(), layers.end(), layer)) sink(layer, capture.rows());
  };

  capture_layer(0, [&](PackRun<T>& run) {
    wave.embed(run);
    run.gather_last(capture.place());
  });
  for (int layer = 1; layer <= last; ++layer) {
    const BlockWeights<T>& block = wave.block(layer - 1);
    capture_layer(layer, [&](PackRun<T>& run) {
      if (layer == last) return run.run_last(block, wave.rotary(), workspace, capture.place());
      run.run(block, wave.rotary(), workspace);
      run.gather_last(capture.place());
    });
  }
}

}  // namespace

Neox::Neox(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
           device::NumberType precision)
    : device_(device), weights_(weights), config_(config), precision_(precision) {
  checkpoint::check_tensors(weights, config, checkpoint::Head::unneeded);
}

void Neox::run(std::span<const corpus::Pack> packs, std::span<const int> layers, const Sink& sink) {
  with_numbers(precision_,
               [&]<device::Number T>() { run_in<T>(device_, weights_, config_, packs, layers, sink); });
}

std::size_t Neox::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens,
                              device::NumberType precision) {
  return with_numbers(precision,
                      [&]<device::Number T>() { return Wave<T>::bytes_fixed(config, pack_tokens); });
}

std::size_t Neox::bytes_per_wave(const checkpoint::Config& config, std::span<const corpus::Pack> packs,
                                 device::NumberType precision) {
  const auto wave =
      with_numbers(precision, [&]<device::Number T>() { return Wave<T>::bytes_of(config, packs); });
  return wave + Capture::bytes(probes_of(packs), config.d);
}

}  // namespace incipit::model
