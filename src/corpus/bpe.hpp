#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::corpus {

/// Byte-pair merges by rank.
class MergeTable {
 public:
  struct Merge {
    int32_t left = -1, right = -1;
    int32_t rank = 0, merged = -1;  ///< merged -1: there is none
  };

  /// Of two merges of one pair the later counts.
  explicit MergeTable(std::span<const Merge> merges);

  /// The merge of a pair; its `merged` is -1 when there is none.
  [[nodiscard]] const Merge& find(int32_t left, int32_t right) const;

 private:
  [[nodiscard]] std::size_t slot(int32_t left, int32_t right) const;

  std::vector<Merge> slots_;  // open addressing; a power of two, at most half full
};

/// Merges the tokens of one word, the pair of lowest rank first and the leftmost of equals, until none is
/// left. Keeps its memory between words; one per thread.
class WordMerger {
 public:
  explicit WordMerger(const MergeTable& table) : table_(table) {}

  /// Appends the merged tokens to `out`.
  void merge(std::span<const int32_t> tokens, std::vector<int32_t>& out);

 private:
  struct Symbol {
    int32_t id, previous, next;  // neighbours still there, -1 at the ends; id -1: merged into another
  };
  struct Candidate {
    int32_t rank, position, left, right, merged;
  };

  void propose(int32_t position);

  const MergeTable& table_;
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

}  // namespace incipit::corpus
