// The operations of the forward pass at the shapes of Pythia, on as many tokens as a pack has.

#include <cmath>
#include <numeric>

#include "case.hpp"
#include "random.hpp"
#include "sequences.hpp"
#include "types.hpp"

namespace incipit::device::bench {
namespace {

constexpr std::int64_t vocabulary = 50304;

/// Entries of `out`, drawn from 0 … n−1.
std::vector<std::int32_t> draw(std::int64_t count, std::int64_t n) {
  Random random(1, Purpose::test, 0);
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  for (std::int32_t& value : values)
    value = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(n)));
  return values;
}

double product(std::initializer_list<std::int64_t> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 1.0,
                         [](double a, std::int64_t b) { return a * static_cast<double>(b); });
}

Case gather_rows_case(std::int64_t rows, std::int64_t d) {
  return {.operation = "gather_rows",
          .type = "fp32",
          .shape = sizes({rows, d}),
          .bytes = product({rows, d, 2 * 4}),
          .make = [=](Arena& arena) {
            const GatherRows op{.rows = rows,
                                .d = d,
                                .in = arena.normal<float>(vocabulary * d),
                                .index = arena.upload(draw(rows, vocabulary)),
                                .out = arena.output<float>(rows * d, 0)};
            return instance(arena, &Device::gather_rows, op);
          }};
}

template <class T>
Case norm_case(std::int64_t rows, std::int64_t d) {
  return {.operation = "double_layer_norm",
          .type = type_name<T>,
          .shape = sizes({rows, d}),
          .bytes = product({rows, d, 4 + 2 * sizeof(T)}),
          .make = [=](Arena& arena) {
            const DoubleLayerNorm<T> op{.rows = rows,
                                        .d = d,
                                        .x = arena.normal<float>(rows * d),
                                        .weight_a = arena.normal<float>(d),
                                        .bias_a = arena.normal<float>(d),
                                        .out_a = arena.output<T>(rows * d, rounding<T>),
                                        .weight_b = arena.normal<float>(d),
                                        .bias_b = arena.normal<float>(d),
                                        .out_b = arena.output<T>(rows * d, rounding<T>)};
            return instance(arena, &Device::double_layer_norm, op);
          }};
}

/// out = in · weightᵀ, weight [n, k] as files hold it; `added`: onto what `out` holds.
template <class T, class C>
Case product_case(const std::string& which, std::int64_t m, std::int64_t n, std::int64_t k, bool added) {
  return {.operation = "matmul " + which,
          .type = type_name<T>,
          .shape = sizes({m, k, n}),
          .bytes = product({m, k, sizeof(T)}) + product({n, k, sizeof(T)}) +
                   product({m, n, added ? 2 : 1, sizeof(C)}),
          .flops = 2 * product({m, n, k}),
          .arithmetic = arithmetic_of<T>,
          .make = [=](Arena& arena) {
            MatrixProduct<T, C> op{.transpose_b = true,
                                   .m = m,
                                   .n = n,
                                   .k = k,
                                   .a = arena.normal<T>(m * k),
                                   .lda = k,
                                   .b = arena.normal<T>(n * k, 1 / std::sqrt(static_cast<double>(k))),
                                   .ldb = k,
                                   .beta = added ? 1.0F : 0.0F,
                                   .ldc = n};
            op.c = added ? arena.in_place(arena.normal<C>(m * n), m * n, product_rounding<T, C>)
                         : arena.output<C>(m * n, product_rounding<T, C>);
            return instance(arena, &Device::matmul, op);
          }};
}

template <class T>
Case rotary_case(const std::vector<std::int32_t>& lengths, const Model& model) {
  const Sequences sequences(lengths);
  const std::int64_t rows = sequences.tokens();
  const std::int64_t d = model.d;
  return {.operation = "rotary_split",
          .type = type_name<T>,
          .shape = sizes({rows, model.heads, model.head_size()}),
          .bytes = product({rows, d, 6 * sizeof(T)}),
          .make = [=](Arena& arena) {
            const RotaryTables tables(sequences.longest(), model.rotary_dims());
            const RotarySplit<T> op{.rows = rows,
                                    .heads = model.heads,
                                    .head_size = model.head_size(),
                                    .rotary_dims = model.rotary_dims(),
                                    .in = arena.normal<T>(rows * 3 * d),
                                    .bias = arena.normal<float>(3 * d),
                                    .position = arena.upload(sequences.positions()),
                                    .cos = arena.upload(tables.cos),
                                    .sin = arena.upload(tables.sin),
                                    .q = arena.output<T>(rows * d, rounding<T>),
                                    .k = arena.output<T>(rows * d, rounding<T>),
                                    .v = arena.output<T>(rows * d, rounding<T>)};
            return instance(arena, &Device::rotary_split, op);
          }};
}

/// `last`: only the last token of each sequence asks.
template <class T>
Case attention_case(const std::string& which, const std::vector<std::int32_t>& lengths, const Model& model,
                    bool last) {
  const Sequences sequences(lengths);
  const std::int64_t queries = last ? sequences.count() : sequences.tokens();
  const double seen = last ? static_cast<double>(sequences.tokens()) : sequences.pairs();
  return {.operation = "attention " + which,
          .type = type_name<T>,
          .shape = sizes({sequences.tokens(), model.heads, model.head_size()}),
          .bytes = product({2 * sequences.tokens() + 2 * queries, model.d, sizeof(T)}),
          .flops = 4 * seen * static_cast<double>(model.d),
          .arithmetic = arithmetic_of<T>,
          .make = [=](Arena& arena) {
            const std::int64_t keys = sequences.tokens();
            const Attention<T> op{
                .sequences = sequences.count(),
                .heads = model.heads,
                .head_size = model.head_size(),
                .query_rows = queries,
                .key_rows = keys,
                .longest = sequences.longest(),
                .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(model.head_size()))),
                .query_starts = arena.upload(last ? sequences.one_each() : sequences.starts()),
                .key_starts = arena.upload(sequences.starts()),
                .q = arena.normal<T>(queries * model.d),
                .k = arena.normal<T>(keys * model.d),
                .v = arena.normal<T>(keys * model.d),
                .out = arena.output<T>(queries * model.d, attention_rounding<T>)};
            return instance(arena, &Device::attention, op);
          }};
}

template <class T>
Case activation_case(std::int64_t rows, std::int64_t d) {
  return {.operation = "bias_activation",
          .type = type_name<T>,
          .shape = sizes({rows, d}),
          .bytes = product({rows, d, 2 * sizeof(T)}),
          .make = [=](Arena& arena) {
            const BiasActivation<T> op{.rows = rows,
                                       .d = d,
                                       .f = Nonlinearity::gelu,
                                       .bias = arena.normal<float>(d),
                                       .x = arena.in_place(arena.normal<T>(rows * d), rows * d, rounding<T>)};
            return instance(arena, &Device::bias_activation, op);
          }};
}

Case add_bias_case(std::int64_t rows, std::int64_t d) {
  return {.operation = "add_bias",
          .type = "fp32",
          .shape = sizes({rows, d}),
          .bytes = product({rows, d, 2 * 4}),
          .make = [=](Arena& arena) {
            const AddBias op{.rows = rows,
                             .d = d,
                             .bias = arena.normal<float>(d),
                             .x = arena.in_place(arena.normal<float>(rows * d), rows * d, 0)};
            return instance(arena, &Device::add_bias, op);
          }};
}

Case count_nonfinite_case(std::int64_t rows, std::int64_t d) {
  return {.operation = "count_nonfinite",
          .type = "fp32",
          .shape = sizes({rows, d}),
          .bytes = product({rows, d, 4}),
          .make = [=](Arena& arena) {
            const CountNonfinite op{.rows = rows,
                                    .d = d,
                                    .x = arena.normal<float>(rows * d),
                                    .counts = arena.output<std::int32_t>(rows, 0)};
            return instance(arena, &Device::count_nonfinite, op);
          }};
}

Case next_token_loss_case(std::int64_t rows, std::int64_t columns) {
  return {.operation = "next_token_loss",
          .type = "fp32",
          .shape = sizes({rows, columns}),
          .bytes = product({rows, columns, 4}),
          .make = [=](Arena& arena) {
            const NextTokenLoss op{.rows = rows,
                                   .columns = columns,
                                   .logits = arena.normal<float>(rows * columns, 4),
                                   .target = arena.upload(draw(rows, columns)),
                                   .maximum = arena.output<float>(rows, 0),
                                   .sum = arena.output<double>(rows, rounding<float>),
                                   .target_logit = arena.output<float>(rows, 0)};
            return instance(arena, &Device::next_token_loss, op);
          }};
}

/// What there is in one type.
template <class T>
void add_typed(std::vector<Case>& cases, const Settings& settings, const Model& model) {
  const std::int64_t rows = settings.rows;
  const std::int64_t d = model.d;
  cases.push_back(norm_case<T>(rows, d));
  cases.push_back(product_case<T, T>("qkv", rows, 3 * d, d, false));
  const std::vector<std::int32_t> mix = mmlu_pro_lengths_of(rows);
  cases.push_back(rotary_case<T>(mix, model));
  cases.push_back(attention_case<T>("mix", mix, model, false));
  const std::int64_t context = std::min<std::int64_t>(2048, rows);
  const std::vector<std::int32_t> whole(static_cast<std::size_t>(rows / context),
                                        static_cast<std::int32_t>(context));
  cases.push_back(attention_case<T>("long", whole, model, false));
  cases.push_back(attention_case<T>("last", mix, model, true));
  cases.push_back(product_case<T, float>("dense", rows, d, d, true));
  cases.push_back(product_case<T, T>("up", rows, model.mlp(), d, false));
  cases.push_back(activation_case<T>(rows, model.mlp()));
  cases.push_back(product_case<T, float>("down", rows, d, model.mlp(), true));
}

}  // namespace

std::vector<Case> forward_cases(const Settings& settings) {
  std::vector<Case> cases;
  for (const Model& model : settings.models) {
    add_typed<float>(cases, settings, model);
    add_typed<BFloat16>(cases, settings, model);
    cases.push_back(gather_rows_case(settings.rows, model.d));
    cases.push_back(add_bias_case(settings.rows, model.d));
    cases.push_back(count_nonfinite_case(settings.rows, model.d));
  }
  cases.push_back(next_token_loss_case(settings.rows, settings.vocabulary_block));
  return cases;
}

}  // namespace incipit::device::bench
