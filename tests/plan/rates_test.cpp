#include "plan/rates.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "../support.hpp"

namespace incipit::plan {
namespace {

TEST(Ladder, IsAPowerBetweenWidthsAndLevelBeyondThem) {
  const Ladder ladder{{16, 64, 256}, {1e9, 4e9, 2e9}};
  EXPECT_DOUBLE_EQ(ladder.at(1), 1e9);
  EXPECT_DOUBLE_EQ(ladder.at(16), 1e9);
  EXPECT_NEAR(ladder.at(32), 2e9, 1);
  EXPECT_NEAR(ladder.at(64), 4e9, 1);
  EXPECT_NEAR(ladder.at(128), 2e9 * std::sqrt(2.0), 1);
  EXPECT_DOUBLE_EQ(ladder.at(4096), 2e9);
}

class RatesFile : public test::FolderTest {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_ / "machine.json"; }
  void replace(const std::string& what, const std::string& by) const {
    std::ifstream in(file());
    std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto at = text.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    std::ofstream(file()) << text.replace(at, what.size(), by);
  }
};

TEST_F(RatesFile, ComesBackAsItWasWritten) {
  Rates rates = assumed_rates(Kind::cuda, 4);
  rates.about = "a machine";
  rates.ranks = 8;
  rates.units["track"] = 12345;
  write_rates(file(), rates);
  const Rates back = read_rates(file(), {});
  EXPECT_EQ(back.source, file().string());
  EXPECT_EQ(back.about, "a machine");
  EXPECT_EQ(back.ranks, 8);
  EXPECT_EQ(back.threads, 4);
  EXPECT_EQ(back.forward.width, rates.forward.width);
  EXPECT_EQ(back.forward.rate, rates.forward.rate);
  EXPECT_EQ(back.train.rate, rates.train.rate);
  EXPECT_DOUBLE_EQ(back.read, rates.read);
  EXPECT_DOUBLE_EQ(back.read_all, rates.read_all);
  EXPECT_DOUBLE_EQ(back.write_all, rates.write_all);
  EXPECT_DOUBLE_EQ(back.file, rates.file);
  EXPECT_EQ(back.units, rates.units);
}

TEST_F(RatesFile, ComputingScalesWithThreads) {
  const Rates rates = assumed_rates(Kind::host, 2);
  write_rates(file(), rates);
  const Rates back = read_rates(file(), 6);
  EXPECT_EQ(back.threads, 6);
  EXPECT_DOUBLE_EQ(back.forward.at(64), 3 * rates.forward.at(64));
  EXPECT_DOUBLE_EQ(back.read, rates.read);
}

TEST_F(RatesFile, WhatIsWrongIsNamed) {
  const auto expect_refused = [&](const std::string& what) {
    test::expect_error(Exit::data, {file().string(), what},
                       [&] { static_cast<void>(read_rates(file(), {})); });
  };
  write_rates(file(), assumed_rates(Kind::host, 1));
  replace("incipit/machine", "incipit/emergence");
  expect_refused("incipit calibrate");
  write_rates(file(), assumed_rates(Kind::host, 1));
  replace("\"read_all\": 1000000000.0", "\"read_all\": -1");
  expect_refused("read_all");
  write_rates(file(), assumed_rates(Kind::host, 1));
  replace("1024.0", "8.0");  // widths that do not ascend
  expect_refused("ascending");
  write_rates(file(), assumed_rates(Kind::host, 1));
  replace("\"file\"", "\"fiel\"");
  expect_refused("file");
  std::ofstream(file()) << "{";
  expect_refused("machine.json");
}

}  // namespace
}  // namespace incipit::plan
