#include "corpus/bpe.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

namespace incipit::corpus {

MergeTable::MergeTable(std::span<const Merge> merges) : slots_(std::bit_ceil(2 * merges.size() + 2)) {
  for (const Merge& merge : merges) slots_[slot(merge.left, merge.right)] = merge;
}

std::size_t MergeTable::slot(int32_t left, int32_t right) const {
  const uint64_t key =
      static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  const uint64_t mixed = key * 0x9E3779B97F4A7C15u;  // Fibonacci hashing: the upper bits are well mixed
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = static_cast<std::size_t>(mixed >> 32) & mask;
  while (slots_[at].merged >= 0 && (slots_[at].left != left || slots_[at].right != right))
    at = (at + 1) & mask;
  return at;
}

const MergeTable::Merge& MergeTable::find(int32_t left, int32_t right) const {
  return slots_[slot(left, right)];
}

void WordMerger::propose(int32_t position) {
  if (position < 0) return;
  const Symbol& symbol = symbols_[static_cast<std::size_t>(position)];
  if (symbol.next < 0) return;
  const int32_t right = symbols_[static_cast<std::size_t>(symbol.next)].id;
  const MergeTable::Merge& merge = table_.find(symbol.id, right);
  if (merge.merged < 0) return;
  heap_.push_back({merge.rank, position, symbol.id, right, merge.merged});
  std::push_heap(heap_.begin(), heap_.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.rank, a.position) > std::tie(b.rank, b.position);
  });
}

void WordMerger::merge(std::span<const int32_t> tokens, std::vector<int32_t>& out) {
  const auto count = static_cast<int32_t>(tokens.size());
  symbols_.clear();
  heap_.clear();
  for (int32_t i = 0; i < count; ++i) {
    symbols_.push_back({tokens[static_cast<std::size_t>(i)], i - 1, i + 1 < count ? i + 1 : -1});
  }
  for (int32_t i = 0; i < count; ++i) propose(i);
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.rank, a.position) > std::tie(b.rank, b.position);
    });
    const Candidate best = heap_.back();
    heap_.pop_back();
    Symbol& left = symbols_[static_cast<std::size_t>(best.position)];
    if (left.id != best.left || left.next < 0) continue;
    Symbol& right = symbols_[static_cast<std::size_t>(left.next)];
    if (right.id != best.right) continue;
    left.id = best.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next >= 0) symbols_[static_cast<std::size_t>(left.next)].previous = best.position;
    propose(left.previous);
    propose(best.position);
  }
  for (const Symbol& symbol : symbols_) {
    if (symbol.id >= 0) out.push_back(symbol.id);
  }
}

}  // namespace incipit::corpus
