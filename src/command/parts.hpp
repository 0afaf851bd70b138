#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "command/ledger.hpp"
#include "parallel/communicator.hpp"
#include "parallel/work.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::command {

/// Where what is kept of a unit under way lies until its file is whole: `parts/sae/time` for `sae/time.h5`.
[[nodiscard]] std::filesystem::path parts_folder(const std::filesystem::path& output, const Unit& unit);

/// A part file of one of these kinds that was left for the unit as it is now. Nothing where there is none, it
/// is damaged, or another deck's: then the work is done anew.
[[nodiscard]] std::optional<store::Reader> open_part(const std::filesystem::path& path,
                                                     const std::vector<std::string>& kinds, const Unit& unit);

/// Removes what was kept of a unit whose file is whole, and folders that this leaves empty. Never throws.
void remove_parts(const std::filesystem::path& output, const Unit& unit) noexcept;

/// The part files `A-B.h5` of one checkpoint in its parts_folder: the
/// rows of the packs A..B−1, in pack order, left behind after each wave so that a killed job loses at most
/// one. T: float, double.
class Parts {
 public:
  /// Parts with another fingerprint than the unit's are passed over by `find` and removed with the rest.
  Parts(const std::filesystem::path& output, const Unit& unit);

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
  std::filesystem::path output_, folder_;
  const Unit& unit_;
};

}  // namespace incipit::command
