#include "sae/trainer.hpp"

#include <algorithm>
#include <cmath>

namespace incipit::sae {
namespace {

constexpr double first_decay = 0.9;
constexpr double second_decay = 0.999;
constexpr double adam_epsilon = 6.25e-10;
constexpr std::int64_t multi = 4;

}  // namespace

double learning_rate(std::int64_t d, std::int64_t step, std::int64_t steps) {
  const std::int64_t warm_up = std::max<std::int64_t>(1, steps / 20);
  const double rise = static_cast<double>(step + 1) / static_cast<double>(warm_up);
  const double fall =
      static_cast<double>(steps - step) / static_cast<double>(std::max<std::int64_t>(1, steps - warm_up));
  return 0.03 / std::sqrt(static_cast<double>(d)) * std::min({1.0, rise, fall});
}

template <class T>
Trainer<T>::Array::Array(device::Device& device, std::span<const T> start, std::int64_t row_count)
    : rows(row_count),
      value(device, start),
      gradient(device, start.size()),
      first(device, start.size()),
      second(device, start.size()) {
  gradient.zero();
  first.zero();
  second.zero();
}

template <class T>
Trainer<T>::Trainer(device::Device& device, const Parameters<T>& start, std::span<const T> inputs,
                    const Shape& shape)
    : device_(device),
      shape_(shape),
      h_(start.h),
      d_(start.d),
      keep_(std::min(multi * shape.k, start.h)),
      encoder_(device, start.encoder, start.h),
      encoder_bias_(device, start.encoder_bias, 1),
      decoder_(device, start.decoder, start.h),
      pre_bias_(device, start.pre_bias, 1),
      inputs_(device, inputs),
      rows_(device, shape.batch),
      x_(device, shape.batch * start.d),
      z_(device, shape.batch * start.h),
      index_(device, shape.batch * keep_),
      value_(device, shape.batch * keep_),
      slope_(device, shape.batch * keep_),
      residual_(device, shape.batch * start.d),
      residual_multi_(device, shape.batch * start.d),
      square_(device, shape.batch),
      square_multi_(device, shape.batch),
      square_auxiliary_(device, shape.batch),
      terms_(device, 4),
      idle_(device, start.h),
      dead_(device, start.h),
      dead_count_(device, 1) {
  idle_.zero();
}

template <class T>
Terms Trainer<T>::backward(std::span<const std::int32_t> rows) {
  const std::int64_t dead_latents = dead();
  encode(rows, dead_latents > 0);
  decode();
  sparse_gradients();
  // At d = 1 or h = 1 the number of dead latents to be used rounds to none.
  const bool with_auxiliary = std::min({d_ / 2, h_ / 2, dead_latents}) > 0;
  if (with_auxiliary) auxiliary(dead_latents);
  const Terms terms = loss(with_auxiliary);
  device_.sae_idle(device::SaeIdle<T>{.n = shape_.batch,
                                      .h = h_,
                                      .k = shape_.k,
                                      .keep = keep_,
                                      .index = index_.data(),
                                      .value = value_.data(),
                                      .idle = idle_.data()});
  return terms;
}

template <class T>
void Trainer<T>::encode(std::span<const std::int32_t> rows, bool with_z) {
  rows_.upload(rows);
  device_.gather_centred(device::GatherCentred<T>{.n = shape_.batch,
                                                  .d = d_,
                                                  .rows = inputs_.data(),
                                                  .index = rows_.data(),
                                                  .centre = pre_bias_.value.data(),
                                                  .out = x_.data()});
  device_.encode_top_k(device::EncodeTopK<T>{.n = shape_.batch,
                                             .d = d_,
                                             .h = h_,
                                             .keep = keep_,
                                             .x = x_.data(),
                                             .encoder = encoder_.value.data(),
                                             .bias = encoder_bias_.value.data(),
                                             .index = index_.data(),
                                             .value = value_.data(),
                                             .z = with_z ? z_.data() : nullptr});
}

template <class T>
void Trainer<T>::decode() {
  const double share = 1 / static_cast<double>(shape_.batch * d_);
  device_.sae_decode(
      device::SaeDecode<T>{.n = shape_.batch,
                           .d = d_,
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
      device::SaeGradient<T>{.n = shape_.batch,
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
void Trainer<T>::auxiliary(std::int64_t dead) {
  device_.sae_auxiliary(device::SaeAuxiliary<T>{
      .n = shape_.batch,
      .d = d_,
      .h = h_,
      .dead_count = dead,
      .keep = std::min({d_ / 2, h_ / 2, dead}),
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
Terms Trainer<T>::loss(bool with_auxiliary) {
  device_.sae_loss({.n = shape_.batch,
                    .d = d_,
                    .square = square_.data(),
                    .square_multi = square_multi_.data(),
                    .square_auxiliary = with_auxiliary ? square_auxiliary_.data() : nullptr,
                    .terms = terms_.data()});
  const std::vector<double> terms = terms_.download();
  return {.fvu = terms[0], .fvu_multi = terms[1], .auxk = terms[2], .loss = terms[3]};
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
std::int64_t Trainer<T>::dead() {
  device_.sae_dead({.h = h_,
                    .dead_after = shape_.dead_after,
                    .idle = idle_.data(),
                    .dead = dead_.data(),
                    .count = dead_count_.data()});
  return dead_count_.download().front();
}

template <class T>
Parameters<T> Trainer<T>::download(device::Buffer<T> Array::*which) const {
  return {.h = h_,
          .d = d_,
          .encoder = (encoder_.*which).download(),
          .encoder_bias = (encoder_bias_.*which).download(),
          .decoder = (decoder_.*which).download(),
          .pre_bias = (pre_bias_.*which).download()};
}

template <class T>
Parameters<T> Trainer<T>::parameters() const {
  return download(&Array::value);
}

template <class T>
Parameters<T> Trainer<T>::gradients() const {
  return download(&Array::gradient);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace incipit::sae
