#include "command/kept_trails.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "command/parts.hpp"
#include "parallel/agree.hpp"
#include "store/files.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

constexpr const char* trail_kind = "trail_part";

struct TrailPart {
  std::size_t trail = 0;
  long start = 0;
  std::filesystem::path path;
};

std::vector<TrailPart> trail_parts(const std::filesystem::path& folder) {
  std::vector<TrailPart> parts;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) {
    TrailPart part{.path = entry.path()};
    int rank = 0;
    if (std::sscanf(entry.path().filename().c_str(), "%zu.%ld.%d.h5", &part.trail, &part.start, &rank) == 3)
      parts.push_back(std::move(part));
  }
  return parts;
}

/// What does not fit was left by another version of the program; its points are measured anew.
void take_part(const std::filesystem::path& path, const Unit& unit, Followed& found) {
  const auto part = open_part(path, {trail_kind}, unit);
  if (!part) return;
  auto random = found.random;
  if (random && !random->take(part->read<double>("random"))) return;
  if (found.curve.take(part->read<double>("curve"))) found.random = std::move(random);
}

}  // namespace

void take_up_kept(const Session& session, const Unit& unit, std::size_t first, std::span<Followed> found) {
  for (const auto& part : trail_parts(parts_folder(session.deck.run.output, unit)))
    if (part.trail >= first && part.trail - first < found.size())
      take_part(part.path, unit, found[part.trail - first]);
}

void Followed::gather(const parallel::Communicator& world) {
  curve.gather(world);
  if (random) random->gather(world);
}

KeptTrails::KeptTrails(Session& session, const Unit& unit)
    : session_(session),
      unit_(unit),
      folder_(parts_folder(session.deck.run.output, unit)),
      pace_(session.deck.run.part_after) {
  std::vector<std::int64_t> start{0};
  if (session.world.root())
    for (const auto& part : trail_parts(folder_)) start[0] = std::max(start[0], std::int64_t{part.start} + 1);
  session.world.broadcast(start);
  start_ = start[0];
}

std::vector<std::vector<std::int8_t>> KeptTrails::take_up(std::size_t first, std::span<Followed> found) {
  first_ = first;
  found_ = found;
  std::vector<std::int8_t> flags;
  parallel::together(session_.world, "reading what is kept of curves", [&] {
    if (!session_.world.root()) return;
    take_up_kept(session_, unit_, first, found);
    for (const auto& [curve, random] : found)
      for (std::int64_t p = 0; p < std::ssize(curve.points()); ++p)
        flags.push_back(static_cast<std::int8_t>(curve.is_set(p)));
  });
  session_.world.broadcast(flags);
  std::vector<std::vector<std::int8_t>> there;
  auto next = flags.begin();
  for (const auto& [curve, random] : found) {
    there.emplace_back(next, next + std::ssize(curve.points()));
    next += std::ssize(curve.points());
  }
  return there;
}

KeptTrails::Packed KeptTrails::packed(const Followed& found) {
  return {found.curve.packed(), found.random ? found.random->packed() : std::vector<double>{}};
}

bool KeptTrails::point_set(std::size_t trail) {
  new_.insert(trail);
  if (!pace_.due()) return false;
  keep();
  return true;
}

void KeptTrails::done() {
  for (const auto trail : new_) waiting_[trail] = packed(found_[trail - first_]);
  new_.clear();
}

void KeptTrails::keep() {
  const auto timer = session_.timing.phase("keep");
  pace_.keep([&] {
    for (const auto& [trail, packed] : waiting_) write(trail, packed);
    waiting_.clear();
    for (const auto trail : new_) write(trail, packed(found_[trail - first_]));
    new_.clear();
  });
}

void KeptTrails::write(std::size_t trail, const Packed& packed) {
  store::ensure_folder(folder_);
  auto header = session_.header(unit_);
  header.kind = trail_kind;
  const auto self = parallel::Communicator::self();
  const auto name = fmt::format("{}.{}.{}.h5", trail, start_, session_.world.rank());
  store::Writer file(self, folder_ / name, header);
  for (const auto& [dataset, values] :
       {std::pair("curve", &packed.curve), std::pair("random", &packed.random)})
    file.write(dataset, {std::ssize(*values)}, *values,
               {"1", "points that are measured, for the job itself"});
  file.commit();
}

}  // namespace incipit::command
