#include "deck/values.hpp"

#include <gtest/gtest.h>

#include "deck_files.hpp"

namespace incipit::deck {
namespace {

Text text(const std::string& value) {
  return {.key = "some.key", .value = value, .where = "here.ini:3", .base = "decks"};
}

template <class Read>
void expect_refused(Read read, const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    SCOPED_TRACE("'" + value + "'");
    const std::string message = usage_message([&] { read(text(value)); });
    expect_holds(message, "here.ini:3: some.key: found '" + value + "', expected ");
  }
}

TEST(Whole, TakesNumbersOfTheRangeAndNothingElse) {
  const auto read = whole<std::int64_t>(1, 100);
  EXPECT_EQ(read(text("1")), 1);
  EXPECT_EQ(read(text("100")), 100);
  expect_refused(read, {"0", "101", "-1", "", "1.0", "1e2", "0x10", "1 0", "ten", "99999999999999999999"});
  expect_holds(usage_message([&] { read(text("0")); }), "a whole number from 1 to 100");
}

TEST(Whole, SeedsTakeAll64Bits) {
  EXPECT_EQ(whole<std::uint64_t>(0)(text("18446744073709551615")), 18446744073709551615ULL);
  expect_refused(whole<std::uint64_t>(0), {"18446744073709551616", "-1"});
}

TEST(Real, TakesFiniteNumbersOfTheRange) {
  const auto read = real(0, 1);
  EXPECT_EQ(read(text("0.9")), 0.9);
  EXPECT_EQ(read(text("0")), 0.0);
  EXPECT_EQ(read(text("1e-3")), 1e-3);
  expect_refused(read, {"nan", "inf", "-inf", "1.0001", "-0.1", "", "0,9", "half"});
}

TEST(YesOrNo, UnderstandsUsualSpellings) {
  for (const char* yes : {"yes", "true", "on", "1"}) EXPECT_TRUE(yes_or_no(text(yes)));
  for (const char* no : {"no", "false", "off", "0"}) EXPECT_FALSE(yes_or_no(text(no)));
  expect_refused(yes_or_no, {"", "Yes", "y", "2", "maybe"});
}

TEST(Choice, NamesTheNearest) {
  const auto read = choice({"drop", "left", "error"});
  EXPECT_EQ(read(text("left")), "left");
  expect_refused(read, {"", "Drop", "drop,left", "right"});
  expect_holds(usage_message([&] { read(text("drp")); }), "drop, left or error (did you mean drop?)");
}

TEST(Size, KnowsBothKindsOfUnits) {
  EXPECT_EQ(size(text("8G")), 8ULL << 30U);
  EXPECT_EQ(size(text("8GiB")), 8ULL << 30U);
  EXPECT_EQ(size(text("8GB")), 8'000'000'000ULL);
  EXPECT_EQ(size(text("1.5 G")), 3ULL << 29U);
  EXPECT_EQ(size(text("512M")), 512ULL << 20U);
  EXPECT_EQ(size(text("4K")), 4096U);
  EXPECT_EQ(size(text("2T")), 2ULL << 40U);
  EXPECT_EQ(size(text("77B")), 77U);
  expect_refused(size,
                 {"8", "0G", "-8G", "8 g", "G", "", "8GG", "1.2.3G", "infG", "1e3G", "99999999T", "8Go"});
}

TEST(Size, SpellsWhatReadsBack) {
  EXPECT_EQ(spell_size(8ULL << 30U), "8GiB");
  EXPECT_EQ(spell_size(8'000'000'000ULL), "7812500KiB");
  for (const std::uint64_t bytes :
       {1ULL, 1023ULL, 1024ULL, 1025ULL, 1ULL << 40U, 1ULL << 55U, 123456789ULL}) {
    EXPECT_EQ(size(text(spell_size(bytes))), bytes);
  }
}

TEST(Duration, KnowsUnitsAndClockTimes) {
  EXPECT_EQ(duration(text("0")), 0);
  EXPECT_EQ(duration(text("90s")), 90);
  EXPECT_EQ(duration(text("45m")), 2700);
  EXPECT_EQ(duration(text("8h")), 28800);
  EXPECT_EQ(duration(text("1.5h")), 5400);
  EXPECT_EQ(duration(text("2d")), 172800);
  EXPECT_EQ(duration(text("08:00:00")), 28800);
  EXPECT_EQ(duration(text("100:59:59")), 363599);
  expect_refused(duration,
                 {"90", "8 hours", "-8h", "8:00", "00:60:00", "00:00:60", ":::", "", "1:2:3:4", "infs"});
}

TEST(Duration, SpellsWhatReadsBack) {
  for (const double seconds : {0.0, 0.001, 90.0, 0.1, 28800.0, 1e9, 12345.678}) {
    EXPECT_EQ(duration(text(spell_duration(seconds))), seconds);
  }
}

TEST(Words, AreTrimmedAndAppearOnce) {
  EXPECT_EQ(words(text("")), std::vector<std::string>{});
  EXPECT_EQ(words(text("computer science ,math")), (std::vector<std::string>{"computer science", "math"}));
  expect_refused(words, {",", "a,,b", "a,", ",a", "a,b,a"});
}

TEST(SomeOf, KeepsTheKnownOrder) {
  const auto read = some_of({"time", "space", "scale"});
  EXPECT_EQ(read(text("scale, time")), (std::vector<std::string>{"time", "scale"}));
  expect_refused(read, {"", "times", "time,time", "time,"});
  expect_holds(usage_message([&] { read(text("tme")); }), "did you mean time?");
}

TEST(NoneOrSomeOf, TakesTheWordNone) {
  const auto read = none_or_some_of({"time", "space"});
  EXPECT_EQ(read(text("none")), std::vector<std::string>());
  EXPECT_EQ(read(text("space,time")), (std::vector<std::string>{"time", "space"}));
  expect_refused(read, {"", "none,time", "no"});
  EXPECT_EQ(spell_or_none({}), "none");
  EXPECT_EQ(spell_or_none({"time", "space"}), "time, space");
}

TEST(ProbeTemplate, NeedsAField) {
  EXPECT_EQ(probe_template(text("{question}\\nSubject:")), "{question}\\nSubject:");
  EXPECT_EQ(probe_template(text("Q: {answer}")), "Q: {answer}");
  expect_refused(probe_template, {"", "question", "{Question}", "{ question }"});
}

TEST(Steps, AllListOrLog) {
  EXPECT_EQ(steps_selection(text("all")), "all");
  EXPECT_EQ(steps_selection(text("log:25")), "log:25");
  EXPECT_EQ(steps_selection(text("log: 025")), "log:25");
  EXPECT_EQ(steps_selection(text("143000, 0,1000")), "0,1000,143000");
  expect_refused(steps_selection,
                 {"", "log:", "log:0", "log:-3", "log:x", "0,,1", "0,0", "-1", "1.5", "ALL", "last"});
}

TEST(Layers, NeededAllOrList) {
  EXPECT_EQ(layers_selection(text("needed")), "needed");
  EXPECT_EQ(layers_selection(text("all")), "all");
  EXPECT_EQ(layers_selection(text("15,0,5")), "0,5,15");
  expect_refused(layers_selection, {"", "last", "0.5", "3-5", "1,1"});
}

TEST(AnchorSite, StepAndLayer) {
  EXPECT_EQ(anchor_step(text("last")), "last");
  EXPECT_EQ(anchor_step(text("0512")), "512");
  expect_refused(anchor_step, {"", "first", "-1", "0.5", "1e3", "1,2"});
  EXPECT_EQ(anchor_layer(text("last")), "last");
  EXPECT_EQ(anchor_layer(text("0")), "0");
  EXPECT_EQ(anchor_layer(text("0.50")), "0.5");
  EXPECT_EQ(anchor_layer(text(".25")), "0.25");
  expect_refused(anchor_layer, {"", "first", "-1", "1.0", "0.0", "1.5", "nan", "0.5x"});
}

TEST(Split, SharesOrNone) {
  EXPECT_EQ(split_shares(text("none")), "none");
  EXPECT_EQ(split_shares(text("2 : 1 : 1")), "2:1:1");
  expect_refused(split_shares, {"", "2:1", "2:1:1:1", "0:1:1", "2:1:-1", "2:1:x", "101:1:1", "::"});
}

TEST(Threshold, AutoOrCosine) {
  const auto read = real_text_or_auto(-1, 1);
  EXPECT_EQ(read(text("auto")), "auto");
  EXPECT_EQ(read(text("0.30")), "0.3");
  EXPECT_EQ(read(text("-1")), "-1");
  expect_refused(read, {"", "1.1", "nan", "Auto"});
}

TEST(Path, IsJoinedToItsBase) {
  EXPECT_EQ(path_under_base(text("nano")), "decks/nano");
  EXPECT_EQ(path_under_base(text("./nano/")), "decks/nano");
  EXPECT_EQ(path_under_base(text("../nano//x")), "nano/x");
  EXPECT_EQ(path_under_base(text("/data/nano")), "/data/nano");
  EXPECT_EQ(path_under_base(text("/")), "/");
  expect_refused(path_under_base, {""});
}

}  // namespace
}  // namespace incipit::deck
