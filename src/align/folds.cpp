#include "align/folds.hpp"

#include <algorithm>
#include <unordered_map>

#include "random.hpp"

namespace incipit::align {
namespace {

/// Apart from the streams that shuffle correspondences (0 …) and draw the pairs (2³²).
constexpr uint64_t fold_stream = 1ULL << 33;

}  // namespace

std::vector<int32_t> group_folds(std::span<const int32_t> group, int parts, uint64_t seed) {
  std::unordered_map<int32_t, int64_t> number;
  for (const int32_t g : group) number.emplace(g, static_cast<int64_t>(number.size()));
  Random random(seed, Purpose::shuffle_alignment, fold_stream);
  const auto order = permutation(static_cast<int64_t>(number.size()), random);
  std::vector<int32_t> fold_of(order.size());
  for (size_t i = 0; i < order.size(); ++i)
    fold_of[static_cast<size_t>(order[i])] = static_cast<int32_t>(i % static_cast<size_t>(parts));
  std::vector<int32_t> fold;
  fold.reserve(group.size());
  for (const int32_t g : group) fold.push_back(fold_of[static_cast<size_t>(number.at(g))]);
  return fold;
}

}  // namespace incipit::align
