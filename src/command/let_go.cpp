#include "command/let_go.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "command/parts.hpp"
#include "command/walk.hpp"
#include "parallel/agree.hpp"
#include "store/files.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

bool any_of(const std::vector<bool>& flags) {
  return std::ranges::find(flags, true) != flags.end();
}

/// What the stages between extraction and the curves still read, as indices of checkpoints. Collective.
std::set<std::size_t> read_before_the_curves(const Session& session, bool again) {
  const auto& study = session.study;
  std::set<std::size_t> read;
  const auto trained = session.pending(deck::Stage::train, again);
  for (std::size_t d = 0; d < trained.size(); ++d)
    if (trained[d]) read.insert(study.checkpoint_of(study.dictionaries[d].site));
  const auto labelled = session.pending(deck::Stage::interpret, again);
  for (std::size_t d = 0; d < labelled.size(); ++d)
    if (labelled[d]) read.insert(study.checkpoint_of(study.dictionaries[d].site));
  const auto mapped = session.pending(deck::Stage::align, again);
  for (std::size_t m = 0; m < mapped.size(); ++m) {
    if (!mapped[m]) continue;
    read.insert(study.checkpoint_of(study.maps[m].home));
    for (const auto& site : study.maps[m].sites) read.insert(study.checkpoint_of(site));
  }
  if (any_of(session.pending(deck::Stage::attribute, again)))
    for (const auto& anchor : study.anchors) read.insert(study.checkpoint_of(anchor.site));
  return read;
}

}  // namespace

std::set<std::size_t> read_by(const Study& study, const TrailVisit& visit) {
  if (is_gap(study, visit)) return {};
  const auto& [dictionary, site] = reading_of(study, visit);
  std::set<std::size_t> read{study.checkpoint_of(site),
                             study.checkpoint_of(study.dictionaries[dictionary].site)};
  if (const Site* before = compared_with(study, visit)) read.insert(study.checkpoint_of(*before));
  return read;
}

std::set<const Unit*> nobody_reads(const Session& session, bool again) {
  const auto& study = session.study;
  auto read = read_before_the_curves(session, again);
  const bool matched = !any_of(session.pending(deck::Stage::interpret, again)) &&
                       !any_of(session.pending(deck::Stage::match, again));
  std::vector<std::int64_t> indices;
  parallel::together(session.world, "reading what is kept of curves", [&] {
    if (!session.world.root()) return;
    for (const auto& visit : matched ? visits_left(session) : all_visits(study))
      for (const auto c : read_by(study, visit)) read.insert(c);
    indices.assign(read.begin(), read.end());
  });
  session.world.broadcast(indices);
  std::set<const Unit*> unread;
  for (const auto* unit : session.ledger->of(deck::Stage::extract)) unread.insert(unit);
  for (const auto c : indices) unread.erase(&session.ledger->activations(static_cast<std::size_t>(c)));
  return unread;
}

void drop_activations(const Session& session) noexcept {
  std::error_code none;
  for (const auto* unit : session.ledger->of(deck::Stage::extract)) {
    fs::remove(unit->path, none);
    fs::remove(unit->path.parent_path(), none);  // where it is empty
  }
  fs::remove(session.deck.run.output / "activations", none);
}

Dropping::Dropping(const Session& session, const Unit& unit, std::int64_t start,
                   const std::vector<std::vector<Stay>>& dealt)
    : session_(session),
      unit_(unit),
      start_(start),
      readers_(session.study.checkpoints.size()),
      holder_(store::FileLock::holder(unit.path)) {
  for (int rank = 0; rank < std::ssize(dealt); ++rank)
    for (const auto& stay : dealt[static_cast<std::size_t>(rank)])
      for (const auto& visit : stay.visits)
        for (const auto c : read_by(session.study, visit)) {
          if (readers_[c].empty() || readers_[c].back() != rank) readers_[c].push_back(rank);
          if (rank == session.world.rank()) ++to_visit_[c];
        }
  for (std::size_t c = 0; session.world.root() && c < readers_.size(); ++c)
    if (readers_[c].empty()) drop(c);
}

void Dropping::visited(const TrailVisit& visit) {
  for (const auto c : read_by(session_.study, visit)) --to_visit_.at(c);
}

void Dropping::kept() {
  std::erase_if(to_visit_, [&](const auto& left) {
    if (left.second > 0) return false;
    if (is_last(left.first)) drop(left.first);
    return true;
  });
}

fs::path Dropping::mark(std::size_t checkpoint, int rank) const {
  return parts_folder(session_.deck.run.output, unit_) /
         fmt::format("read.{}.{}.{}", checkpoint, start_, rank);
}

/// Leaves this rank's mark, and looks for those of the others: who leaves the last sees all.
bool Dropping::is_last(std::size_t checkpoint) const {
  const auto& readers = readers_[checkpoint];
  if (readers.size() == 1) return true;
  store::write_text_atomic(mark(checkpoint, session_.world.rank()), "");
  std::error_code none;
  return std::ranges::all_of(readers, [&](int rank) { return fs::exists(mark(checkpoint, rank), none); });
}

void Dropping::drop(std::size_t checkpoint) const {
  const auto now = store::FileLock::holder(unit_.path);
  if (!now || !holder_ || now->host != holder_->host || now->pid != holder_->pid ||
      now->started != holder_->started)
    return;
  std::error_code none;
  fs::remove(session_.ledger->activations(checkpoint).path, none);
}

}  // namespace incipit::command
