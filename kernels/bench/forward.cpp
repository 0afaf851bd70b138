#include "forward.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "arena.hpp"
#include "case.hpp"
#include "sequences.hpp"
#include "types.hpp"

namespace incipit::device::bench {
namespace {

/// Rows of the embedding that are there: their number matters little, as long as no cache holds them all.
constexpr std::int64_t embedding_rows = 4096;

template <class T>
struct Block {
  Block(Arena& arena, const Model& model) {
    const std::int64_t d = model.d;
    // Each block adds about as much as a trained one does to the residual: it neither vanishes nor grows out
    // of bounds.
    const double unit = 1 / std::sqrt(static_cast<double>(d));
    norm1 = arena.normal<float>(d);
    norm1_bias = arena.normal<float>(d, 0.1);
    norm2 = arena.normal<float>(d);
    norm2_bias = arena.normal<float>(d, 0.1);
    qkv = arena.normal<T>(3 * d * d, unit);
    qkv_bias = arena.normal<float>(3 * d, 0.1);
    dense = arena.normal<T>(d * d, unit / 4);
    dense_bias = arena.normal<float>(d, 0.1);
    up = arena.normal<T>(model.mlp() * d, unit);
    up_bias = arena.normal<float>(model.mlp(), 0.1);
    down = arena.normal<T>(d * model.mlp(), unit / 4);
    down_bias = arena.normal<float>(d, 0.1);
  }
  const float *norm1, *norm1_bias, *norm2, *norm2_bias;
  const T* qkv;  ///< [3·d, d]: all queries, all keys, all values
  const float* qkv_bias;
  const T* dense;
  const float* dense_bias;
  const T* up;
  const float* up_bias;
  const T* down;
  const float* down_bias;
};

/// A pack's tokens and its residual stream.
struct Pack {
  Pack(Arena& arena, const Model& model, const std::vector<std::int32_t>& lengths) : sequences(lengths) {
    std::vector<std::int32_t> tokens;
    for (std::int64_t i = 0; i < sequences.tokens(); ++i)
      tokens.push_back(static_cast<std::int32_t>(i * 2654435761 % embedding_rows));
    token = arena.upload(tokens);
    position = arena.upload(sequences.positions());
    starts = arena.upload(sequences.starts());
    last = arena.upload(sequences.last());
    last_position = arena.upload(sequences.last_positions());
    one_each = arena.upload(sequences.one_each());
    x = arena.poisoned<float>(sequences.tokens() * model.d);
    out = arena.poisoned<float>(sequences.count() * model.d);
  }
  Sequences sequences;
  const std::int32_t *token, *position, *starts, *last, *last_position, *one_each;
  float* x;    ///< [tokens, d]
  float* out;  ///< [texts, d], the last tokens after the last block
};

/// The rows that go through a block: all tokens of a pack, or the last ones.
struct Rows {
  std::int64_t count;
  float* x;
  const std::int32_t* starts;
  const std::int32_t* position;
};

template <class T>
class Forward {
 public:
  /// `blocks` sets of weights take turns.
  Forward(CudaDevice& device, const Model& model, const std::vector<std::vector<std::int32_t>>& packs,
          std::int64_t blocks)
      : device_(device), model_(model), arena_(device, 7) {
    embedding_ = arena_.normal<float>(embedding_rows * model.d);
    for (std::int64_t i = 0; i < blocks; ++i) blocks_.emplace_back(arena_, model);
    std::int64_t tokens = 0;
    std::int64_t longest = 0;
    for (const std::vector<std::int32_t>& lengths : packs) {
      packs_.emplace_back(arena_, model, lengths);
      tokens = std::max(tokens, packs_.back().sequences.tokens());
      longest = std::max(longest, packs_.back().sequences.longest());
    }
    const RotaryTables tables(longest, model.rotary_dims());
    cos_ = arena_.upload(tables.cos);
    sin_ = arena_.upload(tables.sin);
    a_ = arena_.poisoned<T>(tokens * model.d);
    b_ = arena_.poisoned<T>(tokens * model.d);
    wide_ = arena_.poisoned<T>(tokens * model.mlp());
  }

  /// Layer by layer over all packs, as weights would stream past.
  void run() {
    for (Pack& pack : packs_) {
      device_.gather_rows({.rows = pack.sequences.tokens(),
                           .d = model_.d,
                           .in = embedding_,
                           .index = pack.token,
                           .out = pack.x});
    }
    for (std::int64_t layer = 0; layer < model_.layers; ++layer) {
      const Block<T>& block = blocks_[static_cast<std::size_t>(layer) % blocks_.size()];
      for (Pack& pack : packs_) layer + 1 < model_.layers ? whole(block, pack) : last(block, pack);
    }
  }

  [[nodiscard]] std::int64_t tokens() const {
    std::int64_t sum = 0;
    for (const Pack& pack : packs_) sum += pack.sequences.tokens();
    return sum;
  }

  /// Operations that are done: products with weights, scores and their sums.
  [[nodiscard]] double flops() const {
    double sum = 0;
    const auto d = static_cast<double>(model_.d);
    const auto before = static_cast<double>(model_.layers - 1);
    for (const Pack& pack : packs_) {
      const auto all = static_cast<double>(pack.sequences.tokens());
      const auto texts = static_cast<double>(pack.sequences.count());
      sum += before * (24 * d * d * all + 4 * d * pack.sequences.pairs());
      sum += d * d * (4 * all + 20 * texts) + 4 * d * all;
    }
    return sum;
  }

  [[nodiscard]] std::vector<float> results() {
    std::vector<float> all;
    for (const Pack& pack : packs_) {
      const std::size_t begin = all.size();
      all.resize(begin + static_cast<std::size_t>(pack.sequences.count() * model_.d));
      device_.download(all.data() + begin, pack.out, (all.size() - begin) * sizeof(float));
    }
    return all;
  }

 private:
  void whole(const Block<T>& block, Pack& pack) {
    const std::int64_t n = pack.sequences.tokens();
    const Rows rows{n, pack.x, pack.starts, pack.position};
    norms(block, rows);
    mlp(block, rows);
    multiply(n, 3 * model_.d, model_.d, a_, block.qkv, wide_);
    RotarySplit<T> op = split(rows, block.qkv_bias);
    op.q = b_;
    op.k = a_;
    op.v = wide_ + 3 * n * model_.d;
    device_.rotary_split(op);
    attend(block, pack, rows, op.k, op.v);
  }

  void last(const Block<T>& block, Pack& pack) {
    const std::int64_t n = pack.sequences.tokens();
    const std::int64_t d = model_.d;
    device_.gather_rows(
        {.rows = pack.sequences.count(), .d = d, .in = pack.x, .index = pack.last, .out = pack.out});
    const Rows rows{pack.sequences.count(), pack.out, pack.one_each, pack.last_position};
    norms(block, rows);
    mlp(block, rows);
    multiply(rows.count, d, d, a_, block.qkv, wide_);
    RotarySplit<T> queries = split(rows, block.qkv_bias);
    queries.q = b_;
    device_.rotary_split(queries);

    device_.double_layer_norm(DoubleLayerNorm<T>{
        .rows = n, .d = d, .x = pack.x, .weight_a = block.norm1, .bias_a = block.norm1_bias, .out_a = a_});
    multiply(n, 2 * d, d, a_, block.qkv + d * d, wide_);
    RotarySplit<T> others = split({n, pack.x, pack.starts, pack.position}, block.qkv_bias + d);
    others.k = wide_ + 2 * n * d;
    others.v = wide_ + 3 * n * d;
    device_.rotary_split(others);
    attend(block, pack, rows, others.k, others.v);
  }

  void norms(const Block<T>& block, const Rows& rows) {
    device_.double_layer_norm(DoubleLayerNorm<T>{.rows = rows.count,
                                                 .d = model_.d,
                                                 .x = rows.x,
                                                 .weight_a = block.norm1,
                                                 .bias_a = block.norm1_bias,
                                                 .out_a = a_,
                                                 .weight_b = block.norm2,
                                                 .bias_b = block.norm2_bias,
                                                 .out_b = b_});
  }

  /// rows.x += MLP(b).
  void mlp(const Block<T>& block, const Rows& rows) {
    multiply(rows.count, model_.mlp(), model_.d, b_, block.up, wide_);
    device_.bias_activation(
        BiasActivation<T>{.rows = rows.count, .d = model_.mlp(), .bias = block.up_bias, .x = wide_});
    add(rows, model_.mlp(), block.down, block.down_bias);
  }

  /// rows.x += attention of the queries in b.
  void attend(const Block<T>& block, const Pack& pack, const Rows& rows, const T* k, const T* v) {
    device_.attention(
        Attention<T>{.sequences = pack.sequences.count(),
                     .heads = model_.heads,
                     .head_size = model_.head_size(),
                     .query_rows = rows.count,
                     .key_rows = pack.sequences.tokens(),
                     .longest = pack.sequences.longest(),
                     .scale = static_cast<float>(1 / std::sqrt(static_cast<double>(model_.head_size()))),
                     .query_starts = rows.starts,
                     .key_starts = pack.starts,
                     .q = b_,
                     .k = k,
                     .v = v,
                     .out = wide_});
    add(rows, model_.d, block.dense, block.dense_bias);
  }

  void multiply(std::int64_t rows, std::int64_t outputs, std::int64_t inputs, const T* in, const T* weight,
                T* out) {
    device_.matmul(MatrixProduct<T, T>{.transpose_b = true,
                                       .m = rows,
                                       .n = outputs,
                                       .k = inputs,
                                       .a = in,
                                       .lda = inputs,
                                       .b = weight,
                                       .ldb = inputs,
                                       .c = out,
                                       .ldc = outputs});
  }

  /// rows.x += wide · weightᵀ + bias.
  void add(const Rows& rows, std::int64_t inputs, const T* weight, const float* bias) {
    device_.add_bias({.rows = rows.count, .d = model_.d, .bias = bias, .x = rows.x});
    device_.matmul(MatrixProduct<T, float>{.transpose_b = true,
                                           .m = rows.count,
                                           .n = model_.d,
                                           .k = inputs,
                                           .a = wide_,
                                           .lda = inputs,
                                           .b = weight,
                                           .ldb = inputs,
                                           .beta = 1,
                                           .c = rows.x,
                                           .ldc = model_.d});
  }

  RotarySplit<T> split(const Rows& rows, const float* bias) const {
    return {.rows = rows.count,
            .heads = model_.heads,
            .head_size = model_.head_size(),
            .rotary_dims = model_.rotary_dims(),
            .in = wide_,
            .bias = bias,
            .position = rows.position,
            .cos = cos_,
            .sin = sin_};
  }

  CudaDevice& device_;
  Model model_;
  Arena arena_;
  const float* embedding_ = nullptr;
  const float* cos_ = nullptr;
  const float* sin_ = nullptr;
  T *a_ = nullptr, *b_ = nullptr, *wide_ = nullptr;
  std::vector<Block<T>> blocks_;
  std::vector<Pack> packs_;
};

/// Sets of weights that no cache holds together, but no more than the model has.
template <class T>
std::int64_t blocks_of(const Model& model) {
  constexpr double beyond_any_cache = 1e9;
  const double bytes = 12.0 * static_cast<double>(model.d * model.d) * sizeof(T);
  return std::min(model.layers, static_cast<std::int64_t>(beyond_any_cache / bytes) + 2);
}

/// ‖a − b‖ / ‖b‖; NaN where either has one.
double relative_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0;
  double norm = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto difference = static_cast<double>(a[i]) - static_cast<double>(b[i]);
    error += difference * difference;
    norm += static_cast<double>(b[i]) * static_cast<double>(b[i]);
  }
  return std::sqrt(error / norm);
}

/// A pass in T and one in fp32 with the same weights, but for the rounding to T.
template <class T>
double difference_from_fp32(CudaDevice& device, const Model& model,
                            const std::vector<std::int32_t>& lengths) {
  const std::int64_t blocks = std::min<std::int64_t>(model.layers, 2);
  const auto results = [&]<class U>(U /*zero*/) {
    Forward<U> forward(device, model, {lengths}, blocks);
    forward.run();
    return forward.results();
  };
  const std::vector<float> exact = results(0.0F);
  return relative_difference(results(T{}), exact);
}

template <class T>
void run_packs(CudaDevice& device, const Settings& settings, const Model& model, std::int64_t pack_tokens,
               std::int64_t tokens, Report& report) {
  const auto packs = packs_of(mmlu_pro_lengths_of(tokens), pack_tokens);
  Forward<T> forward(device, model, packs, blocks_of<T>(model));
  Line line{.part = "forward",
            .operation = model.name,
            .type = type_name<T>,
            .shape = "packs of " + std::to_string(pack_tokens),
            .flops = forward.flops(),
            .arithmetic = arithmetic_of<T>,
            .items = static_cast<double>(forward.tokens())};
  forward.run();
  const std::vector<float> first = forward.results();
  line.time = Stopwatch(device).measure(settings.long_patience, 0, [&](std::size_t) { forward.run(); });
  // NaN is equal to nothing.
  if (forward.results() != first) line.complaint = "not the same numbers again, or NaN";
  report.add(line);
}

/// How far 16-bit types may take the last tokens' residuals from those of fp32.
constexpr double most_rounding = 0.05;

void run_bf16_against_fp32(CudaDevice& device, const Settings& settings, const Model& model, Report& report) {
  const auto packs = packs_of(mmlu_pro_lengths_of(settings.tokens), settings.pack_tokens.front());
  const double found = difference_from_fp32<BFloat16>(device, model, packs[packs.size() / 2]);
  std::printf("%-18s last tokens' residuals in bf16 differ from those in fp32 by %.2g of their norm\n",
              model.name.c_str(), found);
  if (!(found <= most_rounding))
    report.complain(model.name + ": bf16 is off fp32 by " + std::to_string(found));
}

}  // namespace

void run_forward(CudaDevice& device, const Settings& settings, const std::string& only, Report& report) {
  report.begin("forward pass on packs of MMLU-Pro's lengths, items are tokens");
  for (const Model& model : settings.models) {
    if (model.name.find(only) == std::string::npos) continue;
    for (const std::int64_t pack_tokens : settings.pack_tokens)
      run_packs<BFloat16>(device, settings, model, pack_tokens, settings.tokens, report);
    run_packs<float>(device, settings, model, settings.pack_tokens.back(), settings.tokens_fp32, report);
    run_bf16_against_fp32(device, settings, model, report);
  }
}

}  // namespace incipit::device::bench
