#pragma once

#include <cstddef>
#include <cstdint>

#include "command/judged.hpp"
#include "command/session.hpp"
#include "emergence/ablation.hpp"

namespace incipit::command {

/// Runs an anchor's checkpoint again, with the last-token output of one component (as in
/// emergence::Attribution, not the embedding) replaced by its mean over all probes of the deck, and measures
/// the layers of the space curve from it on. The result is kept in a file; where that is there already, it is
/// read. Needs the anchor's attribution. Collective. Errors as Session::leave_if_asked, claim and Neox::run.
emergence::Ablation ablate(Session& session, std::size_t anchor, const Judged& judged,
                           std::int64_t component);

}  // namespace incipit::command
