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

void check_components(std::span<const int> layers, bool components,
                      std::span<const Neox::Replacement> replaced, std::int64_t d) {
  // They ascend from 0 on: only where none is left out is the last one that many.
  if (components && static_cast<std::size_t>(layers.back()) + 1 != layers.size())
    throw Error(Exit::defect, "components are differences of neighbouring layers: all are needed");
  for (const Neox::Replacement& one : replaced)
    if (one.layer < 1 || one.layer > layers.back() || std::ssize(one.by) != d)
      throw Error(Exit::defect,
                  "the component to be replaced in block " + std::to_string(one.layer) + " is not there");
}

/// The rows of last tokens between the components of a block, pack by pack: kept, or replaced.
class Between {
 public:
  /// `keep`: whether the rows are asked for.
  Between(device::Device& device, const checkpoint::Config& config, std::span<const corpus::Pack> packs,
          bool keep, std::span<const Neox::Replacement> replaced)
      : device_(device),
        first_(first_component(config)),
        d_(config.d),
        keep_(keep),
        replaced_(replaced),
        middle_(device, static_cast<std::size_t>(keep ? probes_of(packs) * d_ : 0)) {
    for (const Neox::Replacement& one : replaced) by_.emplace_back(device, std::span<const float>(one.by));
    std::size_t most = 0;
    for (const corpus::Pack& pack : packs) most = std::max(most, pack.probes.size());
    if (!replaced.empty()) own_ = {device, most * static_cast<std::size_t>(d_)};
  }

  void begin(int layer) {
    layer_ = layer;
    next_ = 0;
  }

  /// Whether anything is to be done in this block.
  [[nodiscard]] bool watches() const {
    return keep_ || std::ranges::any_of(replaced_, [&](const auto& one) { return one.layer == layer_; });
  }

  /// The residual before the component, of `probes` probes.
  template <class Take>
  void before(Component component, const Take& take) {
    if (replacement(component) != nullptr) take(own_.data());
  }
  template <class Take, class Put>
  void after(Component component, std::int64_t probes, const Take& take, const Put& put) {
    if (const float* by = replacement(component)) {
      device_.add_bias({.rows = probes, .d = d_, .bias = by, .x = own_.data()});
      put(own_.data());
    }
    if (!keep_ || component != first_) return;
    take(middle_.data() + next_ * d_);
    next_ += probes;
  }

  [[nodiscard]] std::vector<float> rows() const { return middle_.download(); }

 private:
  /// On the device; null where the component is left as it is.
  [[nodiscard]] const float* replacement(Component component) const {
    for (std::size_t i = 0; i < replaced_.size(); ++i)
      if (replaced_[i].layer == layer_ && replaced_[i].component == component) return by_[i].data();
    return nullptr;
  }

  device::Device& device_;
  Component first_;
  std::int64_t d_;
  bool keep_;
  std::span<const Neox::Replacement> replaced_;
  int layer_ = 0;
  std::int64_t next_ = 0;         ///< probes kept of this layer
  device::Buffer<float> middle_;  ///< [probes, d] between the two components
  std::vector<device::Buffer<float>> by_;
  device::Buffer<float> own_;  ///< [probes of a pack, d] before a component that is replaced
};

/// The watch over one pack: over its own residual, or over rows of last tokens that were taken out of it.
template <device::Number T>
class PackWatch final : public ComponentWatch {
 public:
  PackWatch(Between& between, PackRun<T>& run, float* last) : between_(between), run_(run), last_(last) {}

  void before(Component component) override {
    between_.before(component, [&](float* to) { take(to); });
  }
  void after(Component component) override {
    between_.after(
        component, run_.probes(), [&](float* to) { take(to); }, [&](const float* from) { put(from); });
  }

 private:
  void take(float* to) { last_ == nullptr ? run_.gather_last(to) : run_.copy_last(last_, to); }
  void put(const float* from) { last_ == nullptr ? run_.put_last(from) : run_.copy_last(from, last_); }

  Between& between_;
  PackRun<T>& run_;
  float* last_;
};

/// `a` becomes a − b.
void subtract(std::vector<float>& a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
}

/// What the components of block `layer` added, from the residual before, between and after them.
void tell_components(const Neox::ComponentSink& sink, int layer, Component first,
                     const std::vector<float>& before, std::vector<float> between, std::vector<float> after) {
  subtract(after, between);
  subtract(between, before);
  if (first == Component::attention) return sink(layer, between, after);
  sink(layer, after, between);
}

template <device::Number T>
void run_in(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
            checkpoint::SharedParts* shared, std::span<const corpus::Pack> packs, std::span<const int> layers,
            const Neox::Sink& sink, const Neox::ComponentSink& components,
            std::span<const Neox::Replacement> replaced) {
  check_layers(layers, config.layers);
  const bool keep = components != nullptr;
  check_components(layers, keep, replaced, config.d);
  const int last = layers.back();
  Wave<T> wave(device, weights, config, packs, last, shared);
  Workspace<T>& workspace = wave.workspace();
  Capture capture(device, config, weights, packs, last + 1);
  Between between(device, config, packs, keep, replaced);
  std::vector<float> before;  // the rows of the layer before, where components are asked for

  const auto capture_layer = [&](int layer, auto&& advance) {
    capture.begin(layer);
    between.begin(layer);
    for (PackRun<T>& run : wave.runs()) {
      advance(run);
      capture.add(run.probes());
    }
    if (!std::binary_search(layers.begin(), layers.end(), layer)) return;
    std::vector<float> rows = capture.rows();
    sink(layer, rows);
    if (!keep) return;
    if (layer == 0) {
      const std::vector<float> none(rows.size());
      components(layer, none, none);
    } else {
      tell_components(components, layer, first_component(config), before, between.rows(), rows);
    }
    before = std::move(rows);
  };

  capture_layer(0, [&](PackRun<T>& run) {
    wave.embed(run);
    run.gather_last(capture.place());
  });
  for (int layer = 1; layer <= last; ++layer) {
    const BlockWeights<T>& block = wave.block(layer - 1);
    capture_layer(layer, [&](PackRun<T>& run) {
      PackWatch<T> watching(between, run, layer == last ? capture.place() : nullptr);
      ComponentWatch* watch = between.watches() ? &watching : nullptr;
      if (layer == last) return run.run_last(block, wave.rotary(), workspace, capture.place(), {}, watch);
      run.run(block, wave.rotary(), workspace, {}, watch);
      run.gather_last(capture.place());
    });
  }
}

}  // namespace

Neox::Neox(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
           device::NumberType precision, checkpoint::SharedParts* shared)
    : device_(device), weights_(weights), config_(config), precision_(precision), shared_(shared) {
  checkpoint::check_tensors(weights, config, checkpoint::Head::unneeded);
}

void Neox::run(std::span<const corpus::Pack> packs, std::span<const int> layers, const Sink& sink,
               const ComponentSink& components, std::span<const Replacement> replaced) {
  with_numbers(precision_, [&]<device::Number T>() {
    run_in<T>(device_, weights_, config_, shared_, packs, layers, sink, components, replaced);
  });
}

std::uint64_t Neox::largest_part(const checkpoint::Weights& weights, const checkpoint::Config& config) {
  return largest_block(weights, config.layers);
}

std::size_t Neox::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens,
                              device::NumberType precision) {
  return with_numbers(precision,
                      [&]<device::Number T>() { return Wave<T>::bytes_fixed(config, pack_tokens); });
}

std::size_t Neox::bytes_per_wave(const checkpoint::Config& config, std::span<const corpus::Pack> packs,
                                 device::NumberType precision, bool components) {
  const auto wave =
      with_numbers(precision, [&]<device::Number T>() { return Wave<T>::bytes_of(config, packs); });
  const std::int64_t probes = probes_of(packs);
  // The rows between components on the device; those, and the layer before, on the host; what replaces them.
  const std::int64_t rows = components ? 4 * probes + most_tokens(packs) : 0;
  return wave + Capture::bytes(probes, config) + static_cast<std::size_t>(rows * config.d) * sizeof(float);
}

}  // namespace incipit::model
