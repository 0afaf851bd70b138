#pragma once

#include <string>

#include "deck/deck.hpp"
#include "parallel/communicator.hpp"

namespace incipit::command {

/// `incipit sweep --over=CURVE`: a dictionary at each point of a curve of the anchor (an index), each carried
/// along all of it; leaves sweep/ANCHOR.over_CURVE.h5 and prints what they say. Collective.
void sweep_anchors(const parallel::Communicator& world, const deck::Deck& deck, std::size_t anchor,
                   const std::string& curve);

}  // namespace incipit::command
