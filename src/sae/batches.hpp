#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::sae {

/// The order in which training sees the fit probes: a permutation per pass, passes end to end, cut into
/// batches of equal size (one may span two passes). A function of (n, size, seed).
class Batches {
 public:
  /// n ≥ 1; `size` is cut to n.
  Batches(std::int64_t n, std::int64_t size, std::uint64_t seed);

  /// Row indices of the next batch; valid until the next call.
  std::span<const std::int32_t> next();
  /// Goes to where `batches` calls of next() lead from the beginning.
  void go_behind(std::int64_t batches);
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(batch_.size()); }

 private:
  void shuffle();

  std::int64_t n_;
  std::uint64_t seed_;
  std::uint64_t pass_ = 0;
  std::vector<std::int64_t> order_;
  std::size_t at_ = 0;
  std::vector<std::int32_t> batch_;
};

}  // namespace incipit::sae
