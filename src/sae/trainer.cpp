#include "sae/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "error.hpp"

namespace incipit::sae {
namespace {

constexpr double first_decay = 0.9;
constexpr double second_decay = 0.999;
constexpr double adam_epsilon = 6.25e-10;
constexpr std::int64_t multi = 4;
/// Numbers of a batch's loss.
constexpr std::int64_t terms_each = 4;

}  // namespace

double learning_rate(std::int64_t d, std::int64_t step, std::int64_t steps) {
  const std::int64_t warm_up = std::max<std::int64_t>(1, steps / 20);
  const double rise = static_cast<double>(step + 1) / static_cast<double>(warm_up);
  const double fall =
      static_cast<double>(steps - step) / static_cast<double>(std::max<std::int64_t>(1, steps - warm_up));
  return 0.03 / std::sqrt(static_cast<double>(d)) * std::min({1.0, rise, fall});
}

template <class T>
Trainer<T>::Array::Array(device::Device& device, std::span<const Start<T>> starts,
                         std::vector<T> Parameters<T>::*which, std::int64_t row_count)
    : rows(row_count) {
  const auto joined = [&](Parameters<T> Start<T>::*part) {
    std::vector<T> all;
    for (const Start<T>& start : starts) {
      const std::vector<T>& values = start.*part.*which;
      if (values.empty()) {
        all.resize(all.size() + (start.parameters.*which).size());
      } else {
        all.insert(all.end(), values.begin(), values.end());
      }
    }
    return device::Buffer<T>(device, std::span<const T>(all));
  };
  value = joined(&Start<T>::parameters);
  first = joined(&Start<T>::first);
  second = joined(&Start<T>::second);
  gradient = device::Buffer<T>(device, value.size());
  gradient.zero();
}

template <class T>
Trainer<T>::Trainer(device::Device& device, std::span<const Start<T>> starts, device::Buffer<T> inputs,
                    const Shape& shape, std::int64_t updates)
    : device_(device),
      shape_(shape),
      saes_(std::ssize(starts)),
      h_(starts.front().parameters.h),
      d_(starts.front().parameters.d),
      keep_(std::min(multi * shape.k, h_)),
      most_dead_(std::min(d_ / 2, h_ / 2)),
      step_(updates),
      encoder_(device, starts, &Parameters<T>::encoder, saes_ * h_),
      encoder_bias_(device, starts, &Parameters<T>::encoder_bias, saes_),
      decoder_(device, starts, &Parameters<T>::decoder, saes_ * h_),
      pre_bias_(device, starts, &Parameters<T>::pre_bias, saes_),
      inputs_(std::move(inputs)),
      rows_(device, most_steps * saes_ * shape.batch),
      x_(device, saes_ * shape.batch * d_),
      z_(device, most_dead_ > 0 ? saes_ * shape.batch * h_ : 0),
      index_(device, saes_ * shape.batch * keep_),
      value_(device, saes_ * shape.batch * keep_),
      slope_(device, saes_ * shape.batch * keep_),
      residual_(device, saes_ * shape.batch * d_),
      residual_multi_(device, saes_ * shape.batch * d_),
      square_(device, saes_ * shape.batch),
      square_multi_(device, saes_ * shape.batch),
      square_auxiliary_(device, most_dead_ > 0 ? saes_ * shape.batch : 0),
      terms_(device, most_steps * saes_ * terms_each),
      idle_(device, saes_ * h_),
      dead_after_(device, saes_),
      dead_(device, saes_ * h_),
      dead_count_(device, saes_) {
  std::vector<std::int64_t> dead_after, idle;
  for (const Start<T>& start : starts) {
    dead_after.push_back(start.dead_after);
    idle.insert(idle.end(), start.idle.begin(), start.idle.end());
    idle.resize(dead_after.size() * static_cast<std::size_t>(h_));
  }
  dead_after_.upload(dead_after);
  idle_.upload(idle);
}

template <class T>
void Trainer<T>::load(std::span<const std::int32_t> rows) {
  const std::int64_t each = saes_ * shape_.batch;
  if (std::ssize(rows) % each != 0 || std::ssize(rows) > most_steps * each)
    throw Error(Exit::defect, fmt::format("{} rows are no batches of {} for at most {} steps", rows.size(),
                                          each, most_steps));
  device_.upload(rows_.data(), rows.data(), rows.size_bytes());
  loaded_ = std::ssize(rows) / each;
  at_ = 0;
}

template <class T>
void Trainer<T>::backward() {
  if (at_ == loaded_) throw Error(Exit::defect, "an SAE's step was asked for whose batch is not loaded");
  list_dead();
  encode();
  decode();
  sparse_gradients();
  // At d = 1 or h = 1 the number of dead latents to be used rounds to none.
  if (most_dead_ > 0) auxiliary();
  loss();
  count_idle();
  ++at_;
}

template <class T>
void Trainer<T>::list_dead() {
  device_.sae_dead({.problems = saes_,
                    .h = h_,
                    .dead_after = dead_after_.data(),
                    .idle = idle_.data(),
                    .dead = dead_.data(),
                    .count = dead_count_.data()});
}

template <class T>
void Trainer<T>::encode() {
  device_.gather_centred(device::GatherCentred<T>{.problems = saes_,
                                                  .n = shape_.batch,
                                                  .d = d_,
                                                  .rows = inputs_.data(),
                                                  .index = rows_.data() + at_ * saes_ * shape_.batch,
                                                  .centre = pre_bias_.value.data(),
                                                  .out = x_.data()});
  device_.encode_top_k(device::EncodeTopK<T>{.problems = saes_,
                                             .n = shape_.batch,
                                             .d = d_,
                                             .h = h_,
                                             .keep = keep_,
                                             .x = x_.data(),
                                             .encoder = encoder_.value.data(),
                                             .bias = encoder_bias_.value.data(),
                                             .index = index_.data(),
                                             .value = value_.data(),
                                             .z = z_.data()});
}

template <class T>
void Trainer<T>::decode() {
  const double share = 1 / static_cast<double>(shape_.batch * d_);
  device_.sae_decode(
      device::SaeDecode<T>{.problems = saes_,
                           .n = shape_.batch,
                           .d = d_,
                           .h = h_,
                           .k = shape_.k,
                           .keep = keep_,
                           .x = x_.data(),
                           .decoder = decoder_.value.data(),
                           .index = index_.data(),
                           .value = value_.data(),
                           .weight = static_cast<T>(share),
                           .weight_multi = static_cast<T>(share * device::SaeLoss::multi_share),
                           .residual = residual_.data(),
                           .residual_multi = residual_multi_.data(),
                           .slope = slope_.data(),
                           .square = square_.data(),
                           .square_multi = square_multi_.data()});
}

template <class T>
void Trainer<T>::sparse_gradients() {
  const double share = 1 / static_cast<double>(shape_.batch * d_);
  device_.sae_gradient(
      device::SaeGradient<T>{.problems = saes_,
                             .n = shape_.batch,
                             .d = d_,
                             .h = h_,
                             .k = shape_.k,
                             .keep = keep_,
                             .x = x_.data(),
                             .index = index_.data(),
                             .value = value_.data(),
                             .slope = slope_.data(),
                             .residual = residual_.data(),
                             .residual_multi = residual_multi_.data(),
                             .weights = encoder_.value.data(),
                             .weight = static_cast<T>(share),
                             .weight_multi = static_cast<T>(share * device::SaeLoss::multi_share),
                             .encoder = encoder_.gradient.data(),
                             .encoder_bias = encoder_bias_.gradient.data(),
                             .decoder = decoder_.gradient.data(),
                             .pre_bias = pre_bias_.gradient.data()});
}

template <class T>
void Trainer<T>::auxiliary() {
  device_.sae_auxiliary(device::SaeAuxiliary<T>{
      .problems = saes_,
      .n = shape_.batch,
      .d = d_,
      .h = h_,
      .most_kept = most_dead_,
      .dead_count = dead_count_.data(),
      .dead = dead_.data(),
      .x = x_.data(),
      .z = z_.data(),
      .e = residual_.data(),
      .e_square = square_.data(),
      .encoder = encoder_.value.data(),
      .decoder = decoder_.value.data(),
      .weight = device::SaeLoss::auxiliary_share,
      .floor = device::SaeLoss::smallest_share * static_cast<double>(shape_.batch * d_),
      .encoder_gradient = encoder_.gradient.data(),
      .encoder_bias_gradient = encoder_bias_.gradient.data(),
      .decoder_gradient = decoder_.gradient.data(),
      .pre_bias_gradient = pre_bias_.gradient.data(),
      .square = square_auxiliary_.data()});
}

template <class T>
void Trainer<T>::loss() {
  device_.sae_loss({.problems = saes_,
                    .n = shape_.batch,
                    .d = d_,
                    .square = square_.data(),
                    .square_multi = square_multi_.data(),
                    .square_auxiliary = square_auxiliary_.data(),
                    .terms = terms_.data() + at_ * saes_ * terms_each});
}

template <class T>
void Trainer<T>::count_idle() {
  device_.sae_idle(device::SaeIdle<T>{.problems = saes_,
                                      .n = shape_.batch,
                                      .h = h_,
                                      .k = shape_.k,
                                      .keep = keep_,
                                      .index = index_.data(),
                                      .value = value_.data(),
                                      .idle = idle_.data()});
}

template <class T>
void Trainer<T>::update(double rate) {
  ++step_;
  adam(encoder_, false, rate);
  adam(encoder_bias_, false, rate);
  adam(decoder_, true, rate);
  adam(pre_bias_, false, rate);
}

template <class T>
void Trainer<T>::adam(Array& array, bool unit_rows, double rate) {
  device_.sae_adam(device::SaeAdam<T>{.rows = array.rows,
                                      .d = static_cast<std::int64_t>(array.value.size()) / array.rows,
                                      .unit_rows = unit_rows,
                                      .step = step_,
                                      .rate = rate,
                                      .beta1 = first_decay,
                                      .beta2 = second_decay,
                                      .epsilon = adam_epsilon,
                                      .gradient = array.gradient.data(),
                                      .parameter = array.value.data(),
                                      .first = array.first.data(),
                                      .second = array.second.data()});
}

template <class T>
std::vector<Terms> Trainer<T>::terms() const {
  std::vector<double> numbers(at_ * saes_ * terms_each);
  device_.download(numbers.data(), terms_.data(), numbers.size() * sizeof(double));
  std::vector<Terms> terms;
  for (std::size_t i = 0; i < numbers.size(); i += terms_each)
    terms.push_back(
        {.fvu = numbers[i], .fvu_multi = numbers[i + 1], .auxk = numbers[i + 2], .loss = numbers[i + 3]});
  return terms;
}

template <class T>
std::vector<std::int64_t> Trainer<T>::dead() {
  list_dead();
  return dead_count_.download();
}

template <class T>
std::vector<T> Trainer<T>::download(const device::Buffer<T>& all, std::int64_t sae) const {
  std::vector<T> values(static_cast<std::int64_t>(all.size()) / saes_);
  device_.download(values.data(), all.data() + sae * std::ssize(values), values.size() * sizeof(T));
  return values;
}

template <class T>
Parameters<T> Trainer<T>::download(device::Buffer<T> Array::*which, std::int64_t sae) const {
  return {.h = h_,
          .d = d_,
          .encoder = download(encoder_.*which, sae),
          .encoder_bias = download(encoder_bias_.*which, sae),
          .decoder = download(decoder_.*which, sae),
          .pre_bias = download(pre_bias_.*which, sae)};
}

template <class T>
Parameters<T> Trainer<T>::parameters(std::int64_t sae) const {
  return download(&Array::value, sae);
}

template <class T>
Parameters<T> Trainer<T>::gradients(std::int64_t sae) const {
  return download(&Array::gradient, sae);
}

template <class T>
Parameters<T> Trainer<T>::first_moments(std::int64_t sae) const {
  return download(&Array::first, sae);
}

template <class T>
Parameters<T> Trainer<T>::second_moments(std::int64_t sae) const {
  return download(&Array::second, sae);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace incipit::sae
