#pragma once

#include <cstdint>

#include "command/study.hpp"
#include "deck/deck.hpp"
#include "plan/rates.hpp"
#include "plan/workload.hpp"

namespace incipit::command {

/// What the stages of `run` do for a deck, phase by phase as the log names them, if nothing is there yet. The
/// checkpoints' headers are enough for it. `memory`: bytes that a rank may use, by which checkpoints stream
/// past once or several times, of `ranks`. A teacher that is a language model is not counted: its
/// speed is its own. A sentence encoder is, from its folder's config and tokenizer. Error(machine): not even
/// one pack fits into the memory.
[[nodiscard]] plan::Workload workload_of(const Study& study, const deck::Deck& deck, const plan::Rates& rates,
                                         std::uint64_t memory, int ranks);

}  // namespace incipit::command
