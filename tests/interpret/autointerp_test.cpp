#include "interpret/autointerp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "error.hpp"
#include "interpret/lexical.hpp"
#include "scene.hpp"

namespace incipit::interpret {
namespace {

using testing::make_scene;
using testing::Scene;

/// Knows nothing but what it is told and writes down what it was shown.
class Parrot : public Teacher {
 public:
  explicit Parrot(std::function<Verdict(const Question&, const std::string&)> answer)
      : answer_(std::move(answer)) {}

  std::string name() const override { return "parrot"; }
  std::vector<std::string> label(std::span<const Brief> briefs) override {
    seen.insert(seen.end(), briefs.begin(), briefs.end());
    return std::vector<std::string>(briefs.size(), "label");
  }
  std::vector<std::vector<Verdict>> judge(std::span<const Question> questions) override {
    std::vector<std::vector<Verdict>> all;
    for (const Question& question : questions) {
      all.emplace_back();
      for (const std::string& text : question.texts) all.back().push_back(answer_(question, text));
    }
    return all;
  }

  std::vector<Brief> seen;

 private:
  std::function<Verdict(const Question&, const std::string&)> answer_;
};

Verdict yes(const Question&, const std::string&) {
  return {Answer::yes, 1};
}

std::vector<LatentLabel> run(Teacher& teacher, const Scene& scene, InterpretOptions options = {},
                             parallel::BlockRange range = {0, 8}) {
  return interpret(teacher, scene.probes, scene.codes, scene.sae, options, 1, range);
}

corpus::Part part_of(const Scene& scene, int64_t probe) {
  return scene.probes.part[static_cast<std::size_t>(probe)];
}
int32_t group_of(const Scene& scene, int64_t probe) {
  return scene.probes.group[static_cast<std::size_t>(probe)];
}
int32_t fires(const Scene& scene, int64_t probe) {
  return scene.codes.latent[static_cast<std::size_t>(probe)];
}

TEST(Autointerp, ShowsFitProbesAndJudgesVerifyProbesOnly) {
  const Scene scene = make_scene();
  Parrot parrot(yes);
  const std::vector<LatentLabel> labels = run(parrot, scene);
  ASSERT_EQ(parrot.seen.size(), 7U);  // latent 2 is dead
  for (const Brief& brief : parrot.seen) {
    std::set<int32_t> shown;
    for (const auto& list : {brief.firing, brief.near}) {
      for (const int64_t probe : list) {
        EXPECT_EQ(part_of(scene, probe), corpus::Part::fit);
        shown.insert(group_of(scene, probe));
      }
    }
    for (const Shown& s : brief.positives) {
      EXPECT_EQ(part_of(scene, s.probe), corpus::Part::fit);
      EXPECT_EQ(fires(scene, s.probe), brief.latent);
      EXPECT_GT(s.activation, 0);
      EXPECT_EQ(s.text, scene.probes.all[static_cast<std::size_t>(s.probe)].text);
    }
    for (const Shown& s : brief.negatives) {
      EXPECT_EQ(part_of(scene, s.probe), corpus::Part::fit);
      EXPECT_NE(fires(scene, s.probe), brief.latent);
      EXPECT_EQ(s.activation, 0);
      shown.insert(group_of(scene, s.probe));
    }
    const LatentLabel& label = labels[static_cast<std::size_t>(brief.latent)];
    ASSERT_FALSE(label.judgements.empty());
    for (const Judgement& j : label.judgements) {
      EXPECT_EQ(part_of(scene, j.probe), corpus::Part::verify);
      EXPECT_EQ(j.fires, fires(scene, j.probe) == brief.latent);
      EXPECT_FALSE(shown.contains(group_of(scene, j.probe))) << "a group on both sides";
    }
  }
}

TEST(Autointerp, TakesTenAndTenThenFiftyHalfAndHalf) {
  const Scene scene = make_scene();
  Parrot parrot(yes);
  const std::vector<LatentLabel> labels = run(parrot, scene);
  for (const Brief& brief : parrot.seen) {
    EXPECT_EQ(brief.positives.size(), 10U);
    EXPECT_EQ(brief.negatives.size(), 10U);
    const std::set<int64_t> near(brief.near.begin(), brief.near.end());
    const auto from_near = std::count_if(brief.negatives.begin(), brief.negatives.end(),
                                         [&](const Shown& s) { return near.contains(s.probe); });
    EXPECT_GE(from_near, 5);
    std::set<int64_t> distinct;
    for (const Shown& s : brief.positives) distinct.insert(s.probe);
    for (const Shown& s : brief.negatives) distinct.insert(s.probe);
    EXPECT_EQ(distinct.size(), 20U);
    // Over the quantiles: the strongest shown is stronger than nine tenths can be, the weakest weaker.
    EXPECT_GT(brief.positives.front().activation, brief.positives.back().activation);
    const LatentLabel& label = labels[static_cast<std::size_t>(brief.latent)];
    const auto firing = std::count_if(label.judgements.begin(), label.judgements.end(),
                                      [](const Judgement& j) { return j.fires; });
    EXPECT_EQ(firing, std::min<int64_t>(25, label.support));
    EXPECT_EQ(static_cast<int64_t>(label.judgements.size()), 2 * firing);
    const auto close = std::count_if(label.judgements.begin(), label.judgements.end(),
                                     [](const Judgement& j) { return j.near; });
    EXPECT_GE(close, firing / 2);
    EXPECT_TRUE(std::is_sorted(label.judgements.begin(), label.judgements.end(),
                               [](const Judgement& a, const Judgement& b) { return a.probe < b.probe; }));
  }
}

TEST(Autointerp, NoGroupIsBothShownAndJudged) {
  const Scene scene = make_scene();
  Parrot parrot(yes);
  int64_t judged = 0;
  for (const LatentLabel& label : run(parrot, scene)) {
    std::set<int32_t> shown;
    for (const Example& example : label.examples) shown.insert(group_of(scene, example.probe));
    for (const Judgement& judgement : label.judgements) {
      EXPECT_FALSE(shown.contains(group_of(scene, judgement.probe)));
      ++judged;
    }
  }
  EXPECT_GT(judged, 0);
}

TEST(Autointerp, AlwaysYesScoresWhatItShould) {
  const Scene scene = make_scene();
  Parrot parrot(yes);
  const LatentLabel label = run(parrot, scene)[0];
  EXPECT_DOUBLE_EQ(label.f1, 2.0 / 3.0);
  EXPECT_DOUBLE_EQ(label.f1, label.f1_always_yes);
  EXPECT_DOUBLE_EQ(label.recall, 1);
  EXPECT_DOUBLE_EQ(label.balanced_accuracy, 0.5);
  // With everything answered yes, the precision in the population is the rate itself.
  const double rate =
      static_cast<double>(label.support) / static_cast<double>(scene.probes.of(corpus::Part::verify).size());
  EXPECT_NEAR(label.precision_at_rate, rate, 1e-12);
  EXPECT_EQ(label.status, Status::uninterpretable);
}

TEST(Autointerp, UnparsedAnswersAreWrongOnBothSides) {
  const Scene scene = make_scene();
  Parrot parrot([](const Question&, const std::string&) { return Verdict{Answer::unparsed, std::nan("")}; });
  const LatentLabel label = run(parrot, scene)[1];
  EXPECT_EQ(label.unparsed, static_cast<int64_t>(label.judgements.size()));
  EXPECT_EQ(label.f1, 0);
  EXPECT_EQ(label.balanced_accuracy, 0);
}

TEST(Autointerp, StatusesFollowSupportGroupsAndF1) {
  Scene scene = make_scene();
  Parrot right([&](const Question& q, const std::string& text) {
    const bool fits = text.find("membrane") != std::string::npos;
    return Verdict{q.brief->latent == 0 && fits ? Answer::yes : Answer::no, 0};
  });
  EXPECT_EQ(run(right, scene)[0].status, Status::interpretable);
  EXPECT_EQ(run(right, scene)[0].f1, 1);
  EXPECT_EQ(run(right, scene)[1].status, Status::uninterpretable);
  const LatentLabel dead = run(right, scene)[2];
  EXPECT_EQ(dead.status, Status::dead);
  EXPECT_TRUE(dead.label.empty());
  EXPECT_TRUE(std::isnan(dead.f1));
  EXPECT_EQ(dead.fire_rate, 0);

  // The bounds themselves: as many as are there are enough, one more is too much to ask.
  const int64_t support = run(right, scene)[0].support;
  EXPECT_EQ(run(right, scene, {.min_support = support})[0].status, Status::interpretable);
  const LatentLabel poor = run(right, scene, {.min_support = support + 1})[0];
  EXPECT_EQ(poor.status, Status::unsupported);
  EXPECT_EQ(poor.label, "label");
  EXPECT_TRUE(poor.judgements.empty());
  EXPECT_TRUE(std::isnan(poor.f1));

  // Three groups will do, two will not.
  for (const int allowed : {3, 2}) {
    std::set<int32_t> left;
    for (std::size_t i = 0; i < scene.probes.all.size(); ++i) {
      const bool verify = scene.probes.part[i] == corpus::Part::verify;
      if (scene.codes.latent[i] != 0 || !verify) continue;
      left.insert(scene.probes.group[i]);
      if (static_cast<int>(left.size()) > allowed) scene.codes.latent[i] = 3;
    }
    EXPECT_EQ(run(right, scene)[0].groups, allowed);
    EXPECT_EQ(run(right, scene)[0].status == Status::unsupported, allowed == 2);
  }
}

TEST(Autointerp, ALatentThatFiresEverywhereIsUnsupported) {
  Scene scene = make_scene();
  std::fill(scene.codes.latent.begin(), scene.codes.latent.end(), 0);
  Parrot parrot(yes);
  EXPECT_EQ(run(parrot, scene)[0].status, Status::unsupported);
}

TEST(Autointerp, RatesAreThoseOfTheFitPart) {
  const Scene scene = make_scene();
  Parrot parrot(yes);
  const LatentLabel label = run(parrot, scene)[1];
  double fit = 0, firing = 0;
  std::vector<double> of(4), all(4);
  for (const int64_t probe : scene.probes.of(corpus::Part::fit)) {
    const auto c = static_cast<std::size_t>(scene.probes.subject[static_cast<std::size_t>(probe)]);
    ++fit;
    ++all[c];
    firing += fires(scene, probe) == 1;
    of[c] += fires(scene, probe) == 1;
  }
  EXPECT_DOUBLE_EQ(label.fire_rate, firing / fit);
  ASSERT_EQ(label.fire_rate_by_subject.size(), 4U);
  for (std::size_t c = 0; c < 4; ++c) EXPECT_DOUBLE_EQ(label.fire_rate_by_subject[c], of[c] / all[c]);
}

TEST(Autointerp, DoesNotHangOnVerifyAndJudgeActivations) {
  const Scene scene = make_scene();
  Scene other = scene;
  for (std::size_t i = 0; i < other.codes.latent.size(); ++i) {
    if (scene.probes.part[i] != corpus::Part::fit) other.codes.latent[i] = (other.codes.latent[i] + 1) % 8;
  }
  Parrot a(yes), b(yes);
  run(a, scene);
  run(b, other);
  ASSERT_EQ(a.seen.size(), b.seen.size());
  for (std::size_t i = 0; i < a.seen.size(); ++i) {
    EXPECT_EQ(a.seen[i].firing, b.seen[i].firing);
    EXPECT_EQ(a.seen[i].near, b.seen[i].near);
    for (std::size_t s = 0; s < a.seen[i].negatives.size(); ++s) {
      EXPECT_EQ(a.seen[i].negatives[s].probe, b.seen[i].negatives[s].probe);
    }
  }
}

TEST(Autointerp, AnySplitIntoRangesGivesTheSame) {
  const Scene scene = make_scene();
  LexicalTeacher whole(scene.probes, 1, 1), parts(scene.probes, 1, 2);
  const std::string expected = pack_labels(run(whole, scene));
  for (const std::vector<int64_t>& cuts : {std::vector<int64_t>{0, 8}, std::vector<int64_t>{0, 3, 8},
                                           std::vector<int64_t>{0, 1, 2, 2, 5, 7, 8}}) {
    std::vector<LatentLabel> all;
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      for (LatentLabel& label : run(parts, scene, {}, {cuts[i], cuts[i + 1]}))
        all.push_back(std::move(label));
    }
    EXPECT_EQ(pack_labels(all), expected);
  }
}

TEST(Autointerp, PackingKeepsEverything) {
  const Scene scene = make_scene();
  Parrot parrot([](const Question&, const std::string& text) {
    return Verdict{text.size() % 2 == 0 ? Answer::yes : Answer::unparsed,
                   0.1 * static_cast<double>(text.size())};
  });
  const std::vector<LatentLabel> labels = run(parrot, scene);
  const std::vector<LatentLabel> back = unpack_labels(pack_labels(labels));
  ASSERT_EQ(back.size(), labels.size());
  EXPECT_EQ(pack_labels(back), pack_labels(labels));
  EXPECT_EQ(back[1].judgements.size(), labels[1].judgements.size());
  EXPECT_EQ(back[1].f1_low, labels[1].f1_low);
  EXPECT_TRUE(std::isnan(back[2].f1));
  EXPECT_THROW(unpack_labels("no cbor"), Error);
}

TEST(Autointerp, RefusesCodesOfOtherProbes) {
  Scene scene = make_scene();
  Parrot parrot(yes);
  scene.codes.n -= 1;
  EXPECT_THROW(run(parrot, scene), Error);
}

TEST(Autointerp, WithoutASplitEveryPartIsAllProbes) {
  const Scene scene = make_scene(8, false);
  Parrot parrot(yes);
  const LatentLabel label = run(parrot, scene)[0];
  EXPECT_EQ(label.support, 200);  // a fifth of 1000
  EXPECT_DOUBLE_EQ(label.fire_rate, 0.2);
}

}  // namespace
}  // namespace incipit::interpret
