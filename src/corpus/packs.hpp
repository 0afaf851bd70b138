#pragma once

#include <cstdint>
#include <vector>

#include "corpus/probes.hpp"
#include "corpus/tokenizer.hpp"

namespace incipit::corpus {

/// Tokens of every probe, in the deck's order.
struct Tokenized {
  std::vector<std::vector<int32_t>> tokens;  ///< [probe]; empty: beyond the context and dropped
  int64_t dropped = 0;                       ///< probes left out by long = drop
  int64_t cut = 0;                           ///< probes that lost their beginning by long = left
};

/// Probes that run together, without padding.
struct Pack {
  std::vector<int64_t> probes;  ///< indices into Probes::all
  std::vector<int32_t> tokens;  ///< of all probes, one after the other
  std::vector<int64_t> starts;  ///< [probes + 1] where each probe's tokens begin, and the end
};

/// Tokens of all probes. `context` is the most tokens that every model takes (the BOS token included).
/// Error usage for an unknown `probes.long`; Error data for a text without tokens (naming id and line), for
/// a text beyond the context under long = error, and for a subject of which long = drop leaves nothing.
[[nodiscard]] Tokenized tokenize(const Probes& probes, const Tokenizer& tokenizer,
                                 const ProbeOptions& options, int64_t context);

/// Cuts the probes, sorted by length (ties in the deck's order), into packs of at most pack_tokens tokens:
/// a function of the deck alone. Dropped probes are in no pack. Error usage when one text is longer.
[[nodiscard]] std::vector<Pack> make_packs(const Tokenized& tokenized, int64_t pack_tokens);

}  // namespace incipit::corpus
