#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "corpus/probes.hpp"

namespace incipit::interpret {

/// The terms of texts (words, and pairs of neighbouring words) and in how many texts each occurs, for naming
/// a set of texts by what sets it apart.
class TermTable {
 public:
  /// Learns from `chosen`, indices into Probes::all.
  TermTable(const corpus::Probes& probes, std::span<const int64_t> chosen);

  /// At most `count` terms of the probes `members` (some of `chosen`), best first, joined by ", ". A term's
  /// score is class-based TF-IDF over texts, its share p_in of the members times ln(p_in / p), p its share of
  /// all; only terms with p_in > p and a score not far below the best. Ties go to the pair, then by spelling.
  /// Terms that share a word with a better one are left out. Function words and numbers are taken only where
  /// there is nothing else.
  [[nodiscard]] std::string name(std::span<const int64_t> members, std::size_t count) const;

 private:
  struct Term {
    std::string first, second;  // second is empty for a word
    bool plain = true;          // neither function word nor number
    int32_t texts = 0;
  };

  std::vector<Term> terms_;
  std::unordered_map<int64_t, std::vector<int32_t>> of_probe_;  // distinct terms, ascending
};

}  // namespace incipit::interpret
