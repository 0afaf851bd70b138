#include "phantom/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "error.hpp"
#include "index.hpp"
#include "random.hpp"

namespace incipit::phantom {
namespace {

constexpr int64_t rise = 4;         ///< steps over which a gradual birth goes
constexpr int64_t latest = 5;       ///< the last place of a first step that knows a subject
constexpr int64_t still_after = 3;  ///< steps behind the last dip, so that the end is what it was
constexpr int64_t narrower = 8, shallowest = 3;

std::vector<int64_t> draw_steps(const Options& options) {
  std::vector<int64_t> steps;
  const double end = std::log2(1.0 + static_cast<double>(options.last));
  for (int64_t i = 0; i < options.steps; ++i) {
    const double place = end * static_cast<double>(i) / static_cast<double>(options.steps - 1);
    const auto step = static_cast<int64_t>(std::llround(std::exp2(place) - 1.0));
    steps.push_back(steps.empty() ? step : std::max(step, steps.back() + 1));
  }
  return steps;
}

std::vector<ModelPlan> draw_models(const Options& options) {
  std::vector<ModelPlan> models;
  for (int64_t m = 0; m < options.models; ++m) {
    const int64_t below = options.models - 1 - m;
    const int64_t d = options.width - narrower * below;
    models.push_back({fmt::format("phantom-{}", d), d, std::max(shallowest, options.layers - below)});
  }
  return models;
}

/// Terms known at each step: a share that rises evenly along log2(1 + step), which the steps are even in.
std::vector<int64_t> draw_known(const Options& options, int64_t first, bool sudden, Random& random) {
  const double shift = sudden ? 0 : 0.5 * (random.uniform() - 0.5);
  std::vector<int64_t> known;
  for (int64_t i = 0; i < options.steps; ++i) {
    const double share = i < first ? 0
                         : sudden  ? 1
                                   : (static_cast<double>(i - first + 1) + shift) / static_cast<double>(rise);
    known.push_back(std::llround(std::clamp(share, 0.0, 1.0) * static_cast<double>(options.terms)));
  }
  return known;
}

SubjectPlan draw_subject(const Options& options, Random& random) {
  SubjectPlan subject;
  subject.exists = true;
  subject.sudden = random.below(2) == 0;
  subject.model = static_cast<int64_t>(random.below(static_cast<uint64_t>(options.models)));
  subject.layer = static_cast<int64_t>(random.below(3));
  const int64_t first = 1 + static_cast<int64_t>(random.below(static_cast<uint64_t>(latest)));
  subject.known = draw_known(options, first, subject.sudden, random);
  return subject;
}

/// Where dips may lie along an axis, and where some do already.
struct Room {
  int64_t settled;  ///< the first place at which all subjects are there
  int64_t last;     ///< of a dip
  std::vector<Dip> taken = {};

  /// Whether a dip lies apart from the first so many others.
  [[nodiscard]] bool apart(const Dip& dip, std::size_t others) const {
    return std::none_of(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(others),
                        [&](const Dip& other) { return dip.first <= other.last && other.first <= dip.last; });
  }
};

/// One or two places from `first` on, apart from all other dips if there is room, else from the first of
/// them. That is the one that turns: it does so where all else is as at the end, since an alignment needs the
/// others.
Dip draw_dip(State state, int64_t first, Room& room, Random& random) {
  const int64_t from = state == State::turned ? std::max(first, std::min(room.settled, room.last)) : first;
  std::vector<Dip> choice;
  for (std::size_t others :
       {room.taken.size(), std::min<std::size_t>(1, room.taken.size()), std::size_t{0}}) {
    for (int64_t begin = from; begin <= room.last; ++begin)
      for (int64_t end = begin; end <= std::min(begin + 1, room.last); ++end)
        if (const Dip dip{state, begin, end}; room.apart(dip, others)) choice.push_back(dip);
    if (!choice.empty()) break;
  }
  room.taken.push_back(choice.at(random.below(choice.size())));
  return room.taken.back();
}

int64_t full_from(const SubjectPlan& subject) {
  return std::ranges::find(subject.known, subject.known.back()) - subject.known.begin();
}

/// The first place at which at least half of the final share is known.
int64_t half_from(const SubjectPlan& subject) {
  const auto half =
      std::ranges::find_if(subject.known, [&](int64_t n) { return 2 * n >= subject.known.back(); });
  return half - subject.known.begin();
}

/// The first place at which a dip leaves the onset what it is, which the two places behind it have to keep
/// (science §9).
int64_t dip_from(const SubjectPlan& subject) {
  return std::max(full_from(subject) + 1, half_from(subject) + 3);
}

/// One dip of each kind over time and over layers, each for a subject of its own.
void draw_dips(Plan& plan, const std::vector<int64_t>& planted, Random& random) {
  constexpr std::array kinds = {State::turned, State::outvoted, State::rescaled, State::absent};
  const Options& options = plan.options;
  Room steps{0, options.steps - 1 - still_after}, layers{0, options.layers - 2};
  for (const int64_t c : planted) {
    steps.settled = std::max(steps.settled, full_from(plan.subject[at(c)]));
    layers.settled = std::max(layers.settled, plan.subject[at(c)].layer);
  }
  const auto n = static_cast<int64_t>(planted.size());
  const auto over_time = permutation(n, random), over_layers = permutation(n, random);
  for (std::size_t k = 0; k < std::min(kinds.size(), planted.size()); ++k) {
    SubjectPlan& in_time = plan.subject[at(planted[at(over_time[k])])];
    in_time.time = draw_dip(kinds[k], dip_from(in_time), steps, random);
    SubjectPlan& in_space = plan.subject[at(planted[at(over_layers[k])])];
    in_space.space = draw_dip(kinds[k], in_space.layer + 1, layers, random);
  }
}

void check(const Options& o) {
  const auto need = [](bool right, const std::string& what) {
    if (!right) throw Error(Exit::usage, "phantom: " + what);
  };
  const auto at_least = [&](const char* name, int64_t value, int64_t least) {
    need(value >= least, fmt::format("--{}={}: expected at least {}", name, value, least));
  };
  at_least("models", o.models, 1);
  at_least("layers", o.layers, 5);
  at_least("steps", o.steps, latest + rise + 2 + still_after);
  at_least("subjects", o.subjects, 2);
  at_least("never", o.never, 0);
  at_least("terms", o.terms, 4);
  at_least("probes", o.probes, 1);
  at_least("nuisances", o.nuisances, 1);
  need(o.never <= o.subjects,
       fmt::format("--never={}: there are {} subjects (--subjects)", o.never, o.subjects));
  need(o.last >= o.steps - 1,
       fmt::format("--last={}: {} steps (--steps) end at {} at least", o.last, o.steps, o.steps - 1));
  need(o.width % narrower == 0,
       fmt::format("--width={}: expected a multiple of {}, which is the size of a head", o.width, narrower));
  // Beside codes: what layer norm takes away, the constant, each planted subject's direction and, for at most
  // two of them, another to turn to.
  const int64_t planted = o.subjects - o.never;
  const int64_t needed =
      2 + code_dimensions + filler_dimensions + o.nuisances + planted + std::min<int64_t>(2, planted);
  const int64_t smallest = o.width - narrower * (o.models - 1);
  need(smallest >= needed,
       fmt::format("--width={}: the smallest of {} models would be {} wide, but {} subjects and {} nuisances "
                   "need {}; expected a width of {} at least",
                   o.width, o.models, smallest, planted, o.nuisances, needed,
                   (needed + narrower - 1) / narrower * narrower + narrower * (o.models - 1)));
}

}  // namespace

int64_t Plan::known(std::size_t m, std::size_t s, std::size_t c) const {
  const SubjectPlan& plan = subject.at(c);
  return plan.exists && static_cast<int64_t>(m) >= plan.model ? plan.known.at(s) : 0;
}

State Plan::state(std::size_t m, std::size_t s, int64_t layer, std::size_t c) const {
  const SubjectPlan& plan = subject.at(c);
  // Layers of other models are those of the reference at the same depth.
  const int64_t depth = model.at(m).layers;
  const int64_t place = (2 * layer * options.layers + depth) / (2 * depth);
  if (known(m, s, c) == 0 || place < plan.layer) return State::absent;
  const auto within = [](const std::optional<Dip>& dip, int64_t point) {
    return dip && dip->first <= point && point <= dip->last;
  };
  if (within(plan.time, static_cast<int64_t>(s))) return plan.time->state;
  return within(plan.space, place) ? plan.space->state : State::plain;
}

double Plan::share(std::size_t m, std::size_t s, int64_t layer, std::size_t c) const {
  if (state(m, s, layer, c) != State::plain) return 0;
  return static_cast<double>(known(m, s, c)) / static_cast<double>(options.terms);
}

std::size_t Plan::onset(std::size_t c) const {
  return static_cast<std::size_t>(half_from(subject.at(c)));
}

Plan draw_plan(const Options& options) {
  check(options);
  Plan plan{options, draw_steps(options), draw_models(options), {}};
  Random random(options.seed, Purpose::phantom_plan, 0);
  plan.subject.resize(at(options.subjects));
  auto order = permutation(options.subjects, random);
  order.resize(at(options.subjects - options.never));
  std::ranges::sort(order);
  for (const int64_t c : order) plan.subject[at(c)] = draw_subject(options, random);
  draw_dips(plan, order, random);
  return plan;
}

}  // namespace incipit::phantom
