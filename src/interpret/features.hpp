#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "corpus/probes.hpp"

namespace incipit::interpret {

/// A sparse vector; columns ascending.
struct SparseRow {
  std::vector<int32_t> column;
  std::vector<float> value;
};

/// What all the chosen texts end in, in whole characters: a template's constant says nothing about a text.
/// Empty for fewer than two texts.
[[nodiscard]] std::string common_ending(const corpus::Probes& probes, std::span<const int64_t> chosen);
[[nodiscard]] std::string_view without_ending(std::string_view text, std::string_view ending);

/// Texts as sparse TF-IDF vectors for telling them apart by what they are made of. Three blocks: words and
/// pairs of neighbouring words; pieces of 3 to 5 characters within words; how the text ends (its last 1 to 8
/// characters, its last words) and begins. Each block has unit norm, so that a product of two rows is the sum
/// of three cosines.
///
/// Only features that occur in at least two groups of the texts learned from are kept, since others cannot
/// carry over to a group not seen, and none that is in more than half of them. An ending that all texts have
/// in common (a template's constant) is cut off first.
class TextFeatures {
 public:
  /// Learns from `chosen`, indices into Probes::all.
  TextFeatures(const corpus::Probes& probes, std::span<const int64_t> chosen);

  [[nodiscard]] SparseRow row(std::string_view text) const;
  [[nodiscard]] int64_t columns() const { return static_cast<int64_t>(idf_.size()); }

 private:
  static constexpr std::size_t blocks_ = 3;

  std::string ending_;
  std::unordered_map<uint64_t, int32_t> column_;  // of a feature's hash
  std::vector<float> idf_;                        // of a column
};

/// Inner products of rows, n×n, row-major, full. `scratch` holds `columns` zeros and is given back so.
[[nodiscard]] std::vector<double> gram(std::span<const SparseRow* const> rows, std::vector<float>& scratch);

/// Inner products of one row with others.
[[nodiscard]] std::vector<double> products(const SparseRow& row, std::span<const SparseRow* const> others,
                                           std::vector<float>& scratch);

}  // namespace incipit::interpret
