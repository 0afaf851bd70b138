#include "command/judged.hpp"

#include "match/file.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"

namespace incipit::command {

Judged::Judged(const Session& session) : probes(session.study.probes.of(corpus::Part::judge)) {
  const auto& all = session.study.probes;
  std::vector<std::int32_t> subject, group;
  for (const auto i : probes) {
    subject.push_back(all.subject[static_cast<std::size_t>(i)]);
    group.push_back(all.group[static_cast<std::size_t>(i)]);
  }
  set = emergence::make_judge_set(static_cast<std::int32_t>(all.subjects.size()), subject, group,
                                  all.group_subject);
  resampling = emergence::make_resampling(*session.device, set,
                                          {.bootstrap = session.deck.track.bootstrap, .permutations = 0},
                                          session.deck.run.seed);
}

MatchedDictionary::MatchedDictionary(const Session& session, std::size_t anchor)
    : sae(sae::read_saes(store::Reader(session.ledger->sae(anchor).path, "sae")).front()) {
  const auto file = match::read_match(session.ledger->match(anchor).path);
  for (std::size_t c = 0; c < session.study.probes.subjects.size(); ++c) {
    const auto latents = file.matches.of(static_cast<std::int64_t>(c));
    matched.emplace_back(latents.begin(), latents.end());
  }
}

}  // namespace incipit::command
