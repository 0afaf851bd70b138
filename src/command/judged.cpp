#include "command/judged.hpp"

#include "command/activations.hpp"
#include "sae/file.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

std::vector<std::string> texts_of(const corpus::Probes& probes, const std::vector<std::int64_t>& which) {
  std::vector<std::string> texts;
  for (const auto i : which) texts.push_back(probes.all[static_cast<std::size_t>(i)].text);
  return texts;
}

}  // namespace

Judged::Judged(const Session& session, const emergence::TrackOptions& draws)
    : probes(session.study.probes.of(corpus::Part::judge)), texts(texts_of(session.study.probes, probes)) {
  const auto& all = session.study.probes;
  // Questions give themselves away by length and punctuation, so the null exchanges like with like (science
  // §5).
  const bool questions = session.deck.probes.format != "jsonl";
  set = emergence::make_judge_set(
      static_cast<std::int32_t>(all.subjects.size()), chosen(all.subject, probes), chosen(all.group, probes),
      all.group_subject, questions ? emergence::question_strata(texts) : std::vector<std::int32_t>{});
  resampling = emergence::make_resampling(*session.device, set, draws, session.deck.run.seed);
}

emergence::TrackOptions resamples_alone(const deck::Deck& deck) {
  return {.bootstrap = deck.track.bootstrap, .permutations = 0};
}

Bench::Bench(const Session& session)
    : Judged(session, session.deck.track),
      fit(session.study.probes.of(corpus::Part::fit)),
      fit_subject(chosen(session.study.probes.subject, fit)),
      fit_group(chosen(session.study.probes.group, fit)),
      judge_group(chosen(session.study.probes.group, probes)),
      fit_texts(texts_of(session.study.probes, fit)) {}

SiteRows::SiteRows(const Session& session, const Bench& bench, const Site& site) {
  const Activations file(session.ledger->activations(site).path, std::ssize(session.study.probes.all));
  fit = file.rows(site.layer, bench.fit);
  judge = file.rows(site.layer, bench.probes);
  width = file.width();
}

align::Parts SiteRows::parts() const {
  const auto view = [this](const std::vector<float>& rows) {
    return align::Rows{rows, std::ssize(rows) / width, width};
  };
  return {view(fit), view(judge)};
}

sae::Sae read_sae(const Session& session, std::size_t dictionary) {
  return sae::read_saes(store::Reader(session.ledger->sae(dictionary).path, "sae"))
      .at(session.study.dictionaries[dictionary].seed);
}

MatchedDictionary::MatchedDictionary(const Session& session, std::size_t dictionary)
    : sae(read_sae(session, dictionary)),
      match(match::read_match(session.ledger->match(dictionary).path)),
      matched(emergence::matched_of(match.matches)) {}

}  // namespace incipit::command
