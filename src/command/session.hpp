#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "command/closing.hpp"
#include "command/ledger.hpp"
#include "command/stop.hpp"
#include "command/study.hpp"
#include "console/console.hpp"
#include "console/timing.hpp"
#include "deck/deck.hpp"
#include "device/device.hpp"
#include "emergence/file.hpp"
#include "parallel/communicator.hpp"
#include "plan/rates.hpp"
#include "plan/teams.hpp"
#include "store/lock.hpp"

namespace incipit::command {

/// What all stages of one job share: the ranks, the deck and what it means, the device, the console.
struct Session {
  Session(const parallel::Communicator& ranks, deck::Deck a_deck, int rank, bool quiet = false)
      : world(ranks), deck(std::move(a_deck)), console(rank, quiet) {}

  const parallel::Communicator& world;
  deck::Deck deck;
  console::Console console;
  console::Timing timing;
  std::unique_ptr<Stop> stop;
  std::unique_ptr<device::Device> device;
  int threads = 1;
  plan::Rates rates;                      ///< what a rank of this machine is taken to do
  std::vector<int> nodes;                 ///< of every rank, numbered
  std::uint64_t memory = 0;               ///< bytes this rank may use
  std::uint64_t wave_limit = UINT64_MAX;  ///< bytes of a wave of several packs, once one ran out of memory
  std::int64_t shrunken_waves = 0;        ///< how often that happened on this rank since it was told
  Study study;
  RunFacts facts;  ///< what the end of the log says beside the times; this rank's part until then
  std::vector<std::vector<plan::Pass>> passes;     ///< over checkpoints, of each stage that made some
  std::vector<emergence::AuditEntry> audit;        ///< every checkpoint's verdict; empty without an audit
  std::map<std::string, std::string> file_hashes;  ///< of the files that the audit read, by path
  std::unique_ptr<Ledger> ledger;
  bool drops = false;                          ///< whether activations go as soon as the curves have them
  std::set<const Unit*> let_go;                ///< activations that are not made again where they are missing
  std::optional<store::FileLock> output_lock;  ///< on deck.ini, by the first of the jobs that share an output

  /// What every output file of this job begins with.
  [[nodiscard]] store::Header header(const Unit& unit) const;

  /// Which of a stage's units are still to be done; what is let go counts as done. Collective; rank 0 looks.
  /// With `again`, stale ones are to be done too; without, they are an Error(usage) that names them and why
  /// they are stale.
  [[nodiscard]] std::vector<bool> pending(deck::Stage stage, bool again) const;

  /// Error(usage) naming the subcommand to run first unless all these units are done. Collective.
  void require(const std::vector<const Unit*>& units) const;

  /// Ends the job with Error(again) on every rank if some rank was asked to stop. `kept`: what of the work
  /// that was under way. Collective.
  void leave_if_asked(const std::string& kept = {}) const;
  /// The same for this rank alone, under an agreement.
  void throw_if_asked(const std::string& kept = {}) const;
};

/// Reads the deck, finds everything, makes the output folder, prints what will be done. Collective; all
/// errors are agreed. `plan` lists what is made for the scope `curves`, once the audit has left out what it
/// has to. A quiet session speaks to its log alone.
std::unique_ptr<Session> open_session(
    const parallel::Communicator& world, const deck::Deck& deck, const std::string& subcommand,
    Scope scope = Scope::curves, const std::function<void(Study&, const deck::Deck&)>& plan = plan_trails,
    bool quiet = false);

/// Prints where the time went, at the end of a job. Collective.
void close_session(Session& session);

}  // namespace incipit::command
