#include "checkpoint/audit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "nan.hpp"

namespace incipit::checkpoint {
namespace {

/// Training goes along a path, so of three steps in order the outer two are the farthest apart. Noise of
/// equal size around a standing point makes all three distances equal; where the last of them has settled (a
/// learning rate that went down to nothing), the outer distance may be smaller than an inner one by √2. Real
/// ladders (the nano family, with warm-up, in half precision) stay below 1.0001. A late checkpoint under an
/// early name reaches 5 to 1000.
constexpr double tolerance = 1.5;

/// Distances below this share of the ladder's median are too near to tell: in warm-up steps 0, 1 and 2 differ
/// by rounding alone.
constexpr double blur = 0.01;

/// Adjacent steps whose small matrices agree by rounding do not count: in half precision a warm-up step moves
/// few elements. A matrix of a hundred thousand elements never agrees.
constexpr double least_shared = 0.01;

/// Movement grows as time to a power between ½ (noise) and 1 (drift).
constexpr double movement_exponent = 0.75;

/// The steps that can be compared, and the distances between them.
class Ladder {
 public:
  using Index = std::size_t;
  using Set = std::vector<Index>;  ///< ascending

  explicit Ladder(std::span<const LadderStep> steps) {
    for (Index i = 0; i < steps.size(); ++i)
      if (steps[i].trouble.empty() && finite(steps[i].print)) {
        steps_.push_back(&steps[i]);
        place_.push_back(i);
      }
    if (steps_.empty()) return;
    for (const TensorPrint& tensor : steps_.front()->print.tensors)
      if (tensor.matrix && everywhere(tensor)) names_.push_back(tensor.name);
    for (const std::string& name : names_) measure(name);
  }

  static bool finite(const Fingerprint& print) {
    return std::ranges::all_of(print.tensors, [](const TensorPrint& t) { return t.nonfinite == 0; });
  }

  [[nodiscard]] std::size_t size() const { return steps_.size(); }
  [[nodiscard]] std::size_t matrices() const { return names_.size(); }
  [[nodiscard]] int64_t step(Index i) const { return steps_[i]->step; }
  [[nodiscard]] const Fingerprint& print(Index i) const { return steps_[i]->print; }
  [[nodiscard]] Index place(Index i) const { return place_[i]; }
  [[nodiscard]] const TensorPrint& matrix(Index i, std::size_t m) const {
    return *steps_[i]->print.find(names_[m]);
  }
  [[nodiscard]] int64_t elements(const Set& matrices) const {
    int64_t sum = 0;
    for (const auto m : matrices) sum += matrix(0, m).elements;
    return sum;
  }
  [[nodiscard]] Set all_matrices() const {
    Set all(names_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    return all;
  }
  [[nodiscard]] Set everybody() const {
    Set all(size());
    std::iota(all.begin(), all.end(), Index{0});
    return all;
  }

  /// Root mean square over the matrices of |x_i - x_j|, in units of the matrix's typical norm. One number
  /// that moves with direction and with norm: [size, size].
  [[nodiscard]] std::vector<double> distances(const Set& matrices) const {
    std::vector<double> sum(size() * size(), 0.0);
    for (const auto m : matrices)
      for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += squared_[m][k];
    for (double& d : sum) d = std::sqrt(d / static_cast<double>(std::max<std::size_t>(matrices.size(), 1)));
    return sum;
  }

  /// Whether every vector is constant, as at initialisation: gains 1, biases 0.
  [[nodiscard]] bool untrained(Index i) const {
    bool some = false;
    for (const TensorPrint& t : print(i).tensors) {
      if (!t.weight || t.matrix || t.samples.size() < 2) continue;
      some = true;
      if (!constant(t)) return false;
    }
    return some;
  }
  static bool constant(const TensorPrint& t) {
    return std::ranges::all_of(t.samples, [&](float v) { return v == t.samples.front(); });
  }

 private:
  [[nodiscard]] bool everywhere(const TensorPrint& tensor) const {
    return std::ranges::all_of(steps_, [&](const LadderStep* step) {
      const TensorPrint* const other = step->print.find(tensor.name);
      return other != nullptr && other->matrix && other->elements == tensor.elements;
    });
  }

  void measure(const std::string& name) {
    const std::size_t n = size();
    std::vector<const std::vector<float>*> samples;
    for (const LadderStep* step : steps_) samples.push_back(&step->print.find(name)->samples);
    double typical = 0;
    for (const auto* x : samples)
      for (const float v : *x) typical += static_cast<double>(v) * static_cast<double>(v);
    typical /= static_cast<double>(n);
    std::vector<double> cells(n * n, 0.0);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < i; ++j) {
        double sum = 0;
        for (std::size_t k = 0; k < samples[i]->size(); ++k) {
          const double gap = static_cast<double>((*samples[i])[k]) - static_cast<double>((*samples[j])[k]);
          sum += gap * gap;
        }
        cells[i * n + j] = cells[j * n + i] = typical > 0 ? sum / typical : 0;
      }
    }
    squared_.push_back(std::move(cells));
  }

  std::vector<const LadderStep*> steps_;
  std::vector<Index> place_;                  ///< in the whole ladder
  std::vector<std::string> names_;            ///< matrices that all steps have
  std::vector<std::vector<double>> squared_;  ///< [matrix] [size, size]
};

using Index = Ladder::Index;
using Set = Ladder::Set;

bool holds(const Set& set, Index i) {
  return std::ranges::binary_search(set, i);
}

Set without(const Set& set, const Set& gone) {
  Set left;
  std::ranges::set_difference(set, gone, std::back_inserter(left));
  return left;
}

/// Where weights lie among others, read from distances.
class Path {
 public:
  Path(const Ladder& ladder, const Set& matrices)
      : ladder_(ladder), n_(ladder.size()), distance_(ladder.distances(matrices)) {
    floor_ = blur * typical_distance();
  }

  [[nodiscard]] double distance(Index i, Index j) const { return distance_[i * n_ + j]; }

  /// How far three steps in order are from lying on a path; 0 when they do.
  [[nodiscard]] double excess(double before, double after, double outer, double slack) const {
    const double inner = std::max(before, after);
    return inner <= floor_ ? 0 : std::max(0.0, std::log(inner / (slack * outer + floor_)));
  }

  /// Sum over all pairs of `others` of how badly the weights of step `content` fit at the place of `at`.
  [[nodiscard]] double misfit(Index content, Index at, const Set& others) const {
    double sum = 0;
    for (std::size_t x = 0; x < others.size(); ++x) {
      for (std::size_t y = x + 1; y < others.size(); ++y) {
        const Index a = others[x], b = others[y];
        const double ab = distance(a, b), ca = distance(content, a), cb = distance(content, b);
        if (at < a) {
          sum += excess(ca, ab, cb, 1);
        } else if (at < b) {
          sum += excess(ca, cb, ab, 1);
        } else {
          sum += excess(ab, cb, ca, 1);
        }
      }
    }
    return sum;
  }

  /// By how much the distances to the nearest others before and after differ from what time says they are,
  /// were the weights of `content` those of step `at`: a logarithm, 0 for a perfect place. For the last place
  /// the two before it are looked at. Nothing where there are none to look at.
  [[nodiscard]] std::optional<double> lopsided(Index content, Index at, const Set& others) const {
    const auto after = std::ranges::upper_bound(others, at);
    const auto before = static_cast<std::size_t>(after - others.begin());
    if (before == 0) return {};
    Index near = others[before - 1], far = 0;
    double near_distance = distance(content, near), far_distance = 0;
    const double near_time = time_between(near, at);
    double far_time = 0;
    if (after != others.end()) {
      far = *after;
      far_distance = distance(content, far);
      far_time = time_between(at, far);
    } else if (before >= 2) {
      far = others[before - 2];
      far_distance = distance(near, far);
      far_time = time_between(far, near);
    } else {
      return {};
    }
    if (near_distance <= floor_ && far_distance <= floor_) return {};
    return std::abs(std::log((near_distance + floor_) / (far_distance + floor_)) -
                    movement_exponent * std::log(near_time / far_time));
  }

 private:
  /// The median, which one checkpoint of garbage does not move.
  [[nodiscard]] double typical_distance() const {
    std::vector<double> positive;
    for (const double d : distance_)
      if (d > 0) positive.push_back(d);
    if (positive.empty()) return 0;
    const auto middle = positive.begin() + static_cast<std::ptrdiff_t>(positive.size() / 2);
    std::ranges::nth_element(positive, middle);
    return *middle;
  }

  [[nodiscard]] double time_between(Index a, Index b) const {
    return static_cast<double>(ladder_.step(b) - ladder_.step(a));
  }

  const Ladder& ladder_;
  std::size_t n_;
  std::vector<double> distance_;
  double floor_ = 0;
};

/// Steps that have the same bytes in some matrices.
struct Shared {
  Set steps;
  Set matrices;
};

bool adjacent(const Set& steps) {
  return steps.back() - steps.front() + 1 == steps.size();
}

/// Whether most distinct checkpoints of the ladder agree in this matrix: then it was never trained, and says
/// nothing. Two checkpoints alone cannot tell.
bool frozen(const Set& steps, const Ladder& ladder) {
  if (steps.size() < ladder.size()) return false;
  std::set<std::string> contents;
  for (Index i = 0; i < ladder.size(); ++i) {
    std::string content;
    for (std::size_t m = 0; m < ladder.matrices(); ++m) content += ladder.matrix(i, m).sha256;
    contents.insert(std::move(content));
  }
  return contents.size() >= 3;
}

/// All groups of steps that share matrices, those that share most first.
std::vector<Shared> find_shared(const Ladder& ladder) {
  std::map<Set, Set> groups;
  for (std::size_t m = 0; m < ladder.matrices(); ++m) {
    std::map<std::string, Set> by_hash;
    for (Index i = 0; i < ladder.size(); ++i) {
      const TensorPrint& print = ladder.matrix(i, m);
      if (!Ladder::constant(print)) by_hash[print.sha256].push_back(i);
    }
    for (auto& [hash, steps] : by_hash)
      if (steps.size() > 1) groups[std::move(steps)].push_back(m);
  }
  const auto least = least_shared * static_cast<double>(ladder.elements(ladder.all_matrices()));
  std::vector<Shared> found;
  for (auto& [steps, matrices] : groups) {
    if (adjacent(steps) && static_cast<double>(ladder.elements(matrices)) < least) continue;
    if (!frozen(steps, ladder)) found.push_back({steps, std::move(matrices)});
  }
  std::ranges::stable_sort(found, std::greater(),
                           [&](const Shared& s) { return ladder.elements(s.matrices); });
  return found;
}

/// Of steps with the same weights, the one to which they belong.
Index owner_of(const Shared& shared, const Ladder& ladder, const Set& wrong) {
  const Path path(ladder, shared.matrices);
  const Set others = without(without(ladder.everybody(), shared.steps), wrong);
  const Index content = shared.steps.front();
  double least = std::numeric_limits<double>::infinity();
  Set fitting;  // places that fit equally well
  for (const Index at : shared.steps) {
    const double misfit = path.misfit(content, at, others);
    const double same = 1e-9 + 1e-6 * least;
    if (misfit < least - same) fitting.clear();
    if (fitting.empty() || misfit <= least + same) fitting.push_back(at);
    least = std::min(least, misfit);
  }
  if (fitting.size() == 1) return fitting.front();
  // Order does not tell them apart. At the beginning time does not either, since warm-up bends it; but
  // weights whose vectors are all constant were never trained, and others were.
  const bool at_start = others.empty() || fitting.front() < others.front();
  if (at_start && ladder.untrained(content)) return fitting.front();
  if (at_start && ladder.step(fitting.front()) == 0) return fitting[1];
  if (others.empty()) return fitting.back();
  Index best = fitting.front();
  double straightest = std::numeric_limits<double>::infinity();
  for (const Index at : fitting) {
    const auto deviation = path.lopsided(content, at, others);
    if (deviation && *deviation < straightest) {
      straightest = *deviation;
      best = at;
    }
  }
  return best;
}

/// Of several steps that are equally much in the way, the one whose weights are farthest from where time says
/// they are.
Index most_lopsided(const Set& suspects, const Path& path, const Ladder& ladder, const Set& active) {
  const Set others = without(active, suspects);
  Index worst = suspects.front();
  double most = -1;
  for (const Index i : suspects) {
    // The first step of a run is untrained: weights that were trained cannot be its own.
    const bool impossible = ladder.step(i) == 0 && !ladder.untrained(i);
    const double deviation =
        impossible ? std::numeric_limits<double>::infinity() : path.lopsided(i, i, others).value_or(0);
    if (deviation > most) {
      most = deviation;
      worst = i;
    }
  }
  return worst;
}

/// The steps to take away so that the others lie on a path, the worst first.
Set out_of_line(const Path& path, const Ladder& ladder, Set active) {
  Set gone;
  while (true) {
    std::map<Index, double> blame;
    for (std::size_t x = 0; x < active.size(); ++x)
      for (std::size_t y = x + 1; y < active.size(); ++y)
        for (std::size_t z = y + 1; z < active.size(); ++z) {
          const Index a = active[x], b = active[y], c = active[z];
          const double e =
              path.excess(path.distance(a, b), path.distance(b, c), path.distance(a, c), tolerance);
          if (e > 0)
            for (const Index i : {a, b, c}) blame[i] += e;
        }
    if (blame.empty()) return gone;
    const double most = std::ranges::max_element(blame, {}, [](const auto& b) { return b.second; })->second;
    Set suspects;
    for (const auto& [i, sum] : blame)
      if (sum >= 0.9 * most) suspects.push_back(i);
    const Index worst = most_lopsided(suspects, path, ladder, active);
    gone.push_back(worst);
    active = without(active, {worst});
  }
}

/// Cosine of all weights of two steps, each tensor's samples standing for all its elements.
double cosine(const Fingerprint& a, const Fingerprint& b) {
  double dot = 0, aa = 0, bb = 0;
  for (const TensorPrint& x : a.tensors) {
    const TensorPrint* const y = b.find(x.name);
    if (!x.weight || y == nullptr || y->samples.size() != x.samples.size() || x.samples.empty()) continue;
    const double each = static_cast<double>(x.elements) / static_cast<double>(x.samples.size());
    for (std::size_t k = 0; k < x.samples.size(); ++k) {
      const auto u = static_cast<double>(x.samples[k]), v = static_cast<double>(y->samples[k]);
      dot += each * u * v;
      aa += each * u * u;
      bb += each * v * v;
    }
  }
  return aa > 0 && bb > 0 ? dot / std::sqrt(aa * bb) : nan;
}

double norm(const Fingerprint& print) {
  double squares = 0;
  for (const TensorPrint& tensor : print.tensors) squares += tensor.norm * tensor.norm;
  return std::sqrt(squares);
}

/// The whole audit of one ladder.
class Auditor {
 public:
  explicit Auditor(std::span<const LadderStep> steps) : steps_(steps), ladder_(steps) {
    for (const LadderStep& step : steps) verdicts_.push_back(describe(step));
  }

  std::vector<Verdict> run() {
    compare_shared();
    compare_paths();
    add_cosines();
    return std::move(verdicts_);
  }

 private:
  static Verdict describe(const LadderStep& step) {
    Verdict verdict;
    verdict.step = step.step;
    verdict.cosine_first = verdict.cosine_before = verdict.cosine_after = nan;
    if (!step.trouble.empty()) {
      verdict.status = "unreadable";
      verdict.reason = step.trouble;
      verdict.norm = nan;
      return verdict;
    }
    verdict.norm = norm(step.print);
    std::string first;
    for (const TensorPrint& tensor : step.print.tensors) {
      verdict.nonfinite += tensor.nonfinite;
      if (tensor.nonfinite > 0 && first.empty()) {
        first = fmt::format("{} of {} elements of {} in {}", tensor.nonfinite, tensor.elements, tensor.name,
                            step.print.files[static_cast<std::size_t>(tensor.file)].name);
      }
    }
    if (verdict.nonfinite > 0) {
      verdict.status = "not finite";
      verdict.reason = first + " are NaN or infinite";
    }
    return verdict;
  }

  Verdict& verdict(Index i) { return verdicts_[ladder_.place(i)]; }

  void compare_shared() {
    for (const Shared& shared : find_shared(ladder_)) {
      const Index owner = owner_of(shared, ladder_, wrong_);
      for (const Index i : shared.steps) {
        if (i == owner || holds(wrong_, i)) continue;
        verdict(i).status = describe_share(shared, i, owner);
        verdict(i).reason = evidence(i);
        wrong_.insert(std::ranges::upper_bound(wrong_, i), i);
      }
    }
  }

  std::string describe_share(const Shared& shared, Index i, Index owner) const {
    const std::string from = fmt::format("step{}", ladder_.step(owner));
    if (same_everything(i, owner)) return "duplicate of " + from;
    const auto shards = whole_shards(shared.matrices, i);
    if (!shards.empty())
      return fmt::format("shard{} {} of {}", shards.size() > 1 ? "s" : "", fmt::join(shards, ", "), from);
    return fmt::format("{} of {} matrices of {}", shared.matrices.size(), ladder_.matrices(), from);
  }

  [[nodiscard]] bool same_everything(Index i, Index j) const {
    const auto& a = ladder_.print(i).tensors;
    const auto& b = ladder_.print(j).tensors;
    return std::ranges::equal(a, b, [](const TensorPrint& x, const TensorPrint& y) {
      return x.name == y.name && x.sha256 == y.sha256;
    });
  }

  /// The files of step i, counted from 1, whose matrices are just the given ones; empty when the matrices are
  /// not those of whole files, or of all.
  [[nodiscard]] std::vector<int> whole_shards(const Set& matrices, Index i) const {
    std::map<int, std::pair<std::size_t, std::size_t>> shared_and_all;
    for (std::size_t m = 0; m < ladder_.matrices(); ++m) {
      const TensorPrint& print = ladder_.matrix(i, m);
      if (Ladder::constant(print)) continue;
      auto& [shared, all] = shared_and_all[print.file];
      ++all;
      shared += holds(matrices, m) ? 1 : 0;
    }
    std::vector<int> shards;
    for (const auto& [file, counts] : shared_and_all) {
      if (counts.first == counts.second) {
        shards.push_back(file + 1);
      } else if (counts.first > 0) {
        return {};
      }
    }
    return shards.size() == shared_and_all.size() ? std::vector<int>{} : shards;
  }

  void compare_paths() {
    Set active = without(ladder_.everybody(), wrong_);
    const auto judge = [&](const Set& matrices, const std::string& part) {
      if (matrices.empty()) return;
      for (const Index i : out_of_line(Path(ladder_, matrices), ladder_, active)) {
        verdict(i).status = "out of line";
        verdict(i).reason = part + evidence(i);
        wrong_.insert(std::ranges::upper_bound(wrong_, i), i);
      }
      active = without(active, wrong_);
    };
    judge(ladder_.all_matrices(), "");
    // A foreign shard moves the whole by its share alone, so each is looked at by itself.
    for (const auto& [file, matrices] : matrices_by_file())
      judge(matrices, fmt::format("shard {}: ", file + 1));
  }

  /// Empty when the steps are not cut into the same shards.
  [[nodiscard]] std::map<int, Set> matrices_by_file() const {
    std::map<int, Set> by_file;
    for (std::size_t m = 0; m < ladder_.matrices(); ++m) {
      const int file = ladder_.matrix(0, m).file;
      for (Index i = 1; i < ladder_.size(); ++i)
        if (ladder_.matrix(i, m).file != file) return {};
      by_file[file].push_back(m);
    }
    if (by_file.size() < 2) by_file.clear();
    return by_file;
  }

  /// Cosines with the neighbours, and with the step whose weights are nearest, where that is no neighbour.
  [[nodiscard]] std::string evidence(Index i) const {
    std::vector<std::string> words;
    const auto with = [&](Index j) {
      return fmt::format("{:.4f} with step{}", cosine(ladder_.print(i), ladder_.print(j)), ladder_.step(j));
    };
    if (i > 0) words.push_back(with(i - 1));
    if (i + 1 < ladder_.size()) words.push_back(with(i + 1));
    const Path path(ladder_, ladder_.all_matrices());
    std::optional<Index> nearest;
    for (Index j = 0; j < ladder_.size(); ++j)
      if (j != i && (!nearest || path.distance(i, j) < path.distance(i, *nearest))) nearest = j;
    if (nearest && *nearest + 1 != i && *nearest != i + 1) words.push_back("nearest is " + with(*nearest));
    return words.empty() ? "" : fmt::format("cosine {}", fmt::join(words, ", "));
  }

  void add_cosines() {
    const auto between = [&](std::size_t i, std::size_t j) {
      return steps_[i].trouble.empty() && steps_[j].trouble.empty() ? cosine(steps_[i].print, steps_[j].print)
                                                                    : nan;
    };
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (i > 0) {
        verdicts_[i].cosine_first = between(0, i);
        verdicts_[i].cosine_before = between(i - 1, i);
      }
      if (i + 1 < steps_.size()) verdicts_[i].cosine_after = between(i, i + 1);
    }
  }

  std::span<const LadderStep> steps_;
  Ladder ladder_;
  std::vector<Verdict> verdicts_;
  Set wrong_;
};

/// 0, powers of two, and multiples of the commonest distance between late steps, up to the last step.
std::set<int64_t> regular_pattern(const std::vector<int64_t>& steps) {
  std::map<int64_t, int> spacings;
  for (std::size_t i = 1; i < steps.size(); ++i) ++spacings[steps[i] - steps[i - 1]];
  // Of equally common ones the longest: powers of two make each of theirs once.
  const auto common =
      std::ranges::max_element(spacings, {}, [](const auto& s) { return std::pair(s.second, s.first); });
  const int64_t spacing = common->first;
  std::set<int64_t> pattern{0};
  for (int64_t power = 1; power < std::min(spacing, steps.back()); power *= 2) pattern.insert(power);
  for (int64_t step = spacing; step <= steps.back(); step += spacing) pattern.insert(step);
  return pattern;
}

/// A model that has fewer steps than this is no ladder to compare with: one step may be all that was fetched.
constexpr std::size_t least_ladder = 3;

/// The share of a pattern that must be there before what is not there is missing and not left out on purpose.
constexpr double pattern_share = 0.8;

}  // namespace

std::vector<Verdict> audit_ladder(std::span<const LadderStep> ladder) {
  return Auditor(ladder).run();
}

std::vector<MissingStep> missing_steps(std::span<const ModelSteps> family) {
  std::map<int64_t, int> models_with;
  int ladders = 0;
  for (const ModelSteps& model : family) {
    if (model.steps.size() < least_ladder) continue;
    ++ladders;
    for (const int64_t step : model.steps) ++models_with[step];
  }
  std::vector<MissingStep> missing;
  for (const ModelSteps& model : family) {
    if (model.steps.size() < least_ladder) continue;
    const std::set<int64_t> there(model.steps.begin(), model.steps.end());
    std::map<int64_t, std::string> reasons;
    for (const auto& [step, models] : models_with)
      if (!there.contains(step) && models >= 2 && 2 * models >= ladders)
        reasons[step] = fmt::format("{} of the {} other models have it", models, ladders - 1);
    const std::set<int64_t> pattern = regular_pattern(model.steps);
    const auto kept = std::ranges::count_if(pattern, [&](int64_t step) { return there.contains(step); });
    if (static_cast<double>(kept) >= pattern_share * static_cast<double>(pattern.size()))
      for (const int64_t step : pattern)
        if (!there.contains(step))
          reasons.emplace(step,
                          fmt::format("{} of {} steps of a regular ladder are there", kept, pattern.size()));
    for (const auto& [step, reason] : reasons) missing.push_back({model.model, step, reason});
  }
  return missing;
}

}  // namespace incipit::checkpoint
