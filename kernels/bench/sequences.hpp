#pragma once

#include <cstdint>
#include <vector>

namespace incipit::device::bench {

/// Texts of these lengths, one after the other.
class Sequences {
 public:
  explicit Sequences(std::vector<std::int32_t> lengths);

  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(lengths_.size()); }
  [[nodiscard]] std::int64_t tokens() const { return starts_.back(); }
  [[nodiscard]] std::int64_t longest() const;
  /// Σ n·(n + 1)/2: how many keys all queries see together.
  [[nodiscard]] double pairs() const;

  [[nodiscard]] const std::vector<std::int32_t>& starts() const { return starts_; }  ///< [count + 1]
  [[nodiscard]] std::vector<std::int32_t> positions() const;                         ///< [tokens]
  [[nodiscard]] std::vector<std::int32_t> last() const;            ///< [count] rows of the last tokens
  [[nodiscard]] std::vector<std::int32_t> last_positions() const;  ///< [count]
  [[nodiscard]] std::vector<std::int32_t> one_each() const;        ///< [count + 1] 0, 1, 2, …

 private:
  std::vector<std::int32_t> lengths_;
  std::vector<std::int32_t> starts_ = {0};
};

/// Cosines and sines of the rotary embedding, [positions, dims / 2].
struct RotaryTables {
  RotaryTables(std::int64_t positions, std::int64_t dims);
  std::vector<float> cos, sin;
};

}  // namespace incipit::device::bench
