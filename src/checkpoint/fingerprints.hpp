#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/weights.hpp"

namespace incipit::checkpoint {

/// Most numbers of one tensor that a fingerprint keeps. Distances between steps are taken over all tensors
/// together, so that 512 of each make a hundred thousand numbers for a large model, and less than a megabyte.
inline constexpr int64_t most_samples = 512;

/// One tensor as the audit sees it.
struct TensorPrint {
  std::string name;
  int file = 0;         ///< index into Fingerprint::files
  bool weight = false;  ///< trained numbers; not a buffer, not integers
  bool matrix = false;  ///< a weight of two dimensions or more
  int64_t elements = 0;
  std::string sha256;          ///< of its bytes in the file
  double norm = 0;             ///< of the finite elements; 0 unless a weight
  int64_t nonfinite = 0;       ///< elements that are NaN or infinite; 0 unless a weight
  std::vector<float> samples;  ///< elements ⌊k·n/m⌋, k = 0 … m-1, m = min(n, most_samples), if a weight
};

struct FilePrint {
  std::string name;  ///< without its folder
  std::string sha256;
  uint64_t bytes = 0;
};

/// What is kept of a checkpoint: enough to tell whether two steps share tensors, and to estimate any cosine
/// between them, without reading them again.
struct Fingerprint {
  std::vector<FilePrint> files;      ///< in the order of Weights::files()
  std::vector<TensorPrint> tensors;  ///< by name

  [[nodiscard]] const TensorPrint* find(std::string_view name) const;
};

/// Reads every byte of a checkpoint once, in the order of the files. A function of the bytes alone: sums have
/// a fixed order. Error io when a file cannot be read.
[[nodiscard]] Fingerprint fingerprint(const Weights& weights);

/// As text of this machine's byte order, for the cache and for other ranks, and back. Error data when the
/// bytes are not a fingerprint.
[[nodiscard]] std::string to_bytes(const Fingerprint& print);
[[nodiscard]] Fingerprint fingerprint_from_bytes(std::string_view bytes);

}  // namespace incipit::checkpoint
