#include "sae_step.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "arena.hpp"
#include "case.hpp"
#include "random.hpp"

namespace incipit::device::bench {
namespace {

constexpr std::int64_t kept_latents = 1;
/// Latents of the multi-k term.
constexpr std::int64_t kept_for_multi = 4;

/// A parameter array with its gradient and moments.
struct Parameter {
  Parameter(Arena& arena, std::int64_t row_count, const std::vector<float>& start)
      : rows(row_count), d(static_cast<std::int64_t>(start.size()) / row_count), value(arena.upload(start)) {
    const std::vector<float> nothing(start.size());
    gradient = arena.upload(nothing);
    first = arena.upload(nothing);
    second = arena.upload(nothing);
  }
  std::int64_t rows, d;
  float *value, *gradient, *first, *second;
};

/// Rows of about unit norm.
std::vector<float> directions(std::int64_t rows, std::int64_t d) {
  Random random(3, Purpose::test, 0);
  std::vector<float> values(static_cast<std::size_t>(rows * d));
  for (float& value : values) value = static_cast<float>(random.normal() / std::sqrt(static_cast<double>(d)));
  return values;
}

std::vector<float> zeros(std::int64_t n) {
  return std::vector<float>(static_cast<std::size_t>(n));
}

/// Several SAEs of one shape, one behind the other in every array.
class SaeTraining {
 public:
  SaeTraining(CudaDevice& device, const Dictionary& shape, std::int64_t saes, std::int64_t batch,
              std::int64_t steps)
      : device_(device),
        shape_(shape),
        saes_(saes),
        batch_(batch),
        steps_(steps),
        arena_(device, 11),
        encoder_(arena_, saes * shape.h, directions(saes * shape.h, shape.d)),
        encoder_bias_(arena_, saes, zeros(saes * shape.h)),
        decoder_(arena_, saes * shape.h, directions(saes * shape.h, shape.d)),
        pre_bias_(arena_, saes, zeros(saes * shape.d)),
        inputs_(arena_.normal<float>(shape.probes * shape.d)),
        rows_(device, static_cast<std::size_t>(steps * saes * batch)),
        x_(arena_.poisoned<float>(saes * batch * shape.d)),
        z_(arena_.poisoned<float>(saes * batch * shape.h)),
        index_(arena_.poisoned<std::int32_t>(saes * batch * kept_for_multi)),
        value_(arena_.poisoned<float>(saes * batch * kept_for_multi)),
        slope_(arena_.poisoned<float>(saes * batch * kept_for_multi)),
        residual_(arena_.poisoned<float>(saes * batch * shape.d)),
        residual_multi_(arena_.poisoned<float>(saes * batch * shape.d)),
        square_(arena_.poisoned<double>(saes * batch)),
        square_multi_(arena_.poisoned<double>(saes * batch)),
        square_auxiliary_(arena_.poisoned<double>(saes * batch)),
        terms_(device, static_cast<std::size_t>(steps * saes * 4)),
        idle_(arena_.upload(std::vector<std::int64_t>(static_cast<std::size_t>(saes * shape.h)))),
        dead_after_(
            arena_.upload(std::vector<std::int64_t>(static_cast<std::size_t>(saes), 2 * shape.probes))),
        dead_(arena_.poisoned<std::int32_t>(saes * shape.h)),
        dead_count_(device, static_cast<std::size_t>(saes)) {}

  /// All steps of a sample; the mean of the SAEs' losses at the last.
  double run() {
    rows_.upload(next_rows());
    for (at_ = 0; at_ < steps_; ++at_) step();
    const std::vector<double> terms = terms_.download();
    double sum = 0;
    for (std::int64_t sae = 0; sae < saes_; ++sae)
      sum += terms[static_cast<std::size_t>(((steps_ - 1) * saes_ + sae) * 4 + 3)];
    return sum / static_cast<double>(saes_);
  }

  [[nodiscard]] std::int64_t dead() {
    list_dead();
    std::int64_t sum = 0;
    for (const std::int64_t count : dead_count_.download()) sum += count;
    return sum;
  }

 private:
  void step() {
    ++step_;
    list_dead();
    encode();
    decode();
    gradients();
    auxiliary();
    device_.sae_loss({.problems = saes_,
                      .n = batch_,
                      .d = shape_.d,
                      .square = square_,
                      .square_multi = square_multi_,
                      .square_auxiliary = square_auxiliary_,
                      .terms = terms_.data() + at_ * saes_ * 4});
    device_.sae_idle(SaeIdle<float>{.problems = saes_,
                                    .n = batch_,
                                    .h = shape_.h,
                                    .k = kept_latents,
                                    .keep = kept_for_multi,
                                    .index = index_,
                                    .value = value_,
                                    .idle = idle_});
    adam(encoder_, false);
    adam(encoder_bias_, false);
    adam(decoder_, true);
    adam(pre_bias_, false);
  }

  /// Rows of the inputs for all steps, in any order but their own.
  std::vector<std::int32_t> next_rows() {
    std::vector<std::int32_t> rows(rows_.size());
    for (std::int32_t& row : rows) {
      next_ = (next_ + 7919) % shape_.probes;
      row = static_cast<std::int32_t>(next_);
    }
    return rows;
  }

  void list_dead() {
    device_.sae_dead({.problems = saes_,
                      .h = shape_.h,
                      .dead_after = dead_after_,
                      .idle = idle_,
                      .dead = dead_,
                      .count = dead_count_.data()});
  }

  void encode() {
    device_.gather_centred(GatherCentred<float>{.problems = saes_,
                                                .n = batch_,
                                                .d = shape_.d,
                                                .rows = inputs_,
                                                .index = rows_.data() + at_ * saes_ * batch_,
                                                .centre = pre_bias_.value,
                                                .out = x_});
    device_.encode_top_k(EncodeTopK<float>{.problems = saes_,
                                           .n = batch_,
                                           .d = shape_.d,
                                           .h = shape_.h,
                                           .keep = kept_for_multi,
                                           .x = x_,
                                           .encoder = encoder_.value,
                                           .bias = encoder_bias_.value,
                                           .index = index_,
                                           .value = value_,
                                           .z = z_});
  }

  [[nodiscard]] float weight() const { return 1.0F / static_cast<float>(batch_ * shape_.d); }
  [[nodiscard]] float weight_multi() const { return weight() * static_cast<float>(SaeLoss::multi_share); }

  void decode() {
    device_.sae_decode(SaeDecode<float>{.problems = saes_,
                                        .n = batch_,
                                        .d = shape_.d,
                                        .h = shape_.h,
                                        .k = kept_latents,
                                        .keep = kept_for_multi,
                                        .x = x_,
                                        .decoder = decoder_.value,
                                        .index = index_,
                                        .value = value_,
                                        .weight = weight(),
                                        .weight_multi = weight_multi(),
                                        .residual = residual_,
                                        .residual_multi = residual_multi_,
                                        .slope = slope_,
                                        .square = square_,
                                        .square_multi = square_multi_});
  }

  void gradients() {
    device_.sae_gradient(SaeGradient<float>{.problems = saes_,
                                            .n = batch_,
                                            .d = shape_.d,
                                            .h = shape_.h,
                                            .k = kept_latents,
                                            .keep = kept_for_multi,
                                            .x = x_,
                                            .index = index_,
                                            .value = value_,
                                            .slope = slope_,
                                            .residual = residual_,
                                            .residual_multi = residual_multi_,
                                            .weights = encoder_.value,
                                            .weight = weight(),
                                            .weight_multi = weight_multi(),
                                            .encoder = encoder_.gradient,
                                            .encoder_bias = encoder_bias_.gradient,
                                            .decoder = decoder_.gradient,
                                            .pre_bias = pre_bias_.gradient});
  }

  void auxiliary() {
    device_.sae_auxiliary(
        SaeAuxiliary<float>{.problems = saes_,
                            .n = batch_,
                            .d = shape_.d,
                            .h = shape_.h,
                            .most_kept = std::min(shape_.d / 2, shape_.h / 2),
                            .dead_count = dead_count_.data(),
                            .dead = dead_,
                            .x = x_,
                            .z = z_,
                            .e = residual_,
                            .e_square = square_,
                            .encoder = encoder_.value,
                            .decoder = decoder_.value,
                            .weight = SaeLoss::auxiliary_share,
                            .floor = SaeLoss::smallest_share * static_cast<double>(batch_ * shape_.d),
                            .encoder_gradient = encoder_.gradient,
                            .encoder_bias_gradient = encoder_bias_.gradient,
                            .decoder_gradient = decoder_.gradient,
                            .pre_bias_gradient = pre_bias_.gradient,
                            .square = square_auxiliary_});
  }

  void adam(const Parameter& parameter, bool unit_rows) {
    device_.sae_adam(SaeAdam<float>{.rows = parameter.rows,
                                    .d = parameter.d,
                                    .unit_rows = unit_rows,
                                    .step = step_,
                                    .rate = 0.03 / std::sqrt(static_cast<double>(shape_.d)),
                                    .beta1 = 0.9,
                                    .beta2 = 0.999,
                                    .epsilon = 6.25e-10,
                                    .gradient = parameter.gradient,
                                    .parameter = parameter.value,
                                    .first = parameter.first,
                                    .second = parameter.second});
  }

  CudaDevice& device_;
  Dictionary shape_;
  std::int64_t saes_, batch_, steps_;
  std::int64_t step_ = 0;
  std::int64_t at_ = 0;
  std::int64_t next_ = 0;
  Arena arena_;
  Parameter encoder_, encoder_bias_, decoder_, pre_bias_;
  const float* inputs_;
  Buffer<std::int32_t> rows_;
  float *x_, *z_;
  std::int32_t* index_;
  float *value_, *slope_, *residual_, *residual_multi_;
  double *square_, *square_multi_, *square_auxiliary_;
  Buffer<double> terms_;
  std::int64_t* idle_;
  const std::int64_t* dead_after_;
  std::int32_t* dead_;
  Buffer<std::int64_t> dead_count_;
};

void run_sae_training(CudaDevice& device, const Settings& settings, std::int64_t saes, std::int64_t batch,
                      Report& report) {
  const Dictionary& shape = settings.dictionary;
  SaeTraining training(device, shape, saes, batch, settings.steps);
  Line line{.part = "sae_step",
            .operation = "train",
            .type = "fp32",
            .shape = saes == 1 ? sizes({batch, shape.d, shape.h}) : sizes({saes, batch, shape.d, shape.h}),
            .items = static_cast<double>(saes * batch)};
  const double before = training.run();
  double after = before;
  line.time =
      Stopwatch(device).measure(settings.long_patience, 0, [&](std::size_t) { after = training.run(); });
  const auto steps = static_cast<double>(settings.steps);
  line.time.median /= steps;
  line.time.low /= steps;
  line.time.high /= steps;
  // Random vectors have little to learn, so that it hardly falls. Written so that NaN fails.
  if (!(after <= before + 0.1)) line.complaint = "the loss has risen";
  report.add(line);
  std::printf("%-18s loss %.4f, then %.4f; %lld dead latents at the end\n", "", before, after,
              static_cast<long long>(training.dead()));
}

}  // namespace

void run_sae_steps(CudaDevice& device, const Settings& settings, Report& report) {
  report.begin("SAE training, k = 1, items are samples");
  for (const std::int64_t saes : settings.saes) {
    for (const std::int64_t batch : settings.batches) run_sae_training(device, settings, saes, batch, report);
  }
}

}  // namespace incipit::device::bench
