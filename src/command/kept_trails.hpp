#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
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
};

/// The points of trails that are measured already, kept until the file they are for is whole: by each rank
/// those of its own, a file `TRAIL.START.RANK.h5` for each trail in the unit's parts_folder, START counting
/// the jobs that left some. Written when a stop is asked for, and by the pace of run.part_after.
class KeptTrails {
 public:
  /// Collective.
  KeptTrails(Session& session, const Unit& unit);

  /// Rank 0 takes up what earlier jobs have left of a trail. Returns for each point whether it is there.
  /// Collective.
  std::vector<std::int8_t> take_up(std::size_t trail, Followed& found);

  /// A point was set. Writes what is new where that is due.
  void point_set(std::size_t trail, const Followed& found);
  /// This rank's part of the trail is done; before it is gathered.
  void trail_done(std::size_t trail, const Followed& found);
  /// Writes all that is new.
  void keep();

 private:
  struct Packed {
    std::vector<double> curve, random;
  };
  static Packed packed(const Followed& found);
  void read(const std::filesystem::path& path, Followed& found) const;
  void write(std::size_t trail, const Packed& packed);

  Session& session_;
  const Unit& unit_;
  std::filesystem::path folder_;
  std::int64_t start_ = 0;
  Pace pace_;
  const Followed* now_ = nullptr;          ///< of the trail under way, where it has new points
  std::size_t trail_ = 0;                  ///< its number
  std::map<std::size_t, Packed> waiting_;  ///< trails that are done and not written
};

}  // namespace incipit::command
