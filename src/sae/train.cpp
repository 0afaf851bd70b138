#include "sae/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "error.hpp"
#include "sae/batches.hpp"
#include "sae/encode.hpp"
#include "sae/geometric_median.hpp"
#include "sae/normalisation.hpp"
#include "sae/start.hpp"
#include "sae/trainer.hpp"

namespace incipit::sae {
namespace {

constexpr std::int64_t history_points = 100;
constexpr double largest_fvu = 10;
constexpr double converged_within = 0.01;

Parameters<float> start(std::span<const float> u, std::int64_t d, const SaeOptions& options,
                        std::uint64_t seed) {
  const std::vector<double> centre = geometric_median(u, d);
  const std::vector<double> directions = start_directions(u, centre, options.latents, options.init, seed);
  Parameters<float> parameters{.h = options.latents, .d = d};
  parameters.decoder.assign(directions.begin(), directions.end());
  parameters.encoder = parameters.decoder;
  parameters.encoder_bias.assign(options.latents, 0.0F);
  parameters.pre_bias.assign(centre.begin(), centre.end());
  return parameters;
}

void check_terms(const Terms& terms, std::int64_t step, const SaeOptions& options) {
  // Written so that a NaN fails.
  if (terms.fvu <= largest_fvu && std::isfinite(terms.loss)) return;
  throw Error(
      Exit::numbers,
      fmt::format("the SAE diverged at step {} of {}: loss {}, FVU {}, multi-k FVU {}, AuxK {} (expected "
                  "finite numbers and an "
                  "FVU of at most {}); try sae.init = data, fewer sae.latents or a larger sae.batch",
                  step, options.steps, terms.loss, terms.fvu, terms.fvu_multi, terms.auxk, largest_fvu));
}

/// Means of the loss terms between points of the history.
class Recorder {
 public:
  Recorder(History& history, std::int64_t steps)
      : history_(history), steps_(steps), every_((steps + history_points - 1) / history_points) {}

  void add(const Terms& terms) {
    sum_.fvu += terms.fvu;
    sum_.fvu_multi += terms.fvu_multi;
    sum_.auxk += terms.auxk;
    sum_.loss += terms.loss;
    ++count_;
  }
  [[nodiscard]] bool due(std::int64_t done) const { return done % every_ == 0 || done == steps_; }
  void record(std::int64_t done, double dead_share) {
    const auto count = static_cast<double>(count_);
    history_.step.push_back(done);
    history_.loss.push_back(sum_.loss / count);
    history_.fvu.push_back(sum_.fvu / count);
    history_.fvu_multi.push_back(sum_.fvu_multi / count);
    history_.auxk.push_back(sum_.auxk / count);
    history_.dead.push_back(dead_share);
    sum_ = {};
    count_ = 0;
  }

 private:
  History& history_;
  std::int64_t steps_, every_;
  Terms sum_;
  std::int64_t count_ = 0;
};

/// The trained parameters in the shape that is kept.
void take(Sae& sae, Parameters<float> parameters) {
  sae.encoder = std::move(parameters.encoder);
  sae.encoder_bias = std::move(parameters.encoder_bias);
  sae.decoder = std::move(parameters.decoder);
  sae.pre_bias = std::move(parameters.pre_bias);
}

/// Runs the steps; FVU of the verify part is taken before the last tenth and at the end.
void run_steps(device::Device& device, Trainer<float>& trainer, Batches& batches, const SaeOptions& options,
               std::span<const float> verify, Sae& sae, const TrainHooks& hooks) {
  const auto verify_rows = static_cast<std::int64_t>(verify.size()) / sae.d;
  const std::int64_t last_tenth = options.steps - std::max<std::int64_t>(1, options.steps / 10);
  Recorder recorder(sae.history, options.steps);
  double before = 0;
  for (std::int64_t step = 0; step < options.steps; ++step) {
    if (hooks.stop && hooks.stop())
      throw Error(
          Exit::again,
          fmt::format("stopped in SAE training after {} of {} steps; the same command starts this SAE again",
                      step, options.steps));
    if (step == last_tenth) {
      take(sae, trainer.parameters());
      before = fvu(device, sae, verify, verify_rows);
    }
    const Terms terms = trainer.backward(batches.next());
    check_terms(terms, step + 1, options);
    trainer.update(learning_rate(sae.d, step, options.steps));
    recorder.add(terms);
    if (recorder.due(step + 1))
      recorder.record(step + 1, static_cast<double>(trainer.dead()) / static_cast<double>(sae.h));
    if (hooks.progress) hooks.progress(step + 1);
  }
  take(sae, trainer.parameters());
  sae.verify_fvu = fvu(device, sae, verify, verify_rows);
  if (!std::isfinite(sae.verify_fvu))
    throw Error(Exit::numbers, fmt::format("the SAE's FVU on the verify part is {} after {} steps",
                                           sae.verify_fvu, options.steps));
  sae.unconverged = std::abs(sae.verify_fvu - before) > converged_within * before;
}

}  // namespace

Sae train(device::Device& device, std::span<const float> fit, std::span<const float> verify, std::int64_t d,
          const SaeOptions& options, std::uint64_t seed, const TrainHooks& hooks) {
  check(options);
  const Normalisation norm = normalisation(fit, d);
  Sae sae{.h = options.latents, .d = d, .k = options.k, .mean = norm.mean, .scale = norm.scale, .seed = seed};

  std::vector<float> u(fit.size());
  normalise(fit, sae.mean, sae.scale, u);
  std::vector<float> u_verify;
  if (!verify.empty()) {
    u_verify.resize(verify.size());
    normalise(verify, sae.mean, sae.scale, u_verify);
  }

  const std::int64_t n = static_cast<std::int64_t>(fit.size()) / d;
  Batches batches(n, options.batch, seed);
  Trainer<float> trainer(device, start(u, d, options, seed), u,
                         {.k = options.k,
                          .batch = batches.size(),
                          .dead_after = options.dead_after > 0 ? options.dead_after : 2 * n});
  run_steps(device, trainer, batches, options, verify.empty() ? u : u_verify, sae, hooks);
  return sae;
}

}  // namespace incipit::sae
