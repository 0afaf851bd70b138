#include "align/file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "data.hpp"
#include "error.hpp"
#include "parallel/communicator.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::align {
namespace {

Alignment made(int64_t site) {
  const int64_t d = 4 + site, reference = 5, rank = 2 + site % 2;
  Alignment out;
  out.d_site = d;
  out.d_reference = reference;
  out.rank = rank;
  out.scale = 0.5 + static_cast<double>(site);
  out.projected = d > reference;
  out.left = test::noise(d, rank, static_cast<uint64_t>(100 + site)).data;
  out.right = test::noise(reference, rank, static_cast<uint64_t>(200 + site)).data;
  out.mean_site.assign(static_cast<size_t>(d), 0.25 * static_cast<double>(site));
  out.judgement = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 9.0 + static_cast<double>(site), site % 2 == 0};
  return out;
}

std::filesystem::path scratch(const char* name) {
  return std::filesystem::path(INCIPIT_BINARY_DIR) / "tests" / name;
}

store::Header header() {
  store::Header out;
  out.kind = "align";
  out.deck = "[run]\n";
  return out;
}

TEST(AlignFile, GivesBackWhatEachRankBrought) {
  const auto comm = parallel::Communicator::world();
  const auto path = scratch("align_file.h5");
  const std::vector<SiteName> sites = {{"a", 0, 1}, {"a", 16, 1}, {"bb", 16, 2}, {"bb", 512, 0}};
  std::vector<std::pair<int64_t, Alignment>> mine;
  for (const int64_t site : {0, 1, 3})  // the third was left out
    if (site % comm.size() == comm.rank()) mine.emplace_back(site, made(site));
  {
    store::Writer writer(comm, path, header());
    write_alignments(comm, writer, sites, mine);
    writer.commit();
  }
  const store::Reader reader(path, "align");
  const auto names = read_sites(reader);
  ASSERT_EQ(names.size(), sites.size());
  EXPECT_EQ(names[2].model, "bb");
  EXPECT_EQ(names[3].step, 512);
  EXPECT_EQ(names[1].layer, 1);
  for (const int64_t site : {0, 1, 3}) {
    const Alignment found = read_alignment(reader, site), expected = made(site);
    EXPECT_EQ(found.rank, expected.rank);
    EXPECT_EQ(found.left, expected.left);
    EXPECT_EQ(found.right, expected.right);
    EXPECT_EQ(found.mean_site, expected.mean_site);
    EXPECT_EQ(found.scale, expected.scale);
    EXPECT_EQ(found.projected, expected.projected);
    EXPECT_EQ(found.judgement.effective_rank, expected.judgement.effective_rank);
    EXPECT_EQ(found.judgement.cosine_correlation, 0.8);
    EXPECT_EQ(found.judgement.reliable, expected.judgement.reliable);
  }
  const Alignment none = read_alignment(reader, 2);
  EXPECT_EQ(none.rank, 0);
  EXPECT_TRUE(std::isnan(none.judgement.residual));
  EXPECT_FALSE(none.judgement.reliable);
}

TEST(AlignFile, RefusesASiteBroughtTwice) {
  const auto comm = parallel::Communicator::world();
  store::Writer writer(comm, scratch("align_twice.h5"), header());
  EXPECT_THROW(write_alignments(comm, writer, {{"a", 0, 0}}, {{0, made(0)}, {0, made(0)}}), Error);
}

}  // namespace
}  // namespace incipit::align
