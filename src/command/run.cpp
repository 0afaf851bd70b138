#include <fmt/format.h>

#include <algorithm>

#include "command/command.hpp"
#include "command/deck_command.hpp"
#include "command/let_go.hpp"
#include "command/parts.hpp"
#include "command/results.hpp"
#include "command/stages.hpp"
#include "interpret/teacher.hpp"
#include "parallel/agree.hpp"

namespace incipit::command {
namespace {

using deck::Stage;

/// Refuses before any work is done, rather than at three in the morning.
void refuse_stale(const Session& session) {
  for (auto stage : {Stage::extract, Stage::loss, Stage::train, Stage::interpret, Stage::match, Stage::align,
                     Stage::attribute, Stage::track})
    static_cast<void>(session.pending(stage, session.deck.run.redo));
}

/// A teacher that cannot be had is missed hours later.
void refuse_teacher(const Session& session) {
  const auto pending = session.pending(Stage::interpret, true);
  if (std::ranges::find(pending, true) == pending.end()) return;
  parallel::together(session.world, "", [&] {
    if (session.world.root()) interpret::check_teacher(session.deck.interpret, session.deck.run.output);
  });
}

/// Of jobs beside this one that were killed; there is nothing left that they could go on with.
void drop_parts(const Session& session) {
  if (!session.world.root()) return;
  for (auto stage : {Stage::extract, Stage::loss, Stage::train, Stage::track})
    for (const auto* unit : session.ledger->of(stage)) remove_parts(session.deck.run.output, *unit);
}

}  // namespace

void run_stages(Session& session, bool again) {
  refuse_stale(session);  // stage by stage, so that the first that differs is named
  if (!session.pending(Stage::track, again).front()) {
    session.console.line("everything is there already: nothing to do");
    return;
  }
  refuse_teacher(session);
  refuse_lossless(session, again);
  session.drops = !session.deck.run.keep_activations;
  if (session.drops) session.let_go = nobody_reads(session, again);
  extract(session, again);
  losses(session, again);
  train(session, again);
  interpret(session, again);
  match(session, again);
  align(session, again);
  attribute(session, again);
  track(session, again);
  drop_parts(session);
  if (session.drops && session.world.root()) drop_activations(session);
}

void run(const parallel::Communicator& world, const std::vector<std::string>& words) {
  const auto deck = read_deck(world, words);
  if (!deck) return;
  const auto session = open_session(world, *deck, "run");
  run_stages(*session, deck->run.redo);
  const auto file = session->ledger->emergence().path;
  if (world.root()) session->console.block(results_table(file));
  close_session(*session);
  session->console.line("\nresults   {}\nfigures   python3 -m analysis report {}", file.string(),
                        file.string());
}

}  // namespace incipit::command
