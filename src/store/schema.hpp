#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace incipit::store {

/// Format version of the files we write; readers accept any minor of the same major.
inline constexpr int format_major = 1;
inline constexpr int format_minor = 0;

/// A half-precision number by its bits (IEEE 754 binary16).
struct Half {
  std::uint16_t bits;
};

/// What the root of every file says (files.md). Rank 0's counts.
struct Header {
  struct Input {
    std::string path, sha256;
  };
  std::string kind;  ///< "activations" becomes format "incipit/activations"
  std::string fingerprint, precision, device, cpu, split;
  std::uint64_t seed = 0;
  std::string libraries;
  std::string deck;           ///< the resolved deck without its operational keys
  std::vector<Input> inputs;  ///< every weight, tokenizer and probe file read
  std::string operational;    ///< operational deck keys; kept in the group `timing`
  std::string mpi_hints;      ///< MPI-IO hints "key=value;key=value"; not kept
};

/// Every dataset says what it is. Units are never empty: "1" for pure numbers.
struct About {
  std::string units, long_name;
};

}  // namespace incipit::store
