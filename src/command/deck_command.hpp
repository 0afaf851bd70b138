#pragma once

#include <optional>
#include <string>
#include <vector>

#include "deck/deck.hpp"
#include "parallel/communicator.hpp"

namespace incipit::command {

/// The deck that the words behind a subcommand name: `DECK [--section.key=value ...]`. Nothing when they ask
/// for help, which is then printed: `about`, then all keys. Error usage when no deck, or more than one, is
/// named.
std::optional<deck::Deck> read_deck(const parallel::Communicator& world,
                                    const std::vector<std::string>& words, const std::string& about = {});

}  // namespace incipit::command
