#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::parallel {

/// [begin, end)
struct BlockRange {
  std::int64_t begin, end;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
};

/// The part-th of `parts` contiguous blocks of 0 … n-1; sizes differ by at most one, the longer ones come
/// first.
[[nodiscard]] BlockRange block_of(std::int64_t n, int parts, int part);

/// Longest processing time first: jobs in falling order of cost, each into the bin that holds least so far.
/// Ties go to the lower index, so that every rank computes the same. Returns the bin of each job. bins ≥ 1;
/// no NaN.
[[nodiscard]] std::vector<int> assign_longest_first(std::span<const double> costs, int bins);

}  // namespace incipit::parallel
