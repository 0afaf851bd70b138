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

/// Where an SAE's training begins, or goes on.
template <class T>
struct Start {
  Parameters<T> parameters;
  std::int64_t dead_after;              ///< samples without firing after which a latent is dead
  Parameters<T> first = {};             ///< Adam's moments; empty: zero
  Parameters<T> second = {};            //
  std::vector<std::int64_t> idle = {};  ///< samples since each latent last fired; empty: none
};

/// SAEs of one shape in training together, on a device: one alone hardly occupies a GPU. Each is trained as
/// if it were alone, to the byte. A step is backward() and update(); nothing waits for the device but what
/// brings numbers back, so steps are loaded and their losses fetched many at a time.
template <class T>
class Trainer {
 public:
  /// Steps that can be loaded at once.
  static constexpr std::int64_t most_steps = 32;

  struct Shape {
    std::int64_t k;      ///< latents kept
    std::int64_t batch;  ///< rows per step and SAE
  };

  /// starts: one for each SAE, all of one h and d, all behind the same number of `updates`. inputs: any×d in
  /// input space, of all SAEs; they may share rows.
  Trainer(device::Device& device, std::span<const Start<T>> starts, device::Buffer<T> inputs,
          const Shape& shape, std::int64_t updates = 0);

  /// Batches of the next steps, in place of those loaded before: steps×SAEs×batch rows of the inputs.
  /// Error(defect) for more than most_steps.
  void load(std::span<const std::int32_t> rows);
  /// Loss and gradients on the next of the batches loaded. Latents are dead by what they did before it.
  void backward();
  /// One Adam step along the gradients of the last backward().
  void update(double rate);

  /// The losses of the steps done since load(): steps×SAEs.
  [[nodiscard]] std::vector<Terms> terms() const;
  [[nodiscard]] Parameters<T> parameters(std::int64_t sae) const;
  [[nodiscard]] Parameters<T> gradients(std::int64_t sae) const;
  [[nodiscard]] Parameters<T> first_moments(std::int64_t sae) const;
  [[nodiscard]] Parameters<T> second_moments(std::int64_t sae) const;
  /// Number of dead latents now, of each SAE.
  [[nodiscard]] std::vector<std::int64_t> dead();
  /// Samples since each latent last fired, SAEs×h.
  void set_idle(std::span<const std::int64_t> idle) { idle_.upload(idle); }
  [[nodiscard]] std::vector<std::int64_t> idle() const { return idle_.download(); }

 private:
  /// A parameter array of all SAEs with its gradient and moments.
  struct Array {
    Array(device::Device& device, std::span<const Start<T>> starts, std::vector<T> Parameters<T>::*which,
          std::int64_t rows);
    std::int64_t rows;  ///< of all SAEs
    device::Buffer<T> value, first, second, gradient;
  };

  void list_dead();
  void encode();
  void decode();
  void sparse_gradients();
  void auxiliary();
  void loss();
  void count_idle();
  void adam(Array& array, bool unit_rows, double rate);
  std::vector<T> download(const device::Buffer<T>& all, std::int64_t sae) const;
  Parameters<T> download(device::Buffer<T> Array::*which, std::int64_t sae) const;

  device::Device& device_;
  Shape shape_;
  std::int64_t saes_, h_, d_, keep_;
  std::int64_t most_dead_;   ///< dead latents that AuxK uses at most
  std::int64_t step_;        ///< updates
  std::int64_t loaded_ = 0;  ///< steps
  std::int64_t at_ = 0;      ///< of the steps loaded, those done
  Array encoder_, encoder_bias_, decoder_, pre_bias_;
  device::Buffer<T> inputs_;                                         // any×d
  device::Buffer<std::int32_t> rows_;                                // most_steps×saes×batch
  device::Buffer<T> x_;                                              // saes×batch×d
  device::Buffer<T> z_;                                              // saes×batch×h
  device::Buffer<std::int32_t> index_;                               // saes×batch×keep
  device::Buffer<T> value_, slope_;                                  // saes×batch×keep
  device::Buffer<T> residual_, residual_multi_;                      // saes×batch×d
  device::Buffer<double> square_, square_multi_, square_auxiliary_;  // saes×batch
  device::Buffer<double> terms_;                                     // most_steps×saes×4
  device::Buffer<std::int64_t> idle_;                                // saes×h
  device::Buffer<std::int64_t> dead_after_;                          // saes
  device::Buffer<std::int32_t> dead_;                                // saes×h
  device::Buffer<std::int64_t> dead_count_;                          // saes
};

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace incipit::sae
