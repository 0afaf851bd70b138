#include "command/deck_command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::command {

std::optional<deck::Deck> read_deck(const parallel::Communicator& world,
                                    const std::vector<std::string>& words, const std::string& about) {
  if (std::ranges::find(words, "--help") != words.end() || std::ranges::find(words, "-h") != words.end()) {
    if (world.root()) fmt::print("{}{}", about, deck::help());
    return std::nullopt;
  }
  std::optional<deck::Deck> deck;
  parallel::together(world, "reading the deck", [&] {
    const auto [overrides, others] = deck::part_words(words);
    if (others.empty()) throw Error(Exit::usage, "which deck? for example: incipit run inputs/nano.ini");
    if (others.size() > 1)
      throw Error(Exit::usage,
                  fmt::format("one deck at a time: found {} and {}; keys are set as --section.key=value",
                              others[0], others[1]));
    deck = deck::load(others.front(), overrides);
    parallel::set_patience(deck->run.patience);
  });
  return deck;
}

}  // namespace incipit::command
