#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <utility>
#include <vector>

#include "command/parts.hpp"
#include "command/pass_cost.hpp"
#include "command/session.hpp"
#include "console/progress.hpp"
#include "corpus/packs.hpp"
#include "parallel/communicator.hpp"
#include "store/writer.hpp"

/// How passes over checkpoints are shared out (design §5): checkpoints over teams of ranks, a checkpoint's
/// packs over the ranks of its team, a rank's packs over waves.
namespace incipit::command {

/// The packs a rank of a team runs are [first[rank], first[rank + 1]): contiguous, so that its rows are a
/// block of positions, with about equal numbers of tokens.
[[nodiscard]] std::vector<std::size_t> share_packs(std::span<const corpus::Pack> packs, int ranks);

using PackRange = std::pair<std::size_t, std::size_t>;  ///< [first, last)

/// Calls `wave` for the packs [begin, end) that no range of `there` (ascending) covers, as many at a time as
/// memory allows, and no more than about run.part_after of work, so that a stop is noticed in good time. A
/// wave that runs out of memory all the same is begun again with half its packs, as are those that follow.
/// False when a stop was asked for before all were done. Error(machine): not even one pack fits.
[[nodiscard]] bool each_wave(Session& session, const PassCost& cost, std::span<const corpus::Pack> packs,
                             PackRange range, const std::vector<PackRange>& there,
                             const std::function<void(PackRange)>& wave);

/// Whether a checkpoint's pass would hurt to lose, and so leaves part files: it is expected to take a team
/// longer than run.part_after. Collective over the team.
[[nodiscard]] bool is_long(const Session& session, const parallel::Communicator& team, const PassCost& cost,
                           const Checkpoint& checkpoint);

/// One checkpoint's pass by a team: `forward` runs this rank's packs that no part file holds and returns
/// false when a stop was asked for before all were done; then `write` makes the file, and the part files go.
/// False when any rank was stopped. Collective.
[[nodiscard]] bool run_pass(const parallel::Communicator& team, Parts& parts, bool in_parts,
                            const std::function<bool(const std::vector<PackRange>& there)>& forward,
                            const std::function<void()>& write);

/// The axis that files of one checkpoint share: `probe_id` in the deck's order, and `tokens` of each probe.
void write_probes(store::Writer& file, const Study& study, const Text& text);

/// Does the units of a stage that has one per checkpoint (Ledger::of in the study's order) and are still to
/// be done, the anchors' first, then the longest: shares them out over teams, or with run.queue lets teams
/// take the next when they are done with one, and claims each before `work(team, checkpoint, progress)`,
/// which returns false when it was stopped. Collective. Errors as Session::pending, parallel::Counter and
/// Session::leave_if_asked.
void each_checkpoint(
    Session& session, deck::Stage stage, bool again, const std::function<PassCost(const Checkpoint&)>& cost,
    const std::function<bool(const parallel::Communicator&, std::size_t, console::Progress&)>& work);

}  // namespace incipit::command
