#include "interpret/autointerp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

#include "error.hpp"
#include "index.hpp"
#include "interpret/firing.hpp"
#include "interpret/sample.hpp"
#include "nan.hpp"
#include "parallel/agree.hpp"
#include "random.hpp"

namespace incipit::interpret {
namespace {

constexpr std::size_t shown = 10;        // positives, and negatives, that a teacher is shown
constexpr std::size_t judged_half = 25;  // firing verify probes judged at most; as many silent ones
constexpr int64_t least_groups = 3;

/// Half of `count` from `near`, the rest from all of `silent` but those, in that order. Where one runs out
/// the other fills up. `near` is part of `silent`; both ascending.
std::vector<int64_t> sample_negatives(const std::vector<int64_t>& near, const std::vector<int64_t>& silent,
                                      std::size_t count, Random& random) {
  count = std::min(count, silent.size());
  std::vector<int64_t> chosen = sample(near, count / 2, random);
  std::vector<int64_t> rest;
  const std::set<int64_t> taken(chosen.begin(), chosen.end());
  std::copy_if(silent.begin(), silent.end(), std::back_inserter(rest),
               [&](int64_t probe) { return !taken.contains(probe); });
  for (const int64_t probe : sample(std::move(rest), count - chosen.size(), random)) chosen.push_back(probe);
  return chosen;
}

/// Everything about one SAE that the latents share.
struct Scene {
  const corpus::Probes& probes;
  const sae::Sae& sae;
  const InterpretOptions& options;
  uint64_t seed;
  FiringIndex fit, verify;
};

/// The nearest latents in order, until they fire on enough fit probes to draw every negative from.
std::vector<int64_t> neighbours(const Scene& scene, int64_t latent) {
  std::vector<int64_t> chosen;
  std::size_t firing = 0;
  for (const int64_t other : nearest_latents(scene.sae, latent)) {
    if (firing >= 2 * judged_half) break;
    if (scene.fit.of(other).empty()) continue;
    chosen.push_back(other);
    firing = scene.fit.fired_by_others(latent, chosen).size();
  }
  return chosen;
}

/// One probe of each of ten equal slices of the activations, the strongest slice first; within a slice a
/// random one, of a group not shown yet if there is one.
std::vector<Shown> choose_positives(const Scene& scene, int64_t latent, Random& random) {
  std::vector<Firing> firing = scene.fit.of(latent);
  std::stable_sort(firing.begin(), firing.end(),
                   [](const Firing& a, const Firing& b) { return a.activation > b.activation; });
  const std::size_t slices = std::min(shown, firing.size());
  std::set<int32_t> groups;
  std::vector<Shown> positives;
  for (std::size_t s = 0; s < slices; ++s) {
    const std::size_t begin = s * firing.size() / slices, end = (s + 1) * firing.size() / slices;
    std::vector<int64_t> fresh, all;
    for (std::size_t i = begin; i < end; ++i) {
      all.push_back(static_cast<int64_t>(i));
      if (!groups.contains(scene.probes.group[at(firing[i].probe)])) fresh.push_back(static_cast<int64_t>(i));
    }
    const Firing& one = firing[at(sample(fresh.empty() ? all : fresh, 1, random).front())];
    groups.insert(scene.probes.group[at(one.probe)]);
    positives.push_back({one.probe, scene.probes.all[at(one.probe)].text, one.activation});
  }
  std::stable_sort(positives.begin(), positives.end(),
                   [](const Shown& a, const Shown& b) { return a.activation > b.activation; });
  return positives;
}

Brief make_brief(const Scene& scene, int64_t latent, const std::vector<int64_t>& others) {
  Brief brief{.latent = latent, .positives = {}, .negatives = {}, .firing = {}, .near = {}};
  for (const Firing& f : scene.fit.of(latent)) brief.firing.push_back(f.probe);
  brief.near = scene.fit.fired_by_others(latent, others);
  Random examples(scene.seed, Purpose::label_examples, static_cast<uint64_t>(latent));
  brief.positives = choose_positives(scene, latent, examples);
  Random negatives(scene.seed, Purpose::latent_negatives, static_cast<uint64_t>(latent));
  for (const int64_t probe : sample_negatives(brief.near, scene.fit.silent(latent), shown, negatives)) {
    brief.negatives.push_back({probe, scene.probes.all[at(probe)].text, 0.0});
  }
  return brief;
}

void fill_rates(const Scene& scene, int64_t latent, LatentLabel& out) {
  const std::size_t subjects = scene.probes.subjects.size();
  std::vector<double> fires(subjects), all(subjects);
  for (const int64_t probe : scene.fit.probes()) ++all[at(scene.probes.subject[at(probe)])];
  for (const Firing& f : scene.fit.of(latent)) ++fires[at(scene.probes.subject[at(f.probe)])];
  out.fire_rate_by_subject.resize(subjects);
  for (std::size_t c = 0; c < subjects; ++c)
    out.fire_rate_by_subject[c] = all[c] > 0 ? fires[c] / all[c] : nan;
  const std::size_t fit = scene.fit.probes().size();
  out.fire_rate = fit > 0 ? static_cast<double>(scene.fit.of(latent).size()) / static_cast<double>(fit) : nan;
}

int64_t count_groups(const corpus::Probes& probes, const std::vector<Firing>& firing) {
  std::set<int32_t> groups;
  for (const Firing& f : firing) groups.insert(probes.group[at(f.probe)]);
  return static_cast<int64_t>(groups.size());
}

/// The latent's label before anything is asked.
LatentLabel blank(const Scene& scene, int64_t latent) {
  LatentLabel out;
  out.latent = latent;
  out.f1 = out.f1_low = out.precision = out.precision_at_rate = out.recall = out.balanced_accuracy = nan;
  out.f1_always_yes = out.f1_coin = nan;
  out.support = static_cast<int64_t>(scene.verify.of(latent).size());
  out.groups = count_groups(scene.probes, scene.verify.of(latent));
  fill_rates(scene, latent, out);
  const int64_t silent = static_cast<int64_t>(scene.verify.probes().size()) - out.support;
  const int64_t least = std::max<int64_t>(scene.options.min_support, 1);
  if (scene.fit.of(latent).empty()) {
    out.status = Status::dead;
  } else if (out.support < least || out.groups < least_groups || silent < least) {
    out.status = Status::unsupported;
  } else {
    out.status = Status::uninterpretable;
  }
  return out;
}

/// Draws the verify probes to judge; their verdicts come later.
void choose_judged(const Scene& scene, const std::vector<int64_t>& others, LatentLabel& out) {
  Random random(scene.seed, Purpose::label_verification, static_cast<uint64_t>(out.latent));
  std::vector<int64_t> firing;
  for (const Firing& f : scene.verify.of(out.latent)) firing.push_back(f.probe);
  const std::vector<int64_t> near = scene.verify.fired_by_others(out.latent, others);
  const std::vector<int64_t> yes = sample(firing, judged_half, random);
  const std::vector<int64_t> no = sample_negatives(near, scene.verify.silent(out.latent), yes.size(), random);
  for (const int64_t probe : yes) out.judgements.push_back({probe, true, false, {Answer::unparsed, nan}});
  for (const int64_t probe : no) {
    const bool is_near = std::binary_search(near.begin(), near.end(), probe);
    out.judgements.push_back({probe, false, is_near, {Answer::unparsed, nan}});
  }
  // In the deck's order, so that the order of the texts gives nothing away.
  std::sort(out.judgements.begin(), out.judgements.end(),
            [](const Judgement& a, const Judgement& b) { return a.probe < b.probe; });
}

bool said_yes(const Judgement& j) {
  // An answer that cannot be read counts as wrong.
  if (j.verdict.answer == Answer::unparsed) return !j.fires;
  return j.verdict.answer == Answer::yes;
}

Tally tally(std::span<const Judgement> judgements) {
  Tally t;
  for (const Judgement& j : judgements) {
    ++(j.fires ? (said_yes(j) ? t.true_yes : t.false_no) : (said_yes(j) ? t.false_yes : t.true_no));
  }
  return t;
}

/// Share of all silent verify probes that would be answered yes. Half of those judged were drawn from the
/// near ones, which are rarer than that, so the near and the other ones are weighted by how many there are.
double false_yes_rate(const Scene& scene, const std::vector<int64_t>& others, const LatentLabel& label) {
  double yes[2] = {0, 0}, asked[2] = {0, 0};
  for (const Judgement& j : label.judgements) {
    if (j.fires) continue;
    asked[j.near] += 1;
    yes[j.near] += said_yes(j);
  }
  const auto near = static_cast<double>(scene.verify.fired_by_others(label.latent, others).size());
  const double far = static_cast<double>(scene.verify.silent(label.latent).size()) - near;
  if (asked[0] == 0) return yes[1] / asked[1];
  if (asked[1] == 0) return yes[0] / asked[0];
  return (far * yes[0] / asked[0] + near * yes[1] / asked[1]) / (far + near);
}

void score(const Scene& scene, const std::vector<int64_t>& others, LatentLabel& out) {
  const Tally t = tally(out.judgements);
  std::set<int32_t> groups;
  for (const Judgement& j : out.judgements) {
    out.unparsed += j.verdict.answer == Answer::unparsed;
    if (j.fires || said_yes(j)) groups.insert(scene.probes.group[at(j.probe)]);
  }
  out.f1 = f1(t);
  out.f1_low = f1_low(t, static_cast<int64_t>(groups.size()));
  out.precision = precision(t);
  out.recall = recall(t);
  out.balanced_accuracy = balanced_accuracy(t);
  const double rate = static_cast<double>(out.support) / static_cast<double>(scene.verify.probes().size());
  out.precision_at_rate = precision_at_rate(out.recall, false_yes_rate(scene, others, out), rate);
  out.f1_always_yes = f1_always_yes(t.true_yes + t.false_no, t.false_yes + t.true_no);
  out.f1_coin = f1_coin(t.true_yes + t.false_no, t.false_yes + t.true_no);
  if (out.f1 >= scene.options.f1) out.status = Status::interpretable;
}

Question make_question(const corpus::Probes& probes, const Brief& brief, const LatentLabel& label) {
  Question question{&brief, label.label, {}};
  for (const Judgement& j : label.judgements) question.texts.push_back(probes.all[at(j.probe)].text);
  return question;
}

[[noreturn]] void wrong_count(const Teacher& teacher, std::size_t got, std::size_t wanted) {
  throw Error(Exit::defect, fmt::format("interpret: teacher {} gave {} answers, {} were asked",
                                        teacher.name(), got, wanted));
}

std::vector<Example> examples_of(const Brief& brief) {
  std::vector<Example> examples;
  for (const Shown& s : brief.positives) examples.push_back({s.probe, s.activation});
  for (const Shown& s : brief.negatives) examples.push_back({s.probe, 0.0});
  return examples;
}

/// One call of the teacher.
std::vector<LatentLabel> interpret_slice(Teacher& teacher, const Scene& scene, parallel::BlockRange range) {
  std::vector<LatentLabel> labels;
  std::vector<Brief> briefs;                 // of the latents that are not dead
  std::vector<std::size_t> place;            // of each brief in `labels`
  std::vector<std::vector<int64_t>> others;  // of each brief
  for (int64_t latent = range.begin; latent < range.end; ++latent) {
    labels.push_back(blank(scene, latent));
    if (labels.back().status == Status::dead) continue;
    others.push_back(neighbours(scene, latent));
    briefs.push_back(make_brief(scene, latent, others.back()));
    place.push_back(labels.size() - 1);
  }

  const std::vector<std::string> names = teacher.label(briefs);
  if (names.size() != briefs.size()) wrong_count(teacher, names.size(), briefs.size());
  std::vector<Question> questions;
  std::vector<std::size_t> asked;  // brief of each question
  for (std::size_t b = 0; b < briefs.size(); ++b) {
    LatentLabel& out = labels[place[b]];
    out.label = names[b];
    out.examples = examples_of(briefs[b]);
    if (out.status == Status::unsupported) continue;
    choose_judged(scene, others[b], out);
    questions.push_back(make_question(scene.probes, briefs[b], out));
    asked.push_back(b);
  }

  const std::vector<std::vector<Verdict>> verdicts = teacher.judge(questions);
  if (verdicts.size() != questions.size()) wrong_count(teacher, verdicts.size(), questions.size());
  for (std::size_t q = 0; q < questions.size(); ++q) {
    LatentLabel& out = labels[place[asked[q]]];
    if (verdicts[q].size() != out.judgements.size()) {
      wrong_count(teacher, verdicts[q].size(), out.judgements.size());
    }
    for (std::size_t i = 0; i < verdicts[q].size(); ++i) out.judgements[i].verdict = verdicts[q][i];
    score(scene, others[asked[q]], out);
  }
  return labels;
}

}  // namespace

std::vector<LatentLabel> interpret(Teacher& teacher, const corpus::Probes& probes, const sae::Codes& codes,
                                   const sae::Sae& sae, const InterpretOptions& options, uint64_t seed,
                                   parallel::BlockRange range, const Done& done) {
  const Scene scene{probes,
                    sae,
                    options,
                    seed,
                    FiringIndex(probes, corpus::Part::fit, codes, sae.h),
                    FiringIndex(probes, corpus::Part::verify, codes, sae.h)};
  std::vector<LatentLabel> labels;
  for (int64_t begin = range.begin; begin < range.end; begin += teacher.slice()) {
    const parallel::BlockRange slice{begin, std::min(begin + teacher.slice(), range.end)};
    for (LatentLabel& label : interpret_slice(teacher, scene, slice)) labels.push_back(std::move(label));
    if (done) done(slice.size());
  }
  return labels;
}

parallel::BlockRange latents_of(const parallel::Communicator& comm, const InterpretOptions& options,
                                int64_t latents) {
  const int asking = asking_ranks(options, comm.size());
  if (comm.rank() >= asking) return {latents, latents};
  return parallel::block_of(latents, asking, comm.rank());
}

std::vector<LatentLabel> interpret_all(const parallel::Communicator& comm, Teacher& teacher,
                                       const corpus::Probes& probes, const sae::Codes& codes,
                                       const sae::Sae& sae, const InterpretOptions& options, uint64_t seed,
                                       const Done& done) {
  const parallel::BlockRange mine = latents_of(comm, options, sae.h);
  std::vector<LatentLabel> labels;
  parallel::together(comm, "interpret",
                     [&] { labels = interpret(teacher, probes, codes, sae, options, seed, mine, done); });
  std::string packed;
  parallel::together(comm, "interpret", [&] {
    if (comm.size() > 1 && teacher.take_over())
      labels = interpret(teacher, probes, codes, sae, options, seed, mine);
    packed = pack_labels(labels);
  });
  std::vector<LatentLabel> all;
  for (const std::string& bytes : comm.all_gather(packed)) {
    for (LatentLabel& label : unpack_labels(bytes)) all.push_back(std::move(label));
  }
  return all;
}

std::vector<int8_t> interpretable(std::span<const LatentLabel> labels) {
  std::vector<int8_t> flags;
  for (const LatentLabel& label : labels) flags.push_back(label.status == Status::interpretable ? 1 : 0);
  return flags;
}

const char* status_name(Status status) {
  switch (status) {
    case Status::interpretable:
      return "interpretable";
    case Status::uninterpretable:
      return "uninterpretable";
    case Status::unsupported:
      return "unsupported";
    case Status::dead:
      return "dead";
  }
  return "unknown";
}

}  // namespace incipit::interpret
