#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device/device.hpp"

namespace incipit::sae {

/// What is trained, or its gradients. T: float, or double where training is compared with an exact reference.
template <class T>
struct Parameters {
  std::int64_t h = 0;
  std::int64_t d = 0;
  std::vector<T> encoder = {};       ///< h×d
  std::vector<T> encoder_bias = {};  ///< h
  std::vector<T> decoder = {};       ///< h×d, rows of unit norm
  std::vector<T> pre_bias = {};      ///< d
};

/// The loss of a batch (science §2): loss = fvu + fvu_multi / 8 + auxk / 32.
struct Terms {
  double fvu = 0;
  double fvu_multi = 0;
  double auxk = 0;
  double loss = 0;
};

/// Learning rate of step `step` (from 0) of `steps`: 0.03/√d, rising linearly over the first 5 % of the
/// steps, falling linearly to 0, which it would reach one step after the last.
double learning_rate(std::int64_t d, std::int64_t step, std::int64_t steps);

/// One SAE in training, on a device. A step is backward() and update().
template <class T>
class Trainer {
 public:
  struct Shape {
    std::int64_t k;           ///< latents kept
    std::int64_t batch;       ///< rows per step
    std::int64_t dead_after;  ///< samples without firing after which a latent is dead
  };

  /// inputs: n×d in input space, put on the device and kept there.
  Trainer(device::Device& device, const Parameters<T>& start, std::span<const T> inputs, const Shape& shape);

  /// Loss and gradients on a batch of row indices (`shape.batch` of them). Latents are dead by what they did
  /// before this batch.
  Terms backward(std::span<const std::int32_t> rows);
  /// One Adam step along the gradients of the last backward().
  void update(double rate);

  [[nodiscard]] Parameters<T> parameters() const;
  [[nodiscard]] Parameters<T> gradients() const;
  /// Number of dead latents now.
  [[nodiscard]] std::int64_t dead();
  /// Samples since each latent last fired, h.
  void set_idle(std::span<const std::int64_t> idle) { idle_.upload(idle); }

 private:
  /// A parameter array with its gradient and moments.
  struct Array {
    Array(device::Device& device, std::span<const T> start, std::int64_t rows);
    std::int64_t rows;
    device::Buffer<T> value, gradient, first, second;
  };

  void encode(std::span<const std::int32_t> rows, bool with_z);
  void decode();
  void sparse_gradients();
  void auxiliary(std::int64_t dead);
  Terms loss(bool with_auxiliary);
  void adam(Array& array, bool unit_rows, double rate);
  Parameters<T> download(device::Buffer<T> Array::*which) const;

  device::Device& device_;
  Shape shape_;
  std::int64_t h_, d_, keep_;
  std::int64_t step_ = 0;
  Array encoder_, encoder_bias_, decoder_, pre_bias_;
  device::Buffer<T> inputs_;                                         // n×d
  device::Buffer<std::int32_t> rows_;                                // batch
  device::Buffer<T> x_;                                              // batch×d
  device::Buffer<T> z_;                                              // batch×h
  device::Buffer<std::int32_t> index_;                               // batch×keep
  device::Buffer<T> value_, slope_;                                  // batch×keep
  device::Buffer<T> residual_, residual_multi_;                      // batch×d
  device::Buffer<double> square_, square_multi_, square_auxiliary_;  // batch
  device::Buffer<double> terms_;                                     // 4
  device::Buffer<std::int64_t> idle_;                                // h
  device::Buffer<std::int32_t> dead_;                                // h
  device::Buffer<std::int64_t> dead_count_;                          // 1
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace incipit::sae
