#include "interpret/sheet.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "error.hpp"
#include "index.hpp"
#include "interpret/sample.hpp"
#include "random.hpp"
#include "store/hash.hpp"

namespace incipit::interpret {
namespace {

using Candidates = std::vector<const Candidate*>;

void check_sheet_options(const SheetOptions& options) {
  const auto refuse_option = [](const char* name, int64_t found, const char* expected) {
    throw Error(Exit::usage, fmt::format("sheet: --{}={}; expected {}", name, found, expected));
  };
  if (options.latents < 2) refuse_option("latents", options.latents, "2 or more");
  if (options.texts < 2 || options.texts % 2 != 0)
    refuse_option("texts", options.texts, "an even number from 2 on: half of a card's texts fire the latent");
  if (options.decoys < 0) refuse_option("decoys", options.decoys, "0 or more");
}

/// Places in `judged` of the texts on which the latent fires, or of the others.
std::vector<int64_t> judged_places(const Candidate& candidate, bool fires) {
  std::vector<int64_t> found;
  for (std::size_t i = 0; i < candidate.judged.size(); ++i)
    if (candidate.judged[i].fires == fires) found.push_back(static_cast<int64_t>(i));
  return found;
}

Candidates enough_judged(std::span<const Candidate> candidates, const SheetOptions& options) {
  const std::size_t half = at(options.texts / 2);
  Candidates found;
  for (const Candidate& c : candidates)
    if (judged_places(c, true).size() >= half && judged_places(c, false).size() >= half) found.push_back(&c);
  if (found.size() >= 2) return found;
  throw Error(
      Exit::data,
      fmt::format(
          "sheet: {} interpretable latents of anchor {} have {} judged texts on which they fire and as "
          "many on which they do not; at least 2 are needed ({} are interpretable). Ask for fewer "
          "--texts, or make more latents interpretable (interpret.f1, more probes)",
          found.size(), options.anchor, half, candidates.size()));
}

template <class T>
void shuffle_all(std::vector<T>& values, Random& random) {
  for (std::size_t left = values.size(); left > 1; --left)
    std::swap(values[left - 1], values[random.below(left)]);
}

/// In turn from every subject, subjects in random order, so that the first `count` are spread evenly.
Candidates draw_latents(const Candidates& from, int64_t count, Random& random) {
  std::map<std::string, Candidates> by_subject;
  for (const Candidate* c : from) by_subject[c->subject].push_back(c);
  std::vector<Candidates> strata;
  for (auto& [subject, members] : by_subject) {
    shuffle_all(members, random);
    strata.push_back(members);
  }
  shuffle_all(strata, random);
  Candidates drawn;
  for (std::size_t turn = 0; drawn.size() < std::min(at(count), from.size()); ++turn)
    for (const Candidates& members : strata)
      if (turn < members.size() && drawn.size() < at(count)) drawn.push_back(members[turn]);
  return drawn;
}

/// Cosine of the similarities to the subjects; 0 where one has none.
double likeness(const Candidate& a, const Candidate& b) {
  const auto dot = [](const std::vector<double>& x, const std::vector<double>& y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  const double norms = std::sqrt(dot(a.similarity, a.similarity) * dot(b.similarity, b.similarity));
  return norms > 0 ? dot(a.similarity, b.similarity) / norms : 0;
}

/// The latents whose labels are false for `own`: of another subject if there are any such, the less alike
/// half.
Candidates far_from(const Candidate& own, const Candidates& from) {
  Candidates others, foreign;
  for (const Candidate* c : from) {
    if (c->label == own.label) continue;
    others.push_back(c);
    if (c->subject != own.subject) foreign.push_back(c);
  }
  Candidates& far = foreign.empty() ? others : foreign;
  std::stable_sort(far.begin(), far.end(), [&](const Candidate* a, const Candidate* b) {
    return likeness(own, *a) < likeness(own, *b);
  });
  far.resize((far.size() + 1) / 2);
  return far;
}

/// Probes on which a latent is known to fire.
std::set<int64_t> fires_on(const Candidate& candidate) {
  std::set<int64_t> probes;
  for (const JudgedText& text : candidate.judged)
    if (text.fires) probes.insert(text.probe);
  return probes;
}

/// Deals out a latent's judged texts, those not shown yet first.
class Texts {
 public:
  Texts(const Candidate& candidate, Random random) : candidate_(candidate), random_(random) {}

  /// Half of them firing, none of `except` unless there are no others, in random order.
  std::vector<JudgedText> take(std::size_t half, const std::set<int64_t>& except) {
    std::vector<int64_t> chosen;
    for (const bool fires : {true, false}) {
      std::vector<int64_t> of_kind = judged_places(candidate_, fires);
      shuffle_all(of_kind, random_);
      std::stable_sort(of_kind.begin(), of_kind.end(),
                       [&](int64_t a, int64_t b) { return reluctance(a, except) < reluctance(b, except); });
      chosen.insert(chosen.end(), of_kind.begin(), of_kind.begin() + static_cast<std::ptrdiff_t>(half));
    }
    shuffle_all(chosen, random_);
    std::vector<JudgedText> texts;
    for (const int64_t place : chosen) {
      shown_.insert(place);
      texts.push_back(candidate_.judged[at(place)]);
    }
    return texts;
  }

 private:
  [[nodiscard]] int reluctance(int64_t place, const std::set<int64_t>& except) const {
    return (except.contains(candidate_.judged[at(place)].probe) ? 2 : 0) + (shown_.contains(place) ? 1 : 0);
  }

  const Candidate& candidate_;
  Random random_;
  std::set<int64_t> shown_;
};

void add_cards(const Candidate& own, const Candidates& from, const SheetOptions& options,
               std::vector<Card>& cards) {
  const auto index = static_cast<uint64_t>(own.latent);
  Texts texts(own, Random(options.seed, Purpose::sheet_texts, index));
  const std::size_t half = at(options.texts / 2);
  cards.push_back({own.latent, own.latent, own.label, own.subject, texts.take(half, {})});
  Candidates far = far_from(own, from);
  if (far.empty() && options.decoys > 0)
    throw Error(Exit::data,
                fmt::format("sheet: all interpretable latents of anchor {} bear the label '{}', so there is "
                            "no false one to show; ask for --decoys=0",
                            options.anchor, own.label));
  Random random(options.seed, Purpose::sheet_decoys, index);
  shuffle_all(far, random);
  far.resize(std::min(far.size(), at(options.decoys)));
  for (const Candidate* other : far) {
    cards.push_back(
        {own.latent, other->latent, other->label, own.subject, texts.take(half, fires_on(*other))});
    for (JudgedText& text : cards.back().items) text.teacher = Said::not_asked;
  }
}

}  // namespace

Sheet draw_sheet(std::span<const Candidate> candidates, const SheetOptions& options,
                 const std::string& made_from) {
  check_sheet_options(options);
  if (candidates.empty())
    throw Error(Exit::data,
                fmt::format("sheet: anchor {} has no interpretable latent, so there is no label to check "
                            "(interpret.f1 is the bound that labels must reach)",
                            options.anchor));
  const Candidates all = enough_judged(candidates, options);
  Random random(options.seed, Purpose::sheet, 0);
  Sheet sheet;
  sheet.anchor = options.anchor;
  for (const Candidate* own : draw_latents(all, options.latents, random))
    add_cards(*own, all, options, sheet.cards);
  shuffle_all(sheet.cards, random);
  // A letter first, or a spreadsheet may take an id of digits for a number.
  sheet.id =
      "s" + store::sha256(fmt::format("incipit sheet 1\n{}\n{} {} {} {} {}\n", made_from, options.anchor,
                                      options.latents, options.texts, options.decoys, options.seed))
                .substr(0, 15);
  return sheet;
}

}  // namespace incipit::interpret
