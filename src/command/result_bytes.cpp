#include "command/result_bytes.hpp"

#include <algorithm>

#include "command/pass_cost.hpp"

namespace incipit::command {

double activation_bytes(const deck::Deck& deck, const Study& study, const Checkpoint& checkpoint) {
  const double kept = deck.extract.dtype == "float16" ? 0.5 : 1;
  return kept * static_cast<double>(study.probes.all.size() * row_bytes(deck, study, checkpoint));
}

double dictionary_bytes(const deck::Deck& deck, const Study& study, const Dictionary& dictionary) {
  const auto width = static_cast<double>(study.model(dictionary.site).config.d);
  const auto latents = static_cast<double>(sae_options(deck, dictionary).latents);
  return sizeof(float) * static_cast<double>(dictionary.seeds) * (2 * width * latents + latents);
}

double maps_bytes(const Study& study, const Maps& maps) {
  const auto width = [&](const Site& site) { return static_cast<double>(study.model(site).config.d); };
  double bytes = 0;
  for (const auto& site : maps.sites)
    bytes += sizeof(float) * (width(site) + width(maps.home)) * std::min(width(site), width(maps.home));
  return bytes;
}

}  // namespace incipit::command
