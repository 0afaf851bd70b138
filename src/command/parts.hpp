#pragma once

#include <filesystem>
#include <utility>
#include <vector>

#include "command/ledger.hpp"
#include "parallel/communicator.hpp"
#include "parallel/work.hpp"
#include "store/writer.hpp"

namespace incipit::command {

/// The part files `A-B.h5` of one checkpoint in a folder of their own, `parts/MODEL/stepN` for residuals: the
/// rows of the packs A..B−1, in pack order, left behind after each wave so that a killed job loses at most
/// one. T: float, double.
class Parts {
 public:
  /// Parts with another fingerprint than the unit's are passed over by `find` and removed with the rest.
  Parts(std::filesystem::path folder, const Unit& unit);

  /// The pack ranges [first, last) that are there, ascending, none overlapping. Collective; rank 0 looks.
  std::vector<std::pair<std::size_t, std::size_t>> find(const parallel::Communicator& team);
  /// Leaves the part of the packs [first, last) at `positions`; rows[layer] is [positions, d]. One rank
  /// alone. `rows` of losses have one "layer" of width 1.
  template <class T>
  void write(const store::Header& header, std::size_t first, std::size_t last, parallel::BlockRange positions,
             const std::vector<std::vector<T>>& rows, std::int64_t width);
  /// Rows of a layer at `positions`, gathered from the parts of all ranks.
  template <class T>
  [[nodiscard]] std::vector<T> read(std::size_t layer, parallel::BlockRange positions,
                                    std::int64_t width) const;
  /// Removes the folder once its checkpoint is whole. Collective.
  void remove(const parallel::Communicator& team) const;

 private:
  std::filesystem::path folder_;
  const Unit& unit_;
};

}  // namespace incipit::command
