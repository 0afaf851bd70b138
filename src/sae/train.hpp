#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "device/device.hpp"
#include "sae/options.hpp"
#include "sae/sae.hpp"

namespace incipit::sae {

/// What a training run tells its caller, and asks it.
struct TrainHooks {
  std::function<void(std::int64_t steps_done)> progress = {};  ///< called after every step
  std::function<bool()> stop =
      {};  ///< asked before every step; true ends the training with Error(Exit::again)
};

/// Trains one SAE as science §2 says.
/// fit: n×d, verify: m×d residuals of the anchor, not normalised; an empty verify part is replaced by the fit
/// part. The result depends on the arguments and the kind of device alone: neither on threads nor on time.
/// Errors: usage (options out of range), data (fewer than two fit probes, or a fit part without variance),
/// numbers (non-finite input; NaN or FVU > 10 during training, with step and values), again (hooks.stop).
Sae train(device::Device& device, std::span<const float> fit, std::span<const float> verify, std::int64_t d,
          const SaeOptions& options, std::uint64_t seed, const TrainHooks& hooks = {});

}  // namespace incipit::sae
