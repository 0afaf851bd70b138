#include "interpret/nearest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "error.hpp"
#include "index.hpp"
#include "parallel/work.hpp"
#include "scene.hpp"

namespace incipit::interpret {
namespace {

constexpr int64_t latents = 6;

/// z of all latents on all probes; with many ties.
std::vector<float> make_z(const corpus::Probes& probes) {
  std::vector<float> z;
  Random random(4, Purpose::test, 77);
  for (std::size_t i = 0; i < probes.all.size() * at(latents); ++i)
    z.push_back(static_cast<float>(random.below(41)) / 8.0F - 3.0F);
  return z;
}

/// Each rank sees its share of the probes, in pieces.
std::vector<std::vector<Nearest>> found(const parallel::Communicator& comm, const corpus::Probes& probes,
                                        const std::vector<float>& z, int64_t k) {
  NearestProbes nearest(probes, latents, k);
  const auto mine = parallel::block_of(static_cast<int64_t>(probes.all.size()), comm.size(), comm.rank());
  for (int64_t begin = mine.begin; begin < mine.end; begin += 7) {
    const int64_t rows = std::min<int64_t>(7, mine.end - begin);
    nearest.see(begin, std::span(z).subspan(at(begin * latents), at(rows * latents)));
  }
  return nearest.gather(comm);
}

/// The definition, one latent on one probe: whether it fires, and its margin.
std::pair<bool, double> margin_of(const std::vector<float>& z, int64_t probe, int64_t latent, int64_t k) {
  std::vector<float> others;
  int64_t before = 0;  // that are kept rather than this one
  const float own = z[at(probe * latents + latent)];
  for (int64_t j = 0; j < latents; ++j) {
    if (j == latent) continue;
    const float other = z[at(probe * latents + j)];
    others.push_back(other);
    before += other > own || (other == own && j < latent);
  }
  std::sort(others.begin(), others.end(), std::greater<>());
  const bool room = k > static_cast<int64_t>(others.size());
  const double bar = room ? 0.0 : std::max(0.0, static_cast<double>(others[at(k - 1)]));
  return {before < k && own > 0, static_cast<double>(own) - bar};
}

class NearestProbesOf : public ::testing::TestWithParam<int64_t> {};

TEST_P(NearestProbesOf, AreThoseThatTheDefinitionNames) {
  const auto comm = parallel::Communicator::world();
  const auto probes = testing::make_probes(60, 4, 3, 3);
  const auto z = make_z(probes);
  const int64_t k = GetParam();
  const auto all = found(comm, probes, z, k);
  ASSERT_EQ(all.size(), at(latents));
  for (int64_t j = 0; j < latents; ++j) {
    std::map<Side, std::set<int32_t>> groups;
    std::map<Side, std::vector<Nearest>> shown;
    std::set<int64_t> seen;
    for (const Nearest& n : all[at(j)]) {
      EXPECT_EQ(probes.part[at(n.probe)], corpus::Part::verify);
      EXPECT_TRUE(groups[n.side].insert(probes.group[at(n.probe)]).second) << "a group twice";
      EXPECT_TRUE(seen.insert(n.probe).second) << "a probe twice";
      const auto [fires, margin] = margin_of(z, n.probe, j, k);
      EXPECT_EQ(fires, n.side != Side::silent);
      EXPECT_EQ(n.margin, margin);
      EXPECT_EQ(n.activation, fires ? static_cast<double>(z[at(n.probe * latents + j)]) : 0.0);
      shown[n.side].push_back(n);
    }
    std::set<int32_t> firing_groups;
    double most_silent = -100, least_firing = 100, strongest = 0;
    for (const int64_t probe : probes.of(corpus::Part::verify)) {
      const auto [fires, margin] = margin_of(z, probe, j, k);
      if (fires) firing_groups.insert(probes.group[at(probe)]);
      (fires ? least_firing : most_silent) =
          fires ? std::min(least_firing, margin) : std::max(most_silent, margin);
      if (fires && !seen.contains(probe))
        strongest = std::max(strongest, static_cast<double>(z[at(probe * latents + j)]));
    }
    EXPECT_EQ(shown[Side::weakest].size(), std::min(NearestProbes::most_weakest, firing_groups.size() / 3));
    if (!shown[Side::weakest].empty()) {
      EXPECT_EQ(shown[Side::weakest].front().margin, least_firing);
    }
    EXPECT_LE(shown[Side::strongest].size(), NearestProbes::most_strongest);
    ASSERT_FALSE(shown[Side::strongest].empty());
    EXPECT_GE(shown[Side::strongest].front().activation, strongest);
    if (k < latents) {
      EXPECT_EQ(shown[Side::silent].size(), NearestProbes::most_silent);
      EXPECT_EQ(shown[Side::silent].front().margin, most_silent);
    }
    EXPECT_TRUE(std::is_sorted(shown[Side::strongest].begin(), shown[Side::strongest].end(),
                               [](const auto& a, const auto& b) { return a.activation > b.activation; }));
    EXPECT_TRUE(std::is_sorted(shown[Side::silent].begin(), shown[Side::silent].end(),
                               [](const auto& a, const auto& b) { return a.margin > b.margin; }));
  }
}

TEST_P(NearestProbesOf, AreTheSameForAnyNumberOfRanks) {
  const auto comm = parallel::Communicator::world();
  const auto probes = testing::make_probes(60, 4, 3, 3);
  const auto z = make_z(probes);
  const auto all = found(comm, probes, z, GetParam()),
             alone = found(parallel::Communicator::self(), probes, z, GetParam());
  for (std::size_t j = 0; j < all.size(); ++j) {
    ASSERT_EQ(all[j].size(), alone[j].size());
    for (std::size_t i = 0; i < all[j].size(); ++i) {
      EXPECT_EQ(all[j][i].probe, alone[j][i].probe);
      EXPECT_EQ(all[j][i].side, alone[j][i].side);
      EXPECT_EQ(all[j][i].margin, alone[j][i].margin);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kept, NearestProbesOf, ::testing::Values(1, 2, latents));

TEST(NearestProbes, RefuseWhatDoesNotFit) {
  const auto probes = testing::make_probes(6, 1, 3, 3);
  NearestProbes nearest(probes, latents, 1);
  EXPECT_THROW(nearest.see(0, std::vector<float>(latents + 1)), Error);
  EXPECT_THROW(nearest.see(6, std::vector<float>(latents)), Error);
}

}  // namespace
}  // namespace incipit::interpret
