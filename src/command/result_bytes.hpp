#pragma once

#include "command/study.hpp"
#include "deck/deck.hpp"

/// How large the files of results become, from the shapes of docs/schema.md: for who wants to know before
/// they are there.
namespace incipit::command {

/// Of activations/MODEL/stepN.h5.
[[nodiscard]] double activation_bytes(const deck::Deck& deck, const Study& study,
                                      const Checkpoint& checkpoint);
/// Of sae/NAME.h5: encoders, decoders and biases of all its seeds.
[[nodiscard]] double dictionary_bytes(const deck::Deck& deck, const Study& study,
                                      const Dictionary& dictionary);
/// Of align/NAME.h5, where no map is cut.
[[nodiscard]] double maps_bytes(const Study& study, const Maps& maps);

}  // namespace incipit::command
