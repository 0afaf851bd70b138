#include "model/neox.hpp"

#include <algorithm>
#include <string>

#include "error.hpp"
#include "model/precision.hpp"
#include "model/wave.hpp"

namespace incipit::model {
namespace {

/// The rows of last tokens of one layer, pack by pack, and what is not finite in any layer so far. Both stay
/// on the device until a layer is wanted, so that nothing waits for the host before.
class Capture {
 public:
  /// `layers`: how many there will be, from 0 on.
  Capture(device::Device& device, const checkpoint::Config& config, const checkpoint::Weights& weights,
          std::span<const corpus::Pack> packs, int layers)
      : device_(device),
        weights_(weights),
        d_(config.d),
        rows_(device, static_cast<std::size_t>(probes_of(packs) * d_)),
        bad_(device, static_cast<std::size_t>(probes_of(packs) * layers)) {
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
    std::int32_t* bad = bad_.data() + layer_ * std::ssize(probe_) + next_;
    device_.count_nonfinite({.rows = probes, .d = d_, .x = place(), .counts = bad});
    next_ += probes;
  }

  /// The rows of this layer. Throws where one of them, or of a layer before, is not finite.
  [[nodiscard]] std::vector<float> rows() const {
    check();
    return rows_.download();
  }

  /// Device and host bytes for so many probes.
  [[nodiscard]] static std::size_t bytes(std::int64_t probes, const checkpoint::Config& config) {
    const auto values = static_cast<std::size_t>(probes * 2 * config.d);
    const auto counts = static_cast<std::size_t>(probes * (config.layers + 1));
    return values * sizeof(float) + counts * sizeof(std::int32_t);
  }

 private:
  void check() const {
    const std::size_t probes = probe_.size();
    std::vector<std::int32_t> bad((static_cast<std::size_t>(layer_) + 1) * probes);
    device_.download(bad.data(), bad_.data(), bad.size() * sizeof(std::int32_t));
    for (std::size_t i = 0; i < bad.size(); ++i) {
      if (bad[i] != 0) refuse(i / probes, probe_[i % probes], bad[i]);
    }
  }

  [[noreturn]] void refuse(std::size_t layer, std::int64_t probe, std::int32_t bad) const {
    throw Error(Exit::numbers,
                weights_.folder().string() + ": the residual after layer " + std::to_string(layer) + " has " +
                    std::to_string(bad) + " of " + std::to_string(d_) +
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
  device::Buffer<float> rows_;        ///< [probes, d]
  device::Buffer<std::int32_t> bad_;  ///< [layers, probes] values that are not finite
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
  Capture capture(device, config, weights, packs, last + 1);

  const auto capture_layer = [&](int layer, auto&& advance) {
    capture.begin(layer);
    for (PackRun<T>& run : wave.runs()) {
      advance(run);
      capture.add(run.probes());
    }
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
  return wave + Capture::bytes(probes_of(packs), config);
}

}  // namespace incipit::model
