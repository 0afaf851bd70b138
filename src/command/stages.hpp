#pragma once

#include "command/session.hpp"

/// The stages of the main job, each collective over the session's ranks. A stage reads the files of the ones
/// before it, does those of its units that are not done, and leaves files. `again`: stale units are made
/// anew; without it they are an Error(usage).
namespace incipit::command {

/// All of them, in order.
void run_stages(Session& session, bool again);

void extract(Session& session, bool again);
/// Next-token losses of the study's checkpoints; nothing to do without extract.loss in the scope of curves.
void losses(Session& session, bool again);
/// Refuses what `losses` could not do, before anything is read: Error(data) where the probes leave nothing to
/// predict, or a checkpoint has nothing to predict with. Collective.
void refuse_lossless(const Session& session, bool again);
void train(Session& session, bool again);
void interpret(Session& session, bool again);
void match(Session& session, bool again);
/// `match`, and then how the curves move with match.tau where what they are counted from is there.
void match_and_sweep(Session& session, bool again);
void align(Session& session, bool again);
/// Nothing to do without extract.components.
void attribute(Session& session, bool again);
void track(Session& session, bool again);

}  // namespace incipit::command
