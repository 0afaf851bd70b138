#include "model/pack_run.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "error.hpp"
#include "model/embedding.hpp"

namespace incipit::model {
namespace {

device::Buffer<std::int32_t> to_device(device::Device& device, const std::vector<std::int32_t>& values) {
  return {device, std::span<const std::int32_t>(values)};
}

void check_tokens(const corpus::Pack& pack, std::int64_t vocabulary) {
  for (std::size_t i = 0; i < pack.probes.size(); ++i) {
    for (std::int64_t t = pack.starts[i]; t < pack.starts[i + 1]; ++t) {
      const std::int32_t token = pack.tokens[static_cast<std::size_t>(t)];
      if (token >= 0 && token < vocabulary) continue;
      throw Error(Exit::data, "token " + std::to_string(token) + " of probe " +
                                  std::to_string(pack.probes[i]) + " is not in the model's vocabulary of " +
                                  std::to_string(vocabulary) + "; is tokenizer.json the one of this model?");
    }
  }
}

}  // namespace

std::int64_t most_tokens(std::span<const corpus::Pack> packs) {
  std::int64_t most = 0;
  for (const corpus::Pack& pack : packs) most = std::max(most, static_cast<std::int64_t>(pack.tokens.size()));
  return most;
}

template <device::Number T>
PackRun<T>::PackRun(device::Device& device, const checkpoint::Config& config, const corpus::Pack& pack)
    : device_(device),
      config_(config),
      pack_(pack),
      x_(device, pack.tokens.size() * static_cast<std::size_t>(config.d)) {
  std::vector<std::int32_t> position;
  std::vector<std::int32_t> starts = {0};
  std::vector<std::int32_t> last;
  std::vector<std::int32_t> last_position;
  for (std::size_t i = 0; i < pack.probes.size(); ++i) {
    const auto length = static_cast<std::int32_t>(pack.starts[i + 1] - pack.starts[i]);
    for (std::int32_t t = 0; t < length; ++t) position.push_back(t);
    starts.push_back(starts.back() + length);
    last.push_back(starts.back() - 1);
    last_position.push_back(length - 1);
    longest_ = std::max<std::int64_t>(longest_, length);
  }
  std::vector<std::int32_t> one_each(starts.size());
  std::iota(one_each.begin(), one_each.end(), 0);
  position_ = to_device(device, position);
  starts_ = to_device(device, starts);
  last_ = to_device(device, last);
  last_position_ = to_device(device, last_position);
  one_each_ = to_device(device, one_each);
}

template <device::Number T>
std::size_t PackRun<T>::bytes(const checkpoint::Config& config, const corpus::Pack& pack) {
  return pack.tokens.size() * (static_cast<std::size_t>(config.d) * sizeof(float) + sizeof(std::int32_t)) +
         4 * (pack.probes.size() + 1) * sizeof(std::int32_t);
}

template <device::Number T>
void PackRun<T>::embed(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace<T>& workspace) {
  check_tokens(pack_, config_.vocab);
  // The workspace holds as many rows as there are tokens, 4·d numbers of 16 bits being more than d of 32.
  model::embed(device_, stream, embedding, pack_.tokens, reinterpret_cast<float*>(workspace.wide.data()),
               x_.data());
}

template <device::Number T>
void PackRun<T>::run(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace,
                     const KeptKeys<T>& kept, ComponentWatch* watch) {
  BlockPass<T>(device_, config_, rotary, workspace, watch).run(weights, all_rows(), keys(kept));
}

template <device::Number T>
void PackRun<T>::run_last(const BlockWeights<T>& weights, const RotaryTable& rotary, Workspace<T>& workspace,
                          float* last, const KeptKeys<T>& kept, ComponentWatch* watch) {
  gather_last(last);
  BlockPass<T>(device_, config_, rotary, workspace, watch)
      .run_last(weights, all_rows(), last_rows(last), keys(kept));
}

template <device::Number T>
void PackRun<T>::gather_last(float* last) {
  device_.gather_rows(
      {.rows = probes(), .d = config_.d, .in = x_.data(), .index = last_.data(), .out = last});
}

// No operation scatters: all rows are gathered anew, from the residual with the new ones behind it.
template <device::Number T>
void PackRun<T>::put_last(const float* last) {
  std::vector<std::int32_t> in_place(static_cast<std::size_t>(tokens()));
  std::iota(in_place.begin(), in_place.end(), 0);
  std::vector<std::int32_t> replaced = in_place;
  for (std::int64_t i = 0; i < probes(); ++i)
    replaced[static_cast<std::size_t>(pack_.starts[static_cast<std::size_t>(i) + 1] - 1)] =
        static_cast<std::int32_t>(tokens() + i);
  const auto same = to_device(device_, in_place), other = to_device(device_, replaced);
  device::Buffer<float> both(device_, static_cast<std::size_t>((tokens() + probes()) * config_.d));
  device_.gather_rows(
      {.rows = tokens(), .d = config_.d, .in = x_.data(), .index = same.data(), .out = both.data()});
  copy_last(last, both.data() + tokens() * config_.d);
  device_.gather_rows(
      {.rows = tokens(), .d = config_.d, .in = both.data(), .index = other.data(), .out = x_.data()});
}

template <device::Number T>
void PackRun<T>::copy_last(const float* from, float* to) {
  device_.gather_rows({.rows = probes(), .d = config_.d, .in = from, .index = one_each_.data(), .out = to});
}

template <device::Number T>
void PackRun<T>::norm_all(const float* weight, const float* bias, Workspace<T>& workspace) {
  layer_norm(device_, config_, tokens(), x_.data(), weight, bias, workspace.a.data());
}

template <device::Number T>
PassRows PackRun<T>::all_rows() {
  return {tokens(), x_.data(), starts_.data(), position_.data()};
}

template <device::Number T>
PassRows PackRun<T>::last_rows(float* last) {
  return {probes(), last, one_each_.data(), last_position_.data()};
}

template <device::Number T>
PassKeys<T> PackRun<T>::keys(const KeptKeys<T>& kept) const {
  return {.sequences = probes(), .starts = starts_.data(), .longest = longest_, .kept = kept};
}

template class PackRun<float>;
template class PackRun<device::Float16>;
template class PackRun<device::BFloat16>;

}  // namespace incipit::model
