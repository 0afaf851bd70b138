#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

namespace incipit {

/// What a stream of random numbers is drawn for. The number is part of every result: never reuse or renumber.
enum class Purpose : std::uint32_t {
  sae_batches = 1,
  sae_directions = 2,
  bootstrap = 3,
  permutation = 4,
  latent_negatives = 5,
  label_examples = 6,
  lsa = 7,
  shuffle_alignment = 8,
  random_weights = 9,
  sae_init = 10,
  split = 11,
  label_verification = 12,
  decoys = 13,
  random_latents = 14,
  power_iteration = 15,
  dead_latents = 16,
  sheet = 20,
  sheet_decoys = 21,
  sheet_texts = 22,
  agreement = 23,
  phantom_plan = 30,
  phantom_words = 31,
  phantom_texts = 32,
  phantom_frame = 33,
  phantom_codes = 34,
  phantom_embedding = 35,
  phantom_drift = 36,
  test = 99,
};

struct PhiloxBlock {
  std::uint32_t word[4];
};

/// Philox4x32-10: four random words from a counter and a key (J. Salmon, M. Moraes, R. Dror, D. Shaw,
/// "Parallel random numbers: as easy as 1, 2, 3", SC'11). A pure function, so that any device may draw any
/// number.
constexpr PhiloxBlock philox4x32(PhiloxBlock counter, std::uint32_t key0, std::uint32_t key1) {
  constexpr std::uint64_t multiplier0 = 0xD2511F53, multiplier1 = 0xCD9E8D57;
  constexpr std::uint32_t weyl0 = 0x9E3779B9, weyl1 = 0xBB67AE85;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = multiplier0 * counter.word[0];
    const std::uint64_t product1 = multiplier1 * counter.word[2];
    counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                static_cast<std::uint32_t>(product1),
                static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                static_cast<std::uint32_t>(product0)}};
    key0 += weyl0;
    key1 += weyl1;
  }
  return counter;
}

/// The stream of random numbers that belongs to (seed, purpose, index): the same on every rank, thread and
/// device, whatever else was drawn before. 2^34 words long.
class Random {
 public:
  constexpr Random(std::uint64_t seed, Purpose purpose, std::uint64_t index)
      : seed_(seed), index_(index), purpose_(static_cast<std::uint32_t>(purpose)) {}

  constexpr std::uint32_t bits32() {
    if (used_ == 4) {
      block_ = philox4x32({{next_++, purpose_, low(index_), high(index_)}}, low(seed_), high(seed_));
      used_ = 0;
    }
    return block_.word[used_++];
  }

  constexpr std::uint64_t bits64() {
    const std::uint64_t first = bits32();
    return first | static_cast<std::uint64_t>(bits32()) << 32;
  }

  /// In [0, 1), all 53 bits used.
  constexpr double uniform() { return static_cast<double>(bits64() >> 11) * 0x1.0p-53; }

  /// Standard normal, by Box and Muller; two draws make two numbers.
  double normal() {
    if (has_spare_) {
      has_spare_ = false;
      return spare_;
    }
    // 1 - uniform() lies in (0, 1], so the logarithm is finite.
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    const double angle = 2.0 * std::numbers::pi * uniform();
    spare_ = radius * std::sin(angle);
    has_spare_ = true;
    return radius * std::cos(angle);
  }

  /// Uniform in {0 … n-1}, unbiased (draws above the range are thrown away). n ≥ 1; n = 0 gives 0.
  constexpr std::uint64_t below(std::uint64_t n) {
    if (n < 2) return 0;
    const std::uint64_t mask = mask_of(n - 1);
    for (;;) {
      const std::uint64_t draw = (mask >> 32 != 0 ? bits64() : bits32()) & mask;
      if (draw < n) return draw;
    }
  }

 private:
  static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
  static constexpr std::uint32_t high(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }
  static constexpr std::uint64_t mask_of(std::uint64_t x) {
    for (int shift = 1; shift < 64; shift *= 2) x |= x >> shift;
    return x;
  }

  std::uint64_t seed_, index_;
  std::uint32_t purpose_;
  std::uint32_t next_ = 0;
  int used_ = 4;
  PhiloxBlock block_{};
  bool has_spare_ = false;
  double spare_ = 0;
};

/// 0 … n-1 in random order (Fisher and Yates).
inline std::vector<std::int64_t> permutation(std::int64_t n, Random& random) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  for (std::size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.below(left)]);
  return order;
}

}  // namespace incipit
