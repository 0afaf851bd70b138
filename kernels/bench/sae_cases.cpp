// The operations of the sparse autoencoder at the shape of the paper's: d = 5120, h = 512, k = 1, whose loss
// keeps four latents a row.

#include <algorithm>
#include <cmath>

#include "case.hpp"
#include "random.hpp"

namespace incipit::device::bench {
namespace {

constexpr std::int64_t kept = 4;

/// What a batch of n rows fires: `kept` different latents a row, the largest value first.
struct Fired {
  Fired(std::int64_t n, std::int64_t h) {
    Random random(2, Purpose::test, 0);
    for (std::int64_t row = 0; row < n; ++row) {
      const std::uint64_t first = random.below(static_cast<std::uint64_t>(h));
      for (std::uint64_t t = 0; t < kept; ++t) {
        index.push_back(static_cast<std::int32_t>((first + 5 * t) % static_cast<std::uint64_t>(h)));
        value.push_back(static_cast<float>(2 + random.uniform()) / static_cast<float>(t + 1));
      }
    }
  }
  std::vector<std::int32_t> index;
  std::vector<float> value;
};

double cells(std::int64_t rows, std::int64_t columns) {
  return static_cast<double>(rows) * static_cast<double>(columns);
}

Case gather_centred_case(std::int64_t n, std::int64_t d) {
  return {.operation = "gather_centred",
          .type = "fp32",
          .shape = sizes({n, d}),
          .bytes = cells(n, d) * 8,
          .items = static_cast<double>(n),
          .make = [=](Arena& arena) {
            std::vector<std::int32_t> index;
            for (std::int64_t i = 0; i < n; ++i) index.push_back(static_cast<std::int32_t>((i * 7919) % n));
            const GatherCentred<float> op{.n = n,
                                          .d = d,
                                          .rows = arena.normal<float>(n * d),
                                          .index = arena.upload(index),
                                          .centre = arena.normal<float>(d),
                                          .out = arena.output<float>(n * d, 0)};
            return instance(arena, &Device::gather_centred, op);
          }};
}

Case encode_case(std::int64_t n, const Dictionary& shape, std::int64_t keep) {
  return {
      .operation = "encode_top_k",
      .type = "fp32",
      .shape = sizes({n, shape.d, shape.h, keep}),
      .bytes = cells(n + shape.h, shape.d) * 4 + cells(n, keep) * 8,
      .flops = 2 * cells(n, shape.d) * static_cast<double>(shape.h),
      .items = static_cast<double>(n),
      .make = [=](Arena& arena) {
        const EncodeTopK<float> op{
            .n = n,
            .d = shape.d,
            .h = shape.h,
            .keep = keep,
            .x = arena.normal<float>(n * shape.d),
            .encoder = arena.normal<float>(shape.h * shape.d, 1 / std::sqrt(static_cast<double>(shape.d))),
            .bias = arena.normal<float>(shape.h, 0.1),
            // Where two values are nearly the same, another order of summation may swap them.
            .index = arena.output<std::int32_t>(n * keep, 1e-3),
            .value = arena.output<float>(n * keep, 1e-5)};
        return instance(arena, &Device::encode_top_k, op);
      }};
}

Case decode_case(std::int64_t n, const Dictionary& shape) {
  const std::int64_t d = shape.d;
  return {.operation = "sae_decode",
          .type = "fp32",
          .shape = sizes({n, d, shape.h, kept}),
          .bytes = cells(3 * n + shape.h, d) * 4,
          .items = static_cast<double>(n),
          .make = [=](Arena& arena) {
            const Fired fired(n, shape.h);
            const SaeDecode<float> op{.n = n,
                                      .d = d,
                                      .k = 1,
                                      .keep = kept,
                                      .x = arena.normal<float>(n * d),
                                      .decoder = arena.normal<float>(shape.h * d),
                                      .index = arena.upload(fired.index),
                                      .value = arena.upload(fired.value),
                                      .weight = 1,
                                      .weight_multi = 0.125F,
                                      .residual = arena.output<float>(n * d, 1e-6),
                                      .residual_multi = arena.output<float>(n * d, 1e-6),
                                      .slope = arena.output<float>(n * kept, 1e-5),
                                      .square = arena.output<double>(n, 1e-6),
                                      .square_multi = arena.output<double>(n, 1e-6)};
            return instance(arena, &Device::sae_decode, op);
          }};
}

Case gradient_case(std::int64_t n, const Dictionary& shape) {
  const std::int64_t d = shape.d;
  const std::int64_t h = shape.h;
  return {.operation = "sae_gradient",
          .type = "fp32",
          .shape = sizes({n, d, h, kept}),
          .bytes = cells(3 * n + 3 * h, d) * 4,
          .items = static_cast<double>(n),
          .make = [=](Arena& arena) {
            const Fired fired(n, h);
            const SaeGradient<float> op{.n = n,
                                        .d = d,
                                        .h = h,
                                        .k = 1,
                                        .keep = kept,
                                        .x = arena.normal<float>(n * d),
                                        .index = arena.upload(fired.index),
                                        .value = arena.upload(fired.value),
                                        .slope = arena.normal<float>(n * kept),
                                        .residual = arena.normal<float>(n * d),
                                        .residual_multi = arena.normal<float>(n * d),
                                        .weights = arena.normal<float>(h * d),
                                        .weight = 1,
                                        .weight_multi = 0.125F,
                                        .encoder = arena.output<float>(h * d, 1e-5),
                                        .encoder_bias = arena.output<float>(h, 1e-5),
                                        .decoder = arena.output<float>(h * d, 1e-5),
                                        .pre_bias = arena.output<float>(d, 1e-4)};
            return instance(arena, &Device::sae_gradient, op);
          }};
}

/// Three quarters of the latents dead, of which the larger part is kept.
Case auxiliary_case(std::int64_t n, const Dictionary& shape) {
  const std::int64_t d = shape.d;
  const std::int64_t h = shape.h;
  std::vector<std::int32_t> dead;
  for (std::int32_t j = 0; j < h; ++j) {
    if (j % 4 != 0) dead.push_back(j);
  }
  const auto count = static_cast<std::int64_t>(dead.size());
  // What stands behind them is not read.
  std::vector<std::int32_t> listed = dead;
  listed.resize(static_cast<std::size_t>(h), -1);
  return {.operation = "sae_auxiliary",
          .type = "fp32",
          .shape = sizes({n, d, h, count}),
          .bytes = cells(3 * n + 5 * count, d) * 4,
          .flops = 8 * cells(n, d) * static_cast<double>(count),
          .items = static_cast<double>(n),
          .make = [=](Arena& arena) {
            const auto gradient = [&](std::int64_t size) {
              return arena.in_place(arena.normal<float>(size, 0.1), size, 1e-4);
            };
            const SaeAuxiliary<float> op{
                .n = n,
                .d = d,
                .h = h,
                .most_kept = std::min(d / 2, h / 2),
                .dead_count = arena.upload(std::vector<std::int64_t>{count}),
                .dead = arena.upload(listed),
                .x = arena.normal<float>(n * d),
                .z = arena.normal<float>(n * h),
                .e = arena.normal<float>(n * d),
                .e_square =
                    arena.upload(std::vector<double>(static_cast<std::size_t>(n), static_cast<double>(d))),
                .encoder = arena.normal<float>(h * d),
                .decoder = arena.normal<float>(h * d, 1 / std::sqrt(static_cast<double>(d))),
                // So large that what is added can be seen beside what was there.
                .weight = 0.01 * cells(n, d),
                .floor = 1e-6 * cells(n, d),
                .encoder_gradient = gradient(h * d),
                .encoder_bias_gradient = gradient(h),
                .decoder_gradient = gradient(h * d),
                .pre_bias_gradient = gradient(d),
                .square = arena.output<double>(n, 1e-5)};
            return instance(arena, &Device::sae_auxiliary, op);
          }};
}

Case adam_case(std::int64_t rows, std::int64_t d, bool unit_rows) {
  return {
      .operation = unit_rows ? "sae_adam unit" : "sae_adam",
      .type = "fp32",
      .shape = sizes({rows, d}),
      .bytes = cells(rows, d) * 7 * 4,
      .make = [=](Arena& arena) {
        const std::int64_t n = rows * d;
        const double unit = 1 / std::sqrt(static_cast<double>(d));
        const SaeAdam<float> op{
            .rows = rows,
            .d = d,
            .unit_rows = unit_rows,
            .step = 1,
            .rate = 4e-4,
            .beta1 = 0.9,
            .beta2 = 0.999,
            .epsilon = 6.25e-10,
            .gradient = arena.normal<float>(n, 1e-3),
            .parameter = arena.in_place(arena.normal<float>(n, unit), n, 1e-5),
            .first = arena.in_place(arena.upload(std::vector<float>(static_cast<std::size_t>(n))), n, 1e-5),
            .second = arena.in_place(arena.upload(std::vector<float>(static_cast<std::size_t>(n))), n, 1e-5)};
        return instance(arena, &Device::sae_adam, op);
      }};
}

std::vector<std::int64_t> some_idle(std::int64_t h) {
  std::vector<std::int64_t> idle;
  for (std::int64_t j = 0; j < h; ++j) idle.push_back(j * j % 97);
  return idle;
}

Case idle_case(std::int64_t n, std::int64_t h) {
  return {.operation = "sae_idle",
          .type = "fp32",
          .shape = sizes({n, h, kept}),
          .bytes = cells(n, kept) * 8 + static_cast<double>(h) * 16,
          .make = [=](Arena& arena) {
            const Fired fired(n, h);
            const SaeIdle<float> op{.n = n,
                                    .h = h,
                                    .k = 1,
                                    .keep = kept,
                                    .index = arena.upload(fired.index),
                                    .value = arena.upload(fired.value),
                                    .idle = arena.in_place(arena.upload(some_idle(h)), h, 0)};
            return instance(arena, &Device::sae_idle, op);
          }};
}

Case dead_case(std::int64_t h) {
  return {.operation = "sae_dead",
          .type = "int64",
          .shape = sizes({h}),
          .bytes = static_cast<double>(h) * 12,
          .make = [=](Arena& arena) {
            const SaeDead op{.h = h,
                             .dead_after = arena.upload(std::vector<std::int64_t>{50}),
                             .idle = arena.upload(some_idle(h)),
                             .dead = arena.output<std::int32_t>(h, 0),
                             .count = arena.output<std::int64_t>(1, 0)};
            return instance(arena, &Device::sae_dead, op);
          }};
}

Case loss_case(std::int64_t n, std::int64_t d) {
  return {.operation = "sae_loss",
          .type = "fp64",
          .shape = sizes({n, d}),
          .bytes = static_cast<double>(n) * 24,
          .make = [=](Arena& arena) {
            const std::vector<double> square(static_cast<std::size_t>(n), 0.7);
            const SaeLoss op{.n = n,
                             .d = d,
                             .square = arena.upload(square),
                             .square_multi = arena.upload(square),
                             .square_auxiliary = arena.upload(square),
                             .terms = arena.output<double>(4, 1e-12)};
            return instance(arena, &Device::sae_loss, op);
          }};
}

}  // namespace

std::vector<Case> sae_cases(const Settings& settings) {
  const Dictionary& shape = settings.dictionary;
  std::vector<Case> cases;
  cases.push_back(encode_case(shape.probes, shape, 1));
  for (const std::int64_t n : settings.batches) {
    cases.push_back(gather_centred_case(n, shape.d));
    cases.push_back(encode_case(n, shape, kept));
    cases.push_back(decode_case(n, shape));
    cases.push_back(gradient_case(n, shape));
    cases.push_back(auxiliary_case(n, shape));
    cases.push_back(idle_case(n, shape.h));
    cases.push_back(loss_case(n, shape.d));
  }
  cases.push_back(adam_case(shape.h, shape.d, false));
  cases.push_back(adam_case(shape.h, shape.d, true));
  cases.push_back(dead_case(shape.h));
  return cases;
}

}  // namespace incipit::device::bench
