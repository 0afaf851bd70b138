#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "corpus/probes.hpp"

namespace incipit::interpret {

/// The terms of texts (words, and pairs of neighbouring words) and in how many texts each occurs, for naming a set of
/// texts by what sets it apart.
class TermTable {
 public:
  /// Learns from `chosen`, indices into Probes::all.
  TermTable(const corpus::Probes& probes, std::span<const int64_t> chosen);

  /// At most `count` terms of the probes `members` (some of `chosen`), best first, joined by ", ". A term's score is
  /// class-based TF-IDF over texts, n_in/N_in · ln(1 + N/n); only terms more frequent inside than outside; ties go to
  /// the pair, then by spelling. Terms that share a word with a better one are left out. Function words and numbers
  /// are taken only where there is nothing else.
  [[nodiscard]] std::string best(std::span<const int64_t> members, std::size_t count) const;

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
