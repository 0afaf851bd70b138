#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "stopwatch.hpp"

namespace incipit::device::bench {

/// A GPT-NeoX model's shape; the MLP is four times as wide as the residual stream.
struct Model {
  std::string name;
  std::int64_t d;
  std::int64_t layers;
  std::int64_t heads;

  [[nodiscard]] std::int64_t head_size() const { return d / heads; }
  /// A quarter of a head, as Pythia has it.
  [[nodiscard]] std::int64_t rotary_dims() const { return head_size() / 8 * 2; }
  [[nodiscard]] std::int64_t mlp() const { return 4 * d; }
};

/// An SAE's shape.
struct Dictionary {
  std::int64_t d;
  std::int64_t h;
  std::int64_t probes;
};

/// How much is measured.
struct Settings {
  std::string size = "full";
  std::vector<Model> models;
  std::int64_t rows = 0;                  ///< tokens of a single operation
  std::vector<std::int64_t> pack_tokens;  ///< of the whole forward pass
  std::int64_t tokens = 0;                ///< of all its packs together, in 16-bit types
  std::int64_t tokens_fp32 = 0;           ///< the same in fp32
  std::int64_t vocabulary_block = 0;
  Dictionary dictionary;
  std::vector<std::int64_t> batches;     ///< of SAE training
  std::vector<std::int64_t> saes;        ///< trained at once
  std::int64_t steps = 0;                ///< of SAE training, a sample
  std::int64_t polar = 0;                ///< side of a square matrix
  std::int64_t subjects = 0;             ///< of the statistics
  std::int64_t draws = 0;                ///< resamples, and as many permutations
  std::int64_t aligned_rows = 0;         ///< of two sites
  std::vector<std::int64_t> aligned;     ///< their widths
  std::vector<std::int64_t> decomposed;  ///< sides of matrices of SVD and QR
  std::int64_t upload_bytes = 0;         ///< from the host
  std::int64_t copy_bytes = 0;
  std::vector<int> gemm;  ///< sides of the ceilings' matrices
  Patience patience;
  Patience naive_patience;
  Patience long_patience;  ///< of whole passes
  bool rotate = true;      ///< inputs larger than the cache, in turns
};

/// "full", "quick" (a minute or two) or "tiny" (the shim; its times mean nothing). Error(usage) for others.
Settings settings_of(const std::string& size);

/// Lengths of `texts` texts with the quantiles of MMLU-Pro's questions, ascending.
std::vector<std::int32_t> mmlu_pro_lengths(std::int64_t texts);
/// As many of them as come to about `tokens`.
std::vector<std::int32_t> mmlu_pro_lengths_of(std::int64_t tokens);
/// Cut as the suite cuts them: neighbours of a sorted list, at most `tokens` in a pack.
std::vector<std::vector<std::int32_t>> packs_of(const std::vector<std::int32_t>& lengths,
                                                std::int64_t tokens);

}  // namespace incipit::device::bench
