#include "sae/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

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

void check_terms(const Terms& terms, std::int64_t step, const SaeOptions& options) {
  // With a large k the start overshoots, since the latents of a probe are much alike, and training mends it:
  // so how far off is too far is asked once the learning rate has risen. Written so that a NaN fails.
  const bool rising = step <= options.steps / 20;
  if ((terms.fvu <= largest_fvu || (rising && std::isfinite(terms.fvu))) && std::isfinite(terms.loss)) return;
  throw Error(
      Exit::numbers,
      fmt::format("the SAE diverged at step {} of {}: loss {}, FVU {}, multi-k FVU {}, AuxK {} (expected "
                  "finite numbers and, behind the warm-up, an "
                  "FVU of at most {}); try sae.init = data, fewer sae.latents or a larger sae.batch",
                  step, options.steps, terms.loss, terms.fvu, terms.fvu_multi, terms.auxk, largest_fvu));
}

/// Means of the loss terms between points of the history.
class Recorder {
 public:
  explicit Recorder(std::int64_t steps, const Sums& sums = {})
      : steps_(steps), every_((steps + history_points - 1) / history_points), sums_(sums) {}

  void add(const Terms& terms) {
    sums_.of.fvu += terms.fvu;
    sums_.of.fvu_multi += terms.fvu_multi;
    sums_.of.auxk += terms.auxk;
    sums_.of.loss += terms.loss;
    ++sums_.count;
  }
  [[nodiscard]] const Sums& sums() const { return sums_; }
  /// The next point after `done` steps.
  [[nodiscard]] std::int64_t next(std::int64_t done) const {
    return std::min((done / every_ + 1) * every_, steps_);
  }
  void record(std::int64_t done, double dead_share, History& history) {
    const auto count = static_cast<double>(sums_.count);
    history.step.push_back(done);
    history.loss.push_back(sums_.of.loss / count);
    history.fvu.push_back(sums_.of.fvu / count);
    history.fvu_multi.push_back(sums_.of.fvu_multi / count);
    history.auxk.push_back(sums_.of.auxk / count);
    history.dead.push_back(dead_share);
    sums_ = {};
  }

 private:
  std::int64_t steps_, every_;
  Sums sums_;
};

/// What goes wrong with a job is said with its name.
template <class F>
auto under_name(const Job& job, const F& f) {
  try {
    return f();
  } catch (const Error& error) {
    if (job.name.empty()) throw;
    throw Error(error.code(), job.name + ": " + error.what());
  }
}

/// One SAE on its way.
struct Course {
  const Job& job;
  Sae sae;
  std::int64_t first_row;  ///< of its fit part in the inputs on the device
  Batches batches;
  Recorder recorder;
  double fvu_before = 0;  ///< of the verify part before the last tenth
};

/// Training of a set of jobs from the first step to the last.
class Training {
 public:
  Training(device::Device& device, std::span<const Job> jobs, std::int64_t d, const SaeOptions& options,
           const TrainHooks& hooks)
      : device_(device),
        options_(options),
        hooks_(hooks),
        d_(d),
        begin_(common_begin(jobs)),
        trainer_(prepare(jobs)) {}

  /// Runs in rounds of steps, between which losses are looked at. A round's length changes no number.
  std::vector<Sae> run() {
    const std::int64_t last_tenth = options_.steps - std::max<std::int64_t>(1, options_.steps / 10);
    for (std::int64_t done = begin_; done < options_.steps;) {
      if (done == last_tenth) look_before_last_tenth();
      std::int64_t end = std::min(done + Trainer<float>::most_steps, courses_.front().recorder.next(done));
      if (done < last_tenth) end = std::min(end, last_tenth);
      load(end - done);
      std::int64_t step = done;
      while (step < end && !(hooks_.stop && hooks_.stop())) take_step(step++);
      read_losses(done);
      if (step == courses_.front().recorder.next(done)) record(step);
      done = step;
      const bool stopped = step < end;
      if (hooks_.keep && done > begin_ && (stopped || (hooks_.due && hooks_.due()))) keep(done);
      if (stopped) return {};
    }
    return finish();
  }

 private:
  /// A fit part in input space; jobs that share it follow each other.
  struct Part {
    Normalisation norm = {};
    std::vector<float> u = {};
    std::vector<double> centre = {};  ///< geometric median, where training begins
    std::int64_t first_row = 0;       ///< in the inputs on the device
  };

  /// Puts the fit parts on the device and finds where each SAE starts.
  Trainer<float> prepare(std::span<const Job> jobs) {
    device::Buffer<float> inputs(device_, count_rows(jobs) * d_);
    std::vector<Start<float>> starts;
    Part part;
    courses_.reserve(jobs.size());
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      const Job& job = jobs[j];
      under_name(job, [&] {
        if (j == 0) part = put_part(job, 0, inputs);
        if (j > 0 && !same_fit(jobs[j - 1], job))
          part = put_part(job, part.first_row + rows_of(jobs[j - 1]), inputs);
        starts.push_back(start(job, part));
        courses_.push_back(course(job, part));
      });
    }
    return {device_, starts, std::move(inputs), {.k = options_.k, .batch = common_batch()}, begin_};
  }

  /// Steps that all jobs have behind them.
  [[nodiscard]] std::int64_t common_begin(std::span<const Job> jobs) const {
    const auto done = [](const Job& job) { return job.from == nullptr ? 0 : job.from->steps; };
    const std::int64_t begin = done(jobs.front());
    for (const Job& job : jobs) {
      if (done(job) != begin || begin > options_.steps)
        throw Error(Exit::defect, fmt::format("SAEs with {} and {} of {} steps behind them cannot be trained "
                                              "together",
                                              begin, done(job), options_.steps));
      if (job.from != nullptr && (job.from->parameters.h != options_.latents || job.from->parameters.d != d_))
        throw Error(Exit::defect, "an SAE's training cannot go on from the state of another");
    }
    return begin;
  }

  Part put_part(const Job& job, std::int64_t first_row, device::Buffer<float>& inputs) {
    Part part{
        .norm = normalisation(job.fit, d_), .u = std::vector<float>(job.fit.size()), .first_row = first_row};
    normalise(job.fit, part.norm.mean, part.norm.scale, part.u);
    if (begin_ == 0) part.centre = geometric_median(part.u, d_);
    device_.upload(inputs.data() + first_row * d_, part.u.data(), part.u.size() * sizeof(float));
    return part;
  }

  [[nodiscard]] Course course(const Job& job, const Part& part) const {
    const State state = job.from == nullptr ? State{} : *job.from;
    Batches batches(rows_of(job), options_.batch, job.seed);
    if (begin_ > 0) batches.go_behind(begin_);
    return {.job = job,
            .sae = {.h = options_.latents,
                    .d = d_,
                    .k = options_.k,
                    .mean = part.norm.mean,
                    .scale = part.norm.scale,
                    .history = state.history,
                    .seed = job.seed},
            .first_row = part.first_row,
            .batches = std::move(batches),
            .recorder = Recorder(options_.steps, state.sums),
            .fvu_before = state.fvu_before};
  }

  [[nodiscard]] std::int64_t common_batch() const {
    const std::int64_t batch = courses_.front().batches.size();
    for (const Course& each : courses_)
      if (each.batches.size() != batch)
        throw Error(Exit::defect,
                    fmt::format("SAEs with batches of {} and {} rows cannot be trained together", batch,
                                each.batches.size()));
    return batch;
  }

  [[nodiscard]] std::int64_t rows_of(const Job& job) const {
    return static_cast<std::int64_t>(job.fit.size()) / d_;
  }
  static bool same_fit(const Job& a, const Job& b) {
    return a.fit.data() == b.fit.data() && a.fit.size() == b.fit.size();
  }
  [[nodiscard]] std::int64_t count_rows(std::span<const Job> jobs) const {
    std::int64_t rows = 0;
    for (std::size_t j = 0; j < jobs.size(); ++j)
      if (j == 0 || !same_fit(jobs[j - 1], jobs[j])) rows += rows_of(jobs[j]);
    if (rows > std::numeric_limits<std::int32_t>::max())
      throw Error(Exit::defect, fmt::format("{} probes are more than can be numbered", rows));
    return rows;
  }

  [[nodiscard]] Start<float> start(const Job& job, const Part& part) const {
    const std::int64_t dead_after = options_.dead_after > 0 ? options_.dead_after : 2 * rows_of(job);
    if (begin_ > 0)
      return {.parameters = job.from->parameters,
              .dead_after = dead_after,
              .first = job.from->first,
              .second = job.from->second,
              .idle = job.from->idle};
    const std::vector<double> directions =
        start_directions(part.u, part.centre, options_.latents, options_.init, job.seed);
    Parameters<float> parameters{.h = options_.latents, .d = d_};
    parameters.decoder.assign(directions.begin(), directions.end());
    parameters.encoder = parameters.decoder;
    parameters.encoder_bias.assign(options_.latents, 0.0F);
    parameters.pre_bias.assign(part.centre.begin(), part.centre.end());
    return {.parameters = std::move(parameters), .dead_after = dead_after};
  }

  void load(std::int64_t steps) {
    std::vector<std::int32_t> rows;
    for (std::int64_t step = 0; step < steps; ++step)
      for (Course& course : courses_)
        for (const std::int32_t row : course.batches.next())
          rows.push_back(static_cast<std::int32_t>(course.first_row) + row);
    trainer_.load(rows);
  }

  void take_step(std::int64_t step) {
    trainer_.backward();
    trainer_.update(learning_rate(d_, step, options_.steps));
    if (hooks_.progress) hooks_.progress(step + 1);
  }

  void keep(std::int64_t done) {
    const std::vector<std::int64_t> idle = trainer_.idle();
    for (std::size_t i = 0; i < courses_.size(); ++i) {
      const Course& course = courses_[i];
      const auto of_sae = static_cast<std::int64_t>(i);
      const auto begin = idle.begin() + of_sae * options_.latents;
      hooks_.keep(i, {.steps = done,
                      .parameters = trainer_.parameters(of_sae),
                      .first = trainer_.first_moments(of_sae),
                      .second = trainer_.second_moments(of_sae),
                      .idle = {begin, begin + options_.latents},
                      .history = course.sae.history,
                      .sums = course.recorder.sums(),
                      .fvu_before = course.fvu_before});
    }
  }

  /// The losses of a round that began after `done` steps, in the order of the steps.
  void read_losses(std::int64_t done) {
    std::int64_t step = done;
    const std::vector<Terms> terms = trainer_.terms();
    for (std::size_t i = 0; i < terms.size(); ++i) {
      Course& course = courses_[i % courses_.size()];
      if (i % courses_.size() == 0) ++step;
      under_name(course.job, [&] { check_terms(terms[i], step, options_); });
      course.recorder.add(terms[i]);
    }
  }

  void record(std::int64_t done) {
    const std::vector<std::int64_t> dead = trainer_.dead();
    for (std::size_t i = 0; i < courses_.size(); ++i)
      courses_[i].recorder.record(done, static_cast<double>(dead[i]) / static_cast<double>(options_.latents),
                                  courses_[i].sae.history);
  }

  /// FVU of a job's verify part as its SAE is now.
  double verify(std::size_t i) {
    Course& course = courses_[i];
    Parameters<float> parameters = trainer_.parameters(static_cast<std::int64_t>(i));
    course.sae.encoder = std::move(parameters.encoder);
    course.sae.encoder_bias = std::move(parameters.encoder_bias);
    course.sae.decoder = std::move(parameters.decoder);
    course.sae.pre_bias = std::move(parameters.pre_bias);
    const std::span<const float> part = course.job.verify.empty() ? course.job.fit : course.job.verify;
    std::vector<float> u(part.size());
    normalise(part, course.sae.mean, course.sae.scale, u);
    return under_name(course.job,
                      [&] { return fvu(device_, course.sae, u, static_cast<std::int64_t>(u.size()) / d_); });
  }

  void look_before_last_tenth() {
    for (std::size_t i = 0; i < courses_.size(); ++i) courses_[i].fvu_before = verify(i);
  }

  std::vector<Sae> finish() {
    std::vector<Sae> trained;
    for (std::size_t i = 0; i < courses_.size(); ++i) {
      Course& course = courses_[i];
      course.sae.verify_fvu = verify(i);
      under_name(course.job, [&] { check_verify_fvu(course.sae.verify_fvu); });
      course.sae.unconverged =
          std::abs(course.sae.verify_fvu - course.fvu_before) > converged_within * course.fvu_before;
      trained.push_back(std::move(course.sae));
    }
    return trained;
  }

  void check_verify_fvu(double verify_fvu) const {
    if (!std::isfinite(verify_fvu))
      throw Error(Exit::numbers, fmt::format("the SAE's FVU on the verify part is {} after {} steps",
                                             verify_fvu, options_.steps));
  }

  device::Device& device_;
  const SaeOptions& options_;
  const TrainHooks& hooks_;
  std::int64_t d_;
  std::int64_t begin_;           ///< steps behind all jobs
  std::vector<Course> courses_;  ///< in the order of the jobs
  Trainer<float> trainer_;
};

}  // namespace

std::vector<Sae> train_many(device::Device& device, std::span<const Job> jobs, std::int64_t d,
                            const SaeOptions& options, const TrainHooks& hooks) {
  check(options);
  if (jobs.empty()) return {};
  return Training(device, jobs, d, options, hooks).run();
}

Sae train(device::Device& device, std::span<const float> fit, std::span<const float> verify, std::int64_t d,
          const SaeOptions& options, std::uint64_t seed, const TrainHooks& hooks) {
  const Job job{.fit = fit, .verify = verify, .seed = seed};
  auto trained = train_many(device, {&job, 1}, d, options, hooks);
  if (trained.empty()) throw Error(Exit::again, "stopped in SAE training");
  return std::move(trained.front());
}

std::int64_t batch_rows(std::int64_t n, const SaeOptions& options) {
  return std::min(n, options.batch);
}

std::int64_t training_bytes(std::int64_t n, std::int64_t d, const SaeOptions& options) {
  const std::int64_t h = options.latents;
  const std::int64_t parameters = 2 * h * d + h + d;
  // Per row of a batch: x, two residuals and one more; z and two of its size; the few that are kept.
  const std::int64_t row = 4 * d + 3 * h + 8 * std::min(4 * options.k, h);
  return static_cast<std::int64_t>(sizeof(float)) * (n * d + 4 * parameters + batch_rows(n, options) * row);
}

}  // namespace incipit::sae
