#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "device/device.hpp"
#include "sae/options.hpp"
#include "sae/sae.hpp"
#include "sae/state.hpp"

namespace incipit::sae {

/// What a training run tells its caller, and asks it.
struct TrainHooks {
  std::function<void(std::int64_t steps_done)> progress =
      {};                           ///< called after every step, which the device may still be busy with
  std::function<bool()> stop = {};  ///< asked before every step; true ends the training
  std::function<bool()> due = {};   ///< asked every few steps; true: `keep` is called for all jobs
  /// Where a job stands; also called for all when a stop ends the training.
  std::function<void(std::size_t job, const State&)> keep = {};
};

/// One SAE to be trained. fit: n×d, verify: m×d residuals of the anchor, not normalised; an empty verify part
/// is replaced by the fit part.
struct Job {
  std::span<const float> fit = {};
  std::span<const float> verify = {};
  std::uint64_t seed = 1;
  std::string name = {};        ///< stands before what is said to be wrong with it
  const State* from = nullptr;  ///< where it was left before; null: it begins
};

/// Trains an SAE for each job, as science §2 says, all at once: their d, and their batches where the fit part
/// cuts them, must be equal, and the steps behind them. Jobs of the same fit part that follow each other
/// share it on the device. Empty when hooks.stop ended it. What goes on from a State that hooks.keep was
/// given ends with the same bytes as what was never left; its job must be the same, with the same options.
/// Each result depends on its job, d, the options and the kind of device alone: neither on the other jobs nor
/// on threads nor on time.
/// Errors: usage (options out of range), data (fewer than two fit probes, or a fit part without variance),
/// numbers (non-finite input; NaN or FVU > 10 during training, with step and values), defect (jobs of
/// different shapes, or a State that is not theirs).
std::vector<Sae> train_many(device::Device& device, std::span<const Job> jobs, std::int64_t d,
                            const SaeOptions& options, const TrainHooks& hooks = {});

/// One alone. Error(again): hooks.stop ended it.
Sae train(device::Device& device, std::span<const float> fit, std::span<const float> verify, std::int64_t d,
          const SaeOptions& options, std::uint64_t seed, const TrainHooks& hooks = {});

/// Rows of a step's batch where the fit part has n: what jobs must agree on to be trained together.
std::int64_t batch_rows(std::int64_t n, const SaeOptions& options);

/// Bytes of a device's memory that training takes for one job with a fit part of n×d.
std::int64_t training_bytes(std::int64_t n, std::int64_t d, const SaeOptions& options);

}  // namespace incipit::sae
