#include "settings.hpp"

#include <algorithm>
#include <cmath>

#include "error.hpp"

namespace incipit::device::bench {
namespace {

constexpr std::int32_t quantiles[] = {
#include "mmlu_pro_lengths.inc"
};

Settings full() {
  return {.size = "full",
          .models = {{"pythia-70m", 512, 6, 8},
                     {"pythia-410m", 1024, 24, 16},
                     {"pythia-2.8b", 2560, 32, 32},
                     {"pythia-12b", 5120, 36, 40}},
          .rows = 8192,
          .pack_tokens = {2048, 8192, 16384},
          .tokens = 131072,
          .tokens_fp32 = 16384,
          .vocabulary_block = 1536,
          .dictionary = {.d = 5120, .h = 512, .probes = 12000},
          .batches = {256, 4096, 12000},
          .saes = {1, 8},
          .steps = 32,
          .polar = 5120,
          .subjects = 14,
          .draws = 1000,
          .aligned_rows = 6000,
          .aligned = {2560, 5120},
          .decomposed = {1024, 5120},
          .upload_bytes = std::int64_t{64} << 20U,
          .copy_bytes = std::int64_t{2} << 30U,
          .gemm = {4096, 8192, 16384},
          .patience = {},
          .naive_patience = {.fewest = 2, .most = 20, .seconds = 0.2, .sample = 1e-4},
          .long_patience = {.fewest = 3, .most = 20, .seconds = 2, .sample = 0}};
}

Settings quick() {
  Settings s = full();
  s.size = "quick";
  s.models = {{"pythia-410m", 1024, 24, 16}, {"pythia-12b", 5120, 36, 40}};
  s.rows = 4096;
  s.pack_tokens = {8192};
  s.tokens = 32768;
  s.tokens_fp32 = 8192;
  s.batches = {256};
  s.aligned = {2560};
  s.decomposed = {1024};
  s.gemm = {8192};
  s.patience = {.fewest = 10, .most = 50, .seconds = 0.05, .sample = 1e-3};
  s.naive_patience = {.fewest = 1, .most = 5, .seconds = 0.05, .sample = 1e-4};
  s.long_patience = {.fewest = 2, .most = 5, .seconds = 0.5, .sample = 0};
  return s;
}

Settings tiny() {
  const Patience once{.fewest = 1, .most = 1, .seconds = 0, .sample = 0};
  return {.size = "tiny",
          .models = {{"tiny", 32, 2, 2}, {"odd", 36, 3, 3}},
          .rows = 37,
          .pack_tokens = {64},
          .tokens = 150,
          .tokens_fp32 = 100,
          .vocabulary_block = 70,
          .dictionary = {.d = 40, .h = 24, .probes = 90},
          .batches = {32},
          .saes = {1, 2},
          .steps = 2,
          .polar = 30,
          .subjects = 3,
          .draws = 150,
          .aligned_rows = 300,
          .aligned = {33},
          .decomposed = {30},
          .upload_bytes = 1 << 14,
          .copy_bytes = 1 << 14,
          .gemm = {24},
          .patience = once,
          .naive_patience = once,
          .long_patience = once,
          .rotate = false};
}

/// The quantile of `share` of the texts, between neighbours of the table.
std::int32_t quantile(double share) {
  const double place = share * (static_cast<double>(std::size(quantiles)) - 1);
  const auto below = std::min(static_cast<std::size_t>(place), std::size(quantiles) - 2);
  const double beyond = place - static_cast<double>(below);
  return static_cast<std::int32_t>(
      std::lround(quantiles[below] + beyond * (quantiles[below + 1] - quantiles[below])));
}

}  // namespace

Settings settings_of(const std::string& size) {
  if (size == "full") return full();
  if (size == "quick") return quick();
  if (size == "tiny") return tiny();
  throw Error(Exit::usage, "expected full, quick or tiny, found '" + size + "'");
}

std::vector<std::int32_t> mmlu_pro_lengths(std::int64_t texts) {
  std::vector<std::int32_t> lengths;
  for (std::int64_t i = 0; i < texts; ++i)
    lengths.push_back(quantile((static_cast<double>(i) + 0.5) / static_cast<double>(texts)));
  return lengths;
}

std::vector<std::int32_t> mmlu_pro_lengths_of(std::int64_t tokens) {
  constexpr double mean = 64.5;
  return mmlu_pro_lengths(std::max<std::int64_t>(1, std::llround(static_cast<double>(tokens) / mean)));
}

std::vector<std::vector<std::int32_t>> packs_of(const std::vector<std::int32_t>& lengths,
                                                std::int64_t tokens) {
  std::vector<std::vector<std::int32_t>> packs;
  std::int64_t left = 0;
  for (const std::int32_t length : lengths) {
    if (packs.empty() || length > left) {
      packs.emplace_back();
      left = tokens;
    }
    packs.back().push_back(length);
    left -= length;
  }
  return packs;
}

}  // namespace incipit::device::bench
