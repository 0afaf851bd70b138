#include "deck/nearest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "deck/registry.hpp"
#include "edit_distance.hpp"

namespace incipit::deck {
namespace {

/// By the definition, without memory: optimal string alignment.
int slow_distance(std::string_view a, std::string_view b) {
  if (a.empty()) return static_cast<int>(b.size());
  if (b.empty()) return static_cast<int>(a.size());
  const auto less_a = a.substr(0, a.size() - 1), less_b = b.substr(0, b.size() - 1);
  int best = std::min({slow_distance(less_a, b) + 1, slow_distance(a, less_b) + 1,
                       slow_distance(less_a, less_b) + (a.back() == b.back() ? 0 : 1)});
  if (a.size() > 1 && b.size() > 1 && a.back() == b[b.size() - 2] && b.back() == a[a.size() - 2]) {
    best = std::min(best, slow_distance(a.substr(0, a.size() - 2), b.substr(0, b.size() - 2)) + 1);
  }
  return best;
}

TEST(EditDistance, KnownWords) {
  EXPECT_EQ(edit_distance("", ""), 0);
  EXPECT_EQ(edit_distance("latents", "latents"), 0);
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("abc", ""), 3);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  EXPECT_EQ(edit_distance("sea", "sae"), 1);
}

TEST(EditDistance, EqualsItsDefinitionOnRandomWords) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::string a(random() % 7, 'a'), b(random() % 7, 'a');
    for (char& c : a) c = static_cast<char>('a' + random() % 3);
    for (char& c : b) c = static_cast<char>('a' + random() % 3);
    EXPECT_EQ(edit_distance(a, b), slow_distance(a, b)) << a << " " << b;
    EXPECT_EQ(edit_distance(a, b), edit_distance(b, a));
  }
}

TEST(Nearest, FindsWhatWasMeant) {
  const auto known = known_names();
  EXPECT_EQ(nearest("sae.latent", known), "sae.latents");
  EXPECT_EQ(nearest("sea.latents", known), "sae.latents");
  EXPECT_EQ(nearest("train.latents", known), "sae.latents");
  EXPECT_EQ(nearest("latents", known), "sae.latents");
  EXPECT_EQ(nearest("run.ouput", known), "run.output");
  EXPECT_EQ(nearest("run.maxtime", known), "run.max_time");
  EXPECT_EQ(nearest("sae.step", known), "sae.steps");
  EXPECT_EQ(nearest("family.step", known), "family.steps");
  EXPECT_EQ(nearest("zzzzzzzzzzzzzzzzzzz", known), "");
}

TEST(Nearest, EveryKeyIsFoundAfterOneSlip) {
  const auto known = known_names();
  for (const std::string& name : known) {
    EXPECT_EQ(nearest(name, known), name);
    std::string doubled = name;
    doubled.insert(doubled.size(), 1, 'q');
    EXPECT_EQ(nearest(doubled, known), name);
  }
}

}  // namespace
}  // namespace incipit::deck
