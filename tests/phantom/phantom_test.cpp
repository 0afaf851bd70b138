#include "phantom/phantom.hpp"

#include <gtest/gtest.h>

#include <map>

#include "../support.hpp"
#include "error.hpp"
#include "phantom/plan.hpp"
#include "small.hpp"
#include "store/hash.hpp"
#include "store/reader.hpp"

namespace incipit::phantom {
namespace {

namespace fs = std::filesystem;

using PhantomTest = test::FolderTest;

store::Header header() {
  store::Header header;
  header.precision = header.device = header.cpu = header.split = header.libraries = "test";
  return header;
}

/// Hashes of all files but truth.h5, which bears its date.
std::map<std::string, std::string> hashes(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename() != "truth.h5")
      found[fs::relative(entry.path(), folder).string()] = store::sha256_file(entry.path());
  return found;
}

TEST_F(PhantomTest, SeedDecidesEveryByte) {
  (void)write_phantom(folder_ / "a", small(1), header());
  (void)write_phantom(folder_ / "b", small(1), header());
  (void)write_phantom(folder_ / "c", small(2), header());
  const auto a = hashes(folder_ / "a"), c = hashes(folder_ / "c");
  EXPECT_EQ(a, hashes(folder_ / "b"));
  ASSERT_EQ(a.size(), 4U + 2 * (14 + 1));
  for (const auto& [name, hash] : a) {
    const auto other = c.find(name);
    ASSERT_NE(other, c.end());
    if (!name.ends_with("config.json")) {
      EXPECT_NE(other->second, hash) << name;
    }
  }
  const store::Reader first(folder_ / "a" / "truth.h5", "truth"), again(folder_ / "b" / "truth.h5", "truth");
  EXPECT_EQ(first.read<double>("directions/nuisances"), again.read<double>("directions/nuisances"));
  EXPECT_EQ(first.read<std::int8_t>("state"), again.read<std::int8_t>("state"));
}

TEST_F(PhantomTest, TruthSaysWhatThePlanSays) {
  const Options options = small(7);
  const Summary summary = write_phantom(folder_ / "a", options, header());
  EXPECT_EQ(summary.checkpoints, 15);
  EXPECT_EQ(summary.dips, 8);
  const Plan plan = draw_plan(options);
  const store::Reader truth(folder_ / "a" / "truth.h5", "truth");
  const auto share = truth.read<double>("share", {2, 14, 6, 6});
  const auto known = truth.read<std::int64_t>("known", {2, 14, 6});
  std::size_t i = 0;
  for (std::size_t m = 0; m < 2; ++m)
    for (std::size_t s = 0; s < 14; ++s)
      for (int64_t l = 0; l < 6; ++l)
        for (std::size_t c = 0; c < 6; ++c, ++i) {
          if (l > plan.model[m].layers) {
            EXPECT_TRUE(std::isnan(share[i]));
          } else {
            EXPECT_EQ(share[i], plan.share(m, s, l, c));
          }
          EXPECT_EQ(known[(m * 14 + s) * 6 + c], plan.known(m, s, c));
        }
  const auto low = truth.read<std::int64_t>("onset_low"), high = truth.read<std::int64_t>("onset_high");
  for (std::size_t c = 0; c < 6; ++c) {
    EXPECT_EQ(low[c], plan.subject[c].exists ? plan.step[plan.onset(c) - 1] : -1);
    EXPECT_EQ(high[c], plan.subject[c].exists ? plan.step[plan.onset(c)] : -1);
  }
}

TEST_F(PhantomTest, NullPhantomsHoldNothing) {
  Options options = small(3);
  options.never = options.subjects;
  const Summary summary = write_phantom(folder_ / "a", options, header());
  EXPECT_EQ(summary.planted, 0);
  EXPECT_EQ(summary.dips, 0);
  const store::Reader truth(folder_ / "a" / "truth.h5", "truth");
  for (const double share : truth.read<double>("share"))
    EXPECT_TRUE(std::isnan(share) || share == 0) << share;
}

TEST_F(PhantomTest, NothingIsWrittenOver) {
  write("a/notes", "mine");
  test::expect_error(Exit::usage, {"not an empty folder", "--out"},
                     [&] { (void)write_phantom(folder_ / "a", small(1), header()); });
  EXPECT_EQ(hashes(folder_ / "a").size(), 1U);
}

}  // namespace
}  // namespace incipit::phantom
