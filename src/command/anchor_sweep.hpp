#pragma once

#include <string>

#include "command/session.hpp"
#include "emergence/anchor_sweep.hpp"

namespace incipit::command {

/// Carries the dictionaries of plan_anchor_sweep along their curve. Collective.
emergence::AnchorSweep sweep_anchor(Session& session);

/// What they say, as the log shows it. `anchor`: the study's only one.
std::string anchor_sweep_tables(const emergence::AnchorSweep& sweep, const Anchor& anchor);

}  // namespace incipit::command
