// What the measures of concepts count and draw, at the shape of the paper's: 12,000 probes in about 3,000
// groups of 14 subjects, a set of latents for each subject, 1000 resamples and 1000 permutations.

#include <algorithm>

#include "case.hpp"
#include "random.hpp"
#include "types.hpp"

namespace incipit::device::bench {
namespace {

/// Lists of numbers: list l is item[start[l]] … item[start[l+1]−1].
struct Lists {
  explicit Lists(const std::vector<std::vector<std::int32_t>>& lists) {
    for (const auto& list : lists) {
      item.insert(item.end(), list.begin(), list.end());
      start.push_back(std::ssize(item));
    }
  }
  std::vector<std::int64_t> start{0};
  std::vector<std::int32_t> item;
};

/// Probes in groups of 1 to 7, all of a group of one subject; a set of latents for each subject.
struct Judged {
  explicit Judged(const Settings& settings)
      : n(settings.dictionary.probes),
        h(settings.dictionary.h),
        draws(settings.draws),
        groups(0),
        subjects(settings.subjects),
        group(static_cast<std::size_t>(n)),
        subject(group) {
    for (std::int64_t place = 0; place < n; ++groups) {
      const std::int64_t size = std::min(groups % most_probes + 1, n - place);
      // Over all subjects, whatever the size.
      group_subject.push_back(static_cast<std::int32_t>((groups / most_probes + groups) % subjects));
      for (std::int64_t i = 0; i < size; ++i, ++place) add_probe((place * 7919) % n);
      member_start.push_back(place);
    }
  }

  /// The groups of each subject.
  [[nodiscard]] Lists of_subjects() const {
    std::vector<std::vector<std::int32_t>> lists(static_cast<std::size_t>(subjects));
    for (std::int64_t g = 0; g < groups; ++g)
      lists[static_cast<std::size_t>(group_subject[static_cast<std::size_t>(g)])].push_back(
          static_cast<std::int32_t>(g));
    return Lists(lists);
  }
  /// The groups of each size.
  [[nodiscard]] Lists of_sizes() const {
    std::vector<std::vector<std::int32_t>> lists(most_probes);
    for (std::size_t g = 0; g + 1 < member_start.size(); ++g)
      lists[static_cast<std::size_t>(member_start[g + 1] - member_start[g] - 1)].push_back(
          static_cast<std::int32_t>(g));
    return Lists(lists);
  }
  /// The latents of each set; every fifth latent is in two.
  [[nodiscard]] Lists of_sets() const {
    std::vector<std::vector<std::int32_t>> lists;
    for (std::int64_t set = 0; set < subjects; ++set) {
      lists.emplace_back();
      for (std::int32_t j = 0; j < h; ++j) {
        const std::vector<std::int32_t> in = sets_of(j);
        if (std::find(in.begin(), in.end(), set) != in.end()) lists.back().push_back(j);
      }
    }
    return Lists(lists);
  }
  /// The sets of each latent.
  [[nodiscard]] Lists of_latents() const {
    std::vector<std::vector<std::int32_t>> lists;
    for (std::int32_t j = 0; j < h; ++j) lists.push_back(sets_of(j));
    return Lists(lists);
  }
  /// Set s is for subject s.
  [[nodiscard]] std::vector<std::int32_t> own() const {
    std::vector<std::int32_t> own;
    for (std::int32_t set = 0; set < subjects; ++set) own.push_back(set);
    return own;
  }

  static constexpr std::int64_t most_probes = 7;
  std::int64_t n, h, draws, groups, subjects;
  std::vector<std::int32_t> group, subject;  ///< [n]
  std::vector<std::int32_t> group_subject;
  std::vector<std::int64_t> member_start{0};
  std::vector<std::int32_t> member;

 private:
  void add_probe(std::int64_t i) {
    member.push_back(static_cast<std::int32_t>(i));
    group[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(groups);
    subject[static_cast<std::size_t>(i)] = group_subject.back();
  }
  [[nodiscard]] std::vector<std::int32_t> sets_of(std::int32_t latent) const {
    const auto c = static_cast<std::int32_t>(subjects);
    std::vector<std::int32_t> sets{latent % c};
    if (latent % 5 == 0 && c > 1) sets.push_back((latent + 1) % c);
    return sets;
  }
};

/// `keep` different latents a probe, three of ten of which do not fire.
struct Codes {
  Codes(const Judged& of, std::int64_t keep, Arena& arena) {
    Random random(4, Purpose::test, 0);
    std::vector<std::int32_t> indices;
    std::vector<float> values;
    for (std::int64_t i = 0; i < of.n; ++i) {
      const auto first = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(of.h)));
      for (std::int64_t t = 0; t < keep; ++t) {
        indices.push_back(static_cast<std::int32_t>((first + 5 * t) % of.h));
        values.push_back(static_cast<float>(random.uniform() - 0.3));
      }
    }
    index = arena.upload(indices);
    value = arena.upload(values);
  }
  const std::int32_t* index;
  const float* value;
};

DrawBootstrap bootstrap_of(const Judged& of, Arena& arena, std::int32_t* weight) {
  const Lists lists = of.of_subjects();
  return {.groups = of.groups,
          .subjects = of.subjects,
          .draws = of.draws,
          .seed = 1,
          .start = arena.upload(lists.start),
          .group = arena.upload(lists.item),
          .weight = weight};
}

DrawPermutations permutations_of(const Judged& of, Arena& arena, std::int32_t* label,
                                 std::int32_t* group_label) {
  const Lists cells = of.of_sizes();
  return {.n = of.n,
          .groups = of.groups,
          .cells = Judged::most_probes,
          .draws = of.draws,
          .seed = 1,
          .start = arena.upload(cells.start),
          .group = arena.upload(cells.item),
          .member_start = arena.upload(of.member_start),
          .member = arena.upload(of.member),
          .subject = arena.upload(of.subject),
          .group_subject = arena.upload(of.group_subject),
          .label = label,
          .group_label = group_label};
}

/// Drawn by the device, as they are in a run.
Resamples resamples_of(const Judged& of, Arena& arena) {
  auto* weight = arena.poisoned<std::int32_t>(of.groups * of.draws);
  auto* label = arena.poisoned<std::int32_t>(of.n * of.draws);
  auto* group_label = arena.poisoned<std::int32_t>(of.groups * of.draws);
  arena.device().draw_bootstrap(bootstrap_of(of, arena, weight));
  arena.device().draw_permutations(permutations_of(of, arena, label, group_label));
  return {.n = of.n,
          .subjects = of.subjects,
          .bootstrap = of.draws,
          .permutations = of.draws,
          .subject = arena.upload(of.subject),
          .group = arena.upload(of.group),
          .group_subject = arena.upload(of.group_subject),
          .weight = weight,
          .label = label,
          .group_label = group_label};
}

template <class T>
Resampled<T> results_of(const Judged& of, std::int64_t rows, double tolerance, Arena& arena) {
  return {.value = arena.output<T>(rows, tolerance),
          .bootstrap = arena.output<T>(rows * of.draws, tolerance),
          .permutation = arena.output<T>(rows * of.draws, tolerance)};
}

ActivationSum activation_sum_of(const Judged& of, std::int64_t keep, Arena& arena, double* sum) {
  const Codes codes(of, keep, arena);
  const Lists sets = of.of_latents();
  return {.n = of.n,
          .keep = keep,
          .h = of.h,
          .sets = of.subjects,
          .index = codes.index,
          .value = codes.value,
          .start = arena.upload(sets.start),
          .set = arena.upload(sets.item),
          .sum = sum};
}

LatentGroups latent_groups_of(const Judged& of, std::int64_t keep, Arena& arena, std::int32_t* start,
                              std::int32_t* list) {
  const Codes codes(of, keep, arena);
  return {.n = of.n,
          .keep = keep,
          .h = of.h,
          .index = codes.index,
          .value = codes.value,
          .member = arena.upload(of.member),
          .group = arena.upload(of.group),
          .start = start,
          .list = list};
}

double numbers(std::int64_t rows, std::int64_t columns) {
  return static_cast<double>(rows) * static_cast<double>(columns);
}
/// Of what was drawn for the probes.
double drawn_bytes(const Judged& of) {
  return 4 * numbers(of.groups + of.n, of.draws) + 8 * numbers(of.n, 1);
}

Case histogram_case(const Judged& of, std::int64_t keep) {
  return {.operation = "latent_histogram",
          .type = "int32",
          .shape = sizes({of.n, keep, of.h, of.subjects}),
          .bytes = 8 * numbers(of.n, keep) + 4 * numbers(of.n, 1) + 4 * numbers(of.h, of.subjects),
          .make = [=](Arena& arena) {
            const Codes codes(of, keep, arena);
            const LatentHistogram op{.n = of.n,
                                     .keep = keep,
                                     .h = of.h,
                                     .subjects = of.subjects,
                                     .index = codes.index,
                                     .value = codes.value,
                                     .subject = arena.upload(of.subject),
                                     .count = arena.output<std::int32_t>(of.h * of.subjects, 0),
                                     .silent = arena.output<std::int32_t>(1, 0)};
            return instance(arena, &Device::latent_histogram, op);
          }};
}

Case activation_sum_case(const Judged& of, std::int64_t keep) {
  return {.operation = "activation_sum",
          .type = "fp64",
          .shape = sizes({of.n, keep, of.h, of.subjects}),
          .bytes = 8 * numbers(of.n, keep) + 8 * numbers(of.n, of.subjects),
          .make = [=](Arena& arena) {
            const ActivationSum op =
                activation_sum_of(of, keep, arena, arena.output<double>(of.subjects * of.n, 0));
            return instance(arena, &Device::activation_sum, op);
          }};
}

Case set_maximum_case(const Judged& of) {
  return {.operation = "set_maximum",
          .type = "fp32",
          .shape = sizes({of.n, of.h, of.subjects}),
          .bytes = 4 * numbers(of.n, of.h) + 4 * numbers(of.n, of.subjects),
          .make = [=](Arena& arena) {
            const Lists sets = of.of_sets();
            const SetMaximum op{.rows = of.n,
                                .h = of.h,
                                .sets = of.subjects,
                                .stride = of.n,
                                .z = arena.normal<float>(of.n * of.h),
                                .start = arena.upload(sets.start),
                                .latent = arena.upload(sets.item),
                                .out = arena.output<float>(of.subjects * of.n, 0)};
            return instance(arena, &Device::set_maximum, op);
          }};
}

Case latent_groups_case(const Judged& of, std::int64_t keep) {
  return {.operation = "latent_groups",
          .type = "int32",
          .shape = sizes({of.n, keep, of.h}),
          .bytes = 12 * numbers(of.n, keep) + 8 * numbers(of.n, 1),
          .make = [=](Arena& arena) {
            auto* start = arena.output<std::int32_t>(of.h + 1, 0);
            auto* list = arena.output<std::int32_t>(of.n * keep, 0);
            return instance(arena, &Device::latent_groups, latent_groups_of(of, keep, arena, start, list));
          }};
}

Case bootstrap_case(const Judged& of) {
  return {.operation = "draw_bootstrap",
          .type = "int32",
          .shape = sizes({of.groups, of.draws}),
          .bytes = 4 * numbers(of.groups, of.draws),
          .items = static_cast<double>(of.draws),
          .make = [=](Arena& arena) {
            auto* weight = arena.output<std::int32_t>(of.groups * of.draws, 0);
            return instance(arena, &Device::draw_bootstrap, bootstrap_of(of, arena, weight));
          }};
}

Case permutations_case(const Judged& of) {
  return {.operation = "draw_permutations",
          .type = "int32",
          .shape = sizes({of.n, of.groups, of.draws}),
          .bytes = 4 * numbers(of.n + of.groups, of.draws),
          .items = static_cast<double>(of.draws),
          .make = [=](Arena& arena) {
            auto* label = arena.output<std::int32_t>(of.n * of.draws, 0);
            auto* group_label = arena.output<std::int32_t>(of.groups * of.draws, 0);
            return instance(arena, &Device::draw_permutations,
                            permutations_of(of, arena, label, group_label));
          }};
}

Case counts_case(const Judged& of, std::int64_t keep) {
  const std::int64_t sets = of.subjects;
  return {.operation = "resample_counts",
          .type = "fp64",
          .shape = sizes({of.n, keep, sets, of.subjects, of.draws}),
          .bytes = drawn_bytes(of) + 8 * numbers(sets, of.n) +
                   2 * numbers(sets, of.draws) * static_cast<double>(4 * of.subjects + 8),
          .items = 2 * numbers(sets, of.draws),
          .make = [=](Arena& arena) {
            auto* sum = arena.poisoned<double>(sets * of.n);
            arena.device().activation_sum(activation_sum_of(of, keep, arena, sum));
            const ResampleCounts op{.of = resamples_of(of, arena),
                                    .sets = sets,
                                    .own = arena.upload(of.own()),
                                    .sum = sum,
                                    .fired = results_of<std::int32_t>(of, sets * of.subjects, 0, arena),
                                    // Products and sums may be one operation, or two.
                                    .strength = results_of<double>(of, sets, 1e-13, arena)};
            return instance(arena, &Device::resample_counts, op);
          }};
}

Case latents_case(const Judged& of, std::int64_t keep) {
  const std::int64_t sets = of.subjects;
  const std::int64_t chances = of.groups + 1;
  return {.operation = "resample_latents",
          .type = "fp64",
          .shape = sizes({of.n, keep, of.h, of.groups, of.draws}),
          .bytes = 8 * numbers(of.groups, of.draws) + 4 * numbers(of.n, keep) + 8 * numbers(sets, chances) +
                   16 * numbers(sets, of.draws),
          .items = 2 * numbers(sets, of.draws),
          .make = [=](Arena& arena) {
            auto* group_start = arena.poisoned<std::int32_t>(of.h + 1);
            auto* group_list = arena.poisoned<std::int32_t>(of.n * keep);
            arena.device().latent_groups(latent_groups_of(of, keep, arena, group_start, group_list));
            const Lists latents = of.of_sets();
            const ResampleLatents op{.of = resamples_of(of, arena),
                                     .sets = sets,
                                     .chances = chances,
                                     .own = arena.upload(of.own()),
                                     .start = arena.upload(latents.start),
                                     .latent = arena.upload(latents.item),
                                     .group_start = group_start,
                                     .group_list = group_list,
                                     .chance = arena.normal<double>(of.subjects * chances),
                                     // Additions in one order.
                                     .total = results_of<double>(of, sets, 0, arena)};
            return instance(arena, &Device::resample_latents, op);
          }};
}

template <class T>
Case rank_case(const Judged& of) {
  const std::int64_t size = of.subjects * of.n;
  return {.operation = "rank_scores",
          .type = type_name<T>,
          .shape = sizes({of.subjects, of.n}),
          .bytes = numbers(size, sizeof(T) + 8),
          .items = static_cast<double>(size),
          .make = [=](Arena& arena) {
            const RankScores<T> op{.n = of.n,
                                   .sets = of.subjects,
                                   .score = arena.normal<T>(size),
                                   .order = arena.output<std::int32_t>(size, 0),
                                   .last = arena.output<std::int32_t>(size, 0)};
            return instance(arena, &Device::rank_scores, op);
          }};
}

Case auc_case(const Judged& of) {
  const std::int64_t sets = of.subjects;
  return {.operation = "resample_auc",
          .type = "fp64",
          .shape = sizes({of.n, sets, of.draws}),
          .bytes = drawn_bytes(of) + 8 * numbers(sets, of.n) + 16 * numbers(sets, of.draws),
          .items = 2 * numbers(sets, of.draws),
          .make = [=](Arena& arena) {
            auto* order = arena.poisoned<std::int32_t>(sets * of.n);
            auto* last = arena.poisoned<std::int32_t>(sets * of.n);
            arena.device().rank_scores(RankScores<float>{.n = of.n,
                                                         .sets = sets,
                                                         .score = arena.normal<float>(sets * of.n),
                                                         .order = order,
                                                         .last = last});
            // Integers, divided once.
            const ResampleAuc op{.of = resamples_of(of, arena),
                                 .sets = sets,
                                 .own = arena.upload(of.own()),
                                 .order = order,
                                 .last = last,
                                 .area = results_of<double>(of, sets, 0, arena)};
            return instance(arena, &Device::resample_auc, op);
          }};
}

}  // namespace

std::vector<Case> statistics_cases(const Settings& settings) {
  const Judged of(settings);
  std::vector<Case> cases;
  for (const std::int64_t keep : {std::int64_t{1}, std::min<std::int64_t>(32, of.h / 2)}) {
    cases.push_back(histogram_case(of, keep));
    cases.push_back(activation_sum_case(of, keep));
    cases.push_back(latent_groups_case(of, keep));
    cases.push_back(counts_case(of, keep));
    cases.push_back(latents_case(of, keep));
  }
  cases.push_back(set_maximum_case(of));
  cases.push_back(bootstrap_case(of));
  cases.push_back(permutations_case(of));
  cases.push_back(rank_case<float>(of));
  cases.push_back(rank_case<double>(of));
  cases.push_back(auc_case(of));
  return cases;
}

}  // namespace incipit::device::bench
