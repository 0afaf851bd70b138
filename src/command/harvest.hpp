#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include "corpus/packs.hpp"
#include "parallel/communicator.hpp"
#include "parallel/work.hpp"

namespace incipit::command {

/// The rows at last tokens, residuals or what blocks add, of one checkpoint while a team computes them, in
/// *pack order*: position p is the p-th probe when the packs are read one after the other. A rank holds some
/// range of positions, in memory or in part files, until everything is brought into the deck's order.
class Harvest {
 public:
  Harvest(std::span<const corpus::Pack> packs, std::vector<int> layers, std::int64_t width);

  [[nodiscard]] std::int64_t probes() const { return static_cast<std::int64_t>(order_.size()); }
  [[nodiscard]] std::int64_t width() const { return width_; }
  [[nodiscard]] const std::vector<int>& layers() const { return layers_; }
  /// The positions of the packs [first, last).
  [[nodiscard]] parallel::BlockRange positions(std::size_t first_pack, std::size_t last_pack) const;

  /// Rows of one layer at the positions a rank holds: [positions, d].
  using Rows = std::function<std::vector<float>(std::size_t layer)>;
  /// Gets a layer's rows of this rank's block of probes, in the deck's order: [block, d].
  using Write =
      std::function<void(std::size_t layer, parallel::BlockRange block, std::span<const float> rows)>;

  /// Brings the rows from pack order into the deck's order, layer by layer: rank r of the team gives the rows
  /// of `held[r]` and writes the r-th block of the probes. `held` must cover every position once. Collective.
  void deliver(const parallel::Communicator& team, const std::vector<parallel::BlockRange>& held,
               const Rows& rows, const Write& write) const;

 private:
  std::vector<std::int64_t> order_;  ///< position → probe
  std::vector<std::int64_t> first_;  ///< pack → its first position; one more for the end
  std::vector<int> layers_;
  std::int64_t width_;
};

}  // namespace incipit::command
