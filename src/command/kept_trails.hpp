#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "command/pace.hpp"
#include "command/session.hpp"
#include "emergence/curve.hpp"
#include "emergence/random_latents.hpp"

namespace incipit::command {

/// A trail's numbers: this rank's, or all once they are gathered.
struct Followed {
  emergence::Curve curve;
  std::optional<emergence::RandomLatents> random;  ///< of an anchor's own curve, where the deck asks for them

  /// Collective.
  void gather(const parallel::Communicator& world);
};

/// Rank 0's part of taking up what jobs have left of the study's trails `first` and after, which are made for
/// `unit`. Points that are set already stay.
void take_up_kept(const Session& session, const Unit& unit, std::size_t first, std::span<Followed> found);

/// The points of trails that are measured already, kept until the file they are for is whole: by each rank
/// those of its own, a file `TRAIL.START.RANK.h5` for each trail in the unit's parts_folder, START counting
/// the jobs that left some. Written when a stop is asked for, and by the pace of run.part_after.
class KeptTrails {
 public:
  /// Collective.
  KeptTrails(Session& session, const Unit& unit);

  /// The trails `first` and after are under way from now on, until `done`. Rank 0 takes up what earlier jobs
  /// have left of them. Returns for each trail and point whether it is there. Collective.
  std::vector<std::vector<std::int8_t>> take_up(std::size_t first, std::span<Followed> found);

  /// A point was set. Writes what is new where that is due; then all that was set is kept, and it returns
  /// true.
  bool point_set(std::size_t trail);
  /// Writes all that is new.
  void keep();
  /// This rank's part of the trails under way is measured, and they may be gathered.
  void done();

  /// How many jobs have left points before this one.
  [[nodiscard]] std::int64_t start() const { return start_; }

 private:
  struct Packed {
    std::vector<double> curve, random;
  };
  static Packed packed(const Followed& found);
  void write(std::size_t trail, const Packed& packed);

  Session& session_;
  const Unit& unit_;
  std::filesystem::path folder_;
  std::int64_t start_ = 0;
  Pace pace_;
  std::size_t first_ = 0;
  std::span<const Followed> found_;        ///< of the trails under way
  std::set<std::size_t> new_;              ///< those of them with points that are not written
  std::map<std::size_t, Packed> waiting_;  ///< trails that are done and not written
};

}  // namespace incipit::command
