#include "phantom/plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "../support.hpp"
#include "error.hpp"
#include "small.hpp"

namespace incipit::phantom {
namespace {

constexpr uint64_t seeds = 50;

bool planted_as(const SubjectPlan& subject, State state, bool over_time) {
  const auto& dip = over_time ? subject.time : subject.space;
  return dip && dip->state == state;
}

TEST(Plan, PlantsWhatWasAskedFor) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const Options options = small(seed);
    const Plan plan = draw_plan(options);
    EXPECT_EQ(std::ranges::count(plan.subject, true, &SubjectPlan::exists), options.subjects - options.never);
    EXPECT_EQ(plan.step.front(), 0);
    EXPECT_EQ(plan.step.back(), options.last);
    EXPECT_TRUE(std::ranges::is_sorted(plan.step, std::less_equal<>()));
    for (const bool over_time : {true, false})
      for (const State state : {State::absent, State::rescaled, State::turned, State::outvoted})
        EXPECT_EQ(std::ranges::count_if(
                      plan.subject, [&](const SubjectPlan& s) { return planted_as(s, state, over_time); }),
                  1)
            << seed;
  }
}

TEST(Plan, KnowledgeGrowsFromNothingToAll) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const Plan plan = draw_plan(small(seed));
    const std::size_t reference = plan.model.size() - 1;
    for (std::size_t c = 0; c < plan.subject.size(); ++c) {
      std::vector<int64_t> known;
      for (std::size_t s = 0; s < plan.step.size(); ++s) known.push_back(plan.known(reference, s, c));
      if (!plan.subject[c].exists) {
        EXPECT_EQ(std::ranges::count(known, 0), std::ssize(known));
        continue;
      }
      EXPECT_EQ(known.front(), 0);
      EXPECT_EQ(known.back(), plan.options.terms);
      EXPECT_TRUE(std::ranges::is_sorted(known));
      const std::size_t onset = plan.onset(c);
      EXPECT_GE(2 * known.at(onset), known.back());
      EXPECT_LT(2 * known.at(onset - 1), known.back());
      EXPECT_EQ(plan.subject[c].sudden, known.at(onset) == known.back() && known.at(onset - 1) == 0);
    }
  }
}

TEST(Plan, SharesAreWhatIsKnownWhereItIsPlain) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const Plan plan = draw_plan(small(seed));
    for (std::size_t m = 0; m < plan.model.size(); ++m)
      for (std::size_t s = 0; s < plan.step.size(); ++s)
        for (int64_t l = 0; l <= plan.model[m].layers; ++l)
          for (std::size_t c = 0; c < plan.subject.size(); ++c) {
            const double known = static_cast<double>(plan.known(m, s, c)) / 8;
            EXPECT_EQ(plan.share(m, s, l, c), plan.state(m, s, l, c) == State::plain ? known : 0.0);
          }
  }
}

TEST(Plan, DipsHaveShouldersAndEndAsTheyBegan) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const Plan plan = draw_plan(small(seed));
    const std::size_t reference = plan.model.size() - 1, last = plan.step.size() - 1;
    const int64_t top = plan.options.layers;
    for (std::size_t c = 0; c < plan.subject.size(); ++c) {
      const SubjectPlan& subject = plan.subject[c];
      if (subject.time) {
        for (auto s = subject.time->first; s <= subject.time->last; ++s)
          EXPECT_EQ(plan.state(reference, static_cast<std::size_t>(s), top, c), subject.time->state);
        EXPECT_EQ(plan.share(reference, static_cast<std::size_t>(subject.time->first) - 1, top, c), 1.0);
        EXPECT_EQ(plan.share(reference, static_cast<std::size_t>(subject.time->last) + 1, top, c), 1.0);
      }
      if (subject.space) {
        for (auto l = subject.space->first; l <= subject.space->last; ++l)
          EXPECT_EQ(plan.state(reference, last, l, c), subject.space->state);
        EXPECT_EQ(plan.share(reference, last, subject.space->first - 1, c), 1.0);
        EXPECT_EQ(plan.share(reference, last, subject.space->last + 1, c), 1.0);
      }
      if (subject.exists) {
        EXPECT_EQ(plan.share(reference, last, top, c), 1.0);
        EXPECT_EQ(plan.known(static_cast<std::size_t>(subject.model), last, c), plan.options.terms);
        if (subject.model > 0) {
          EXPECT_EQ(plan.known(static_cast<std::size_t>(subject.model) - 1, last, c), 0);
        }
      }
    }
  }
}

TEST(Plan, WhatTurnsDoesSoAmongOthersThatAreAsAtTheEnd) {
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Options options;
    options.seed = seed;
    const Plan plan = draw_plan(options);
    const std::size_t reference = plan.model.size() - 1, last = plan.step.size() - 1;
    for (const SubjectPlan& turning : plan.subject)
      for (std::size_t c = 0; c < plan.subject.size(); ++c) {
        const SubjectPlan& other = plan.subject[c];
        if (&other == &turning || !other.exists) continue;
        if (planted_as(turning, State::turned, true)) {
          EXPECT_EQ(plan.share(reference, static_cast<std::size_t>(turning.time->first), options.layers, c),
                    1.0)
              << seed;
        }
        if (planted_as(turning, State::turned, false)) {
          EXPECT_EQ(plan.share(reference, last, turning.space->first, c), 1.0) << seed;
        }
      }
  }
}

TEST(Plan, SeedsDiffer) {
  std::set<std::vector<int64_t>> onsets;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    const Plan plan = draw_plan(small(seed));
    std::vector<int64_t> onset;
    for (std::size_t c = 0; c < plan.subject.size(); ++c)
      onset.push_back(plan.subject[c].exists ? static_cast<int64_t>(plan.onset(c)) : -1);
    onsets.insert(onset);
  }
  EXPECT_GT(onsets.size(), seeds / 2);
}

TEST(Plan, RefusesSizesThatDoNotGoTogether) {
  const auto refused = [](int64_t Options::*size, int64_t value, const std::string& says) {
    Options options = small(1);
    options.*size = value;
    test::expect_error(Exit::usage, {"phantom", says}, [&] { (void)draw_plan(options); });
  };
  refused(&Options::models, 0, "--models=0");
  refused(&Options::width, 44, "multiple of 8");
  refused(&Options::width, 40, "expected a width of 48 at least");
  refused(&Options::layers, 4, "--layers=4");
  refused(&Options::steps, 13, "expected at least 14");
  refused(&Options::last, 12, "--last=12");
  refused(&Options::never, 7, "6 subjects");
  refused(&Options::nuisances, 0, "--nuisances=0");
}

}  // namespace
}  // namespace incipit::phantom
