#include "store/writer.hpp"

#include <sys/mount.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "fixture.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "random.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"
#include "store/reader.hpp"

namespace incipit::store {
namespace {

using Shape = std::vector<std::int64_t>;
const About about{"1", "a test"};

template <class T>
std::vector<T> counting(std::int64_t n) {
  std::vector<T> values(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i % 113);
  return values;
}

class WriterTest : public FolderTest {};

TEST_F(WriterTest, KeepsEveryTypeAndShape) {
  const auto path = folder_ / "all.h5";
  const std::vector<Half> halves{{0x3C00}, {0xC000}, {0x7BFF}};
  {
    Writer writer(world_, path, example_header());
    writer.write<float>("a/f32", {2, 3, 5}, counting<float>(30), about);
    writer.write<double>("a/f64", {1}, counting<double>(1), about);
    writer.write<std::int8_t>("i8", {7}, counting<std::int8_t>(7), about);
    writer.write<std::uint8_t>("u8", {3, 1}, counting<std::uint8_t>(3), about);
    writer.write<std::int32_t>("i32", {129}, counting<std::int32_t>(129), about);
    writer.write<std::int64_t>("a/b/i64", {5, 2}, counting<std::int64_t>(10), about);
    writer.write<Half>("f16", {3}, halves, about);
    writer.write<float>("empty", {0, 4}, std::vector<float>{}, about);
    writer.scalar<double>("one", 2.5, about);
    EXPECT_TRUE(writer.collective()) << writer.why_not_collective();
    writer.commit();
  }
  const Reader reader(path, "activations");
  EXPECT_EQ(reader.read<float>("a/f32"), counting<float>(30));
  EXPECT_EQ(reader.shape("a/f32"), (Shape{2, 3, 5}));
  EXPECT_EQ(reader.read<double>("a/f64"), counting<double>(1));
  EXPECT_EQ(reader.read<std::int8_t>("i8"), counting<std::int8_t>(7));
  EXPECT_EQ(reader.read<std::uint8_t>("u8"), counting<std::uint8_t>(3));
  EXPECT_EQ(reader.read<std::int32_t>("i32"), counting<std::int32_t>(129));
  EXPECT_EQ(reader.read<std::int64_t>("a/b/i64"), counting<std::int64_t>(10));
  EXPECT_EQ(reader.read<float>("f16"), (std::vector<float>{1, -2, 65504}));
  EXPECT_EQ(reader.type("f16"), "float16");
  EXPECT_TRUE(reader.read<float>("empty").empty());
  EXPECT_EQ(reader.shape("empty"), (Shape{0, 4}));
  EXPECT_EQ(reader.scalar<double>("one"), 2.5);
  EXPECT_TRUE(reader.shape("one").empty());
  EXPECT_EQ(reader.children("a"), (std::vector<std::string>{"f32", "f64", "b"}));
  EXPECT_EQ(reader.attribute_string("a/f32", "long_name"), "a test");
  world_.barrier();
  EXPECT_EQ(files_in_folder(), 1U);
}

TEST_F(WriterTest, SaysAtTheRootWhereItComesFrom) {
  const auto path = folder_ / "root.h5";
  Header mine = example_header();
  // Nodes differ; rank 0 counts.
  if (!world_.root()) mine.cpu = "another cpu";
  Writer writer(world_, path, mine);
  writer.timing("extract", 1.5 + world_.rank());
  writer.commit();
  const Reader reader(path);
  EXPECT_EQ(reader.kind(), "activations");
  EXPECT_EQ(
      reader.attributes(""),
      (std::vector<std::string>{"format", "format_version", "program_version", "commit", "libraries",
                                "device", "cpu", "precision", "seed", "split", "fingerprint", "created"}));
  EXPECT_EQ(reader.attribute_string("", "format"), "incipit/activations");
  EXPECT_EQ(reader.attribute_string("", "format_version"), "1.0");
  EXPECT_EQ(reader.attribute_string("", "cpu"), "a cpu");
  EXPECT_NE(reader.attribute_string("", "program_version"), "");
  EXPECT_NE(reader.attribute_string("", "commit"), "");
  EXPECT_EQ(reader.attribute_number("", "seed"), 18446744073709551615.0);
  EXPECT_EQ(reader.fingerprint(), "f00d");
  EXPECT_EQ(reader.deck(), example_header().deck);
  ASSERT_EQ(reader.inputs().size(), 2U);
  EXPECT_EQ(reader.inputs()[1].path, "probes.jsonl");
  EXPECT_EQ(reader.inputs()[1].sha256, "def");
  EXPECT_EQ(reader.attribute_integer("timing", "ranks"), world_.size());
  EXPECT_EQ(reader.strings("timing/phase"), std::vector<std::string>{"extract"});
  EXPECT_EQ(reader.read<double>("timing/seconds"), std::vector<double>{1.5});
  EXPECT_EQ(reader.strings("timing/operational").front(), "run.threads = 2\n");
}

TEST_F(WriterTest, KeepsTexts) {
  const auto path = folder_ / "texts.h5";
  const std::vector<std::string> texts{"", "a", "Straße — 語", std::string("nul\0end", 7), "", "x"};
  const std::string long_text(300000, 'd');
  {
    Writer writer(world_, path, example_header());
    writer.strings("texts", {2, 3}, texts, about);
    writer.strings("all_empty", {3}, {"", "", ""}, about);
    writer.strings("none", {0}, {}, about);
    writer.strings("long", {}, {long_text}, about);
    writer.attribute("", "note", std::string("größer"));
    writer.attribute("texts", "empty", std::string());
    writer.attribute("anchors/time", "step", std::int64_t{143000});
    writer.attribute("anchors/time", "depth", 0.25);
    EXPECT_TRUE(writer.collective()) << writer.why_not_collective();
    writer.commit();
  }
  const Reader reader(path);
  auto expected = texts;
  expected[3] =
      "nul\xE2\x90\x80"
      "end";
  EXPECT_EQ(reader.strings("texts"), expected);
  EXPECT_EQ(reader.shape("texts"), (Shape{2, 3}));
  EXPECT_EQ(reader.strings("all_empty"), (std::vector<std::string>{"", "", ""}));
  EXPECT_TRUE(reader.strings("none").empty());
  EXPECT_EQ(reader.strings("long").front(), long_text);
  EXPECT_EQ(reader.attribute_string("", "note"), "größer");
  EXPECT_EQ(reader.attribute_string("texts", "empty"), "");
  EXPECT_EQ(reader.attribute_integer("anchors/time", "step"), 143000);
  EXPECT_EQ(reader.attribute_number("anchors/time", "depth"), 0.25);
  EXPECT_TRUE(reader.is_group("anchors/time"));
}

TEST_F(WriterTest, WritesSlabsInRoundsWithRanksThatHaveNothing) {
  const auto path = folder_ / "slabs.h5";
  const Shape shape{3, 11, 7};
  const auto value = [](std::int64_t l, std::int64_t p, std::int64_t d) {
    return static_cast<float>((l * 11 + p) * 7 + d);
  };
  // Limits in bytes: one number, a part of a row, some rows, all.
  for (const std::int64_t limit :
       {std::int64_t{1}, std::int64_t{12}, std::int64_t{100}, std::int64_t{1} << 20}) {
    Writer writer(world_, path, example_header());
    writer.set_transfer_limit(limit);
    writer.create<float>("residual", shape, about, {"layer", "probe", "d"});
    // The probes are shared out over all ranks but the last; layer 1 is written by nobody but rank 0.
    const int writers = std::max(1, world_.size() - 1);
    for (std::int64_t layer = 0; layer < shape[0]; ++layer) {
      parallel::BlockRange block{0, 0};
      if (layer == 1) {
        if (world_.root()) block = {0, shape[1]};
      } else if (world_.rank() < writers) {
        block = parallel::block_of(shape[1], writers, world_.rank());
      }
      std::vector<float> mine;
      for (std::int64_t p = block.begin; p < block.end; ++p) {
        for (std::int64_t d = 0; d < shape[2]; ++d) mine.push_back(value(layer, p, d));
      }
      writer.write_slab<float>("residual", {layer, block.begin, 0}, {1, block.size(), shape[2]}, mine);
    }
    EXPECT_TRUE(writer.collective()) << writer.why_not_collective();
    writer.commit();
    const std::vector<float> all = Reader(path).read<float>("residual", {3, -1, 7});
    for (std::size_t i = 0; i < all.size(); ++i)
      ASSERT_EQ(all[i], static_cast<float>(i)) << "limit " << limit;
    world_.barrier();
  }
}

TEST_F(WriterTest, AttachesScalesInEachGroup) {
  const auto path = folder_ / "scales.h5";
  {
    Writer writer(world_, path, example_header());
    writer.write<std::int32_t>("layer", {2}, std::vector<std::int32_t>{0, 5}, about, {"layer"});
    writer.write<float>("residual", {2, 3}, counting<float>(6), about, {"layer", "probe"});
    // The scale may come after those it labels, and lie elsewhere.
    writer.write<float>("curves/time/auc", {2, 3}, counting<float>(6), about, {"point", "subject"});
    writer.strings("curves/time/point", {2}, {"p", "q"}, about, {"point"});
    writer.strings("curves/time/subject", {3}, {"a", "b", "c"}, about);
    writer.write<float>("other/x", {2}, counting<float>(2), about, {"curves/time/point"});
    writer.write<float>("alone", {4}, counting<float>(4), about);
    writer.make_scale("alone");
    writer.commit();
  }
  const Reader reader(path);
  EXPECT_EQ(reader.axes("residual"), (std::vector<std::string>{"layer", "probe"}));
  EXPECT_EQ(reader.axes("curves/time/auc"), (std::vector<std::string>{"point", "subject"}));
  EXPECT_EQ(reader.axes("other/x"), std::vector<std::string>{"curves/time/point"});
  EXPECT_EQ(reader.axes("layer"), std::vector<std::string>{"layer"});
  EXPECT_EQ(reader.axes("alone"), std::vector<std::string>{"alone"});
  EXPECT_TRUE(reader.is_bare_dimension("probe"));
  EXPECT_FALSE(reader.is_bare_dimension("layer"));
  EXPECT_EQ(reader.shape("probe"), Shape{3});
}

TEST_F(WriterTest, ManyDatasetsOnOneScale) {
  const auto path = folder_ / "many.h5";
  const int datasets = 300;
  {
    Writer writer(world_, path, example_header());
    for (int i = 0; i < datasets; ++i) {
      writer.write<float>("g/x" + std::to_string(i), {3}, counting<float>(3), about, {"subject"});
    }
    for (int i = 0; i < 40; ++i) writer.attribute("g", "a" + std::to_string(i), std::int64_t{i});
    writer.commit();
  }
  const Reader reader(path);
  EXPECT_EQ(reader.axes("g/x299"), std::vector<std::string>{"subject"});
  EXPECT_EQ(reader.children("g").size(), datasets + 1U);
  EXPECT_EQ(reader.children("g")[123], "x123");
  EXPECT_EQ(reader.attributes("g").size(), 40U);
}

TEST_F(WriterTest, EqualRunsMakeEqualBytes) {
  const auto write = [&](const std::string& name) {
    Writer writer(world_, folder_ / name, example_header());
    writer.write<float>("g/x", {50, 3}, counting<float>(150), about, {"row", "d"});
    writer.strings("g/t", {2}, {"a", "bc"}, about);
    writer.commit();
  };
  write("a.h5");
  // The creation time, in whole seconds, is in a root attribute; datasets must be equal even when it differs.
  const Reader a(folder_ / "a.h5");
  write("b.h5");
  const Reader b(folder_ / "b.h5");
  EXPECT_EQ(a.read<float>("g/x"), b.read<float>("g/x"));
  if (a.attribute_string("", "created") == b.attribute_string("", "created")) {
    EXPECT_EQ(sha256_file(folder_ / "a.h5"), sha256_file(folder_ / "b.h5"));
  }
}

TEST_F(WriterTest, ReplacesAnOldFileOnlyWhenDone) {
  const auto path = folder_ / "x.h5";
  if (world_.root()) write_text_atomic(path, "the old file");
  world_.barrier();
  {
    Writer writer(world_, path, example_header());
    writer.write<float>("x", {3}, counting<float>(3), about);
    EXPECT_EQ(read_text(path), "the old file");
    world_.barrier();
  }
  world_.barrier();
  EXPECT_EQ(read_text(path), "the old file");
  EXPECT_EQ(files_in_folder(), 1U) << "the temporary file is still there";
}

TEST_F(WriterTest, ARankThatFailsTakesTheOthersOutOfTheirNextCall) {
  const auto path = folder_ / "x.h5";
  const int failing = world_.size() - 1;
  bool agreed = false;
  try {
    parallel::together(world_, "extract", [&] {
      Writer writer(world_, path, example_header());
      writer.write<float>("x", {3}, counting<float>(3), about);
      if (world_.rank() == failing) throw Error(Exit::numbers, "NaN in layer 3");
      writer.write<float>("y", {3}, counting<float>(3), about);
      writer.commit();
    });
  } catch (const parallel::Agreed& error) {
    agreed = true;
    EXPECT_EQ(error.code(), Exit::numbers);
    EXPECT_STREQ(error.what(), "extract: NaN in layer 3");
    EXPECT_EQ(error.speaker(), world_.rank() == failing);
  }
  EXPECT_TRUE(agreed);
  world_.barrier();
  EXPECT_EQ(files_in_folder(), 0U);
}

TEST_F(WriterTest, RefusesRanksThatDisagree) {
  if (world_.size() == 1) GTEST_SKIP() << "needs two ranks";
  expect_error(Exit::defect, {"ranks do different things"}, [&] {
    Writer writer(world_, folder_ / "x.h5", example_header());
    const std::int64_t n = world_.root() ? 2 : 3;
    writer.write<float>("x", {n}, counting<float>(n), about);
  });
}

TEST_F(WriterTest, RefusesMisuse) {
  Writer writer(world_, folder_ / "x.h5", example_header());
  writer.create<float>("x", {4, 2}, about, {"a", "b"});
  const std::vector<float> two(2);
  expect_error(Exit::defect, {"/x", "hyperslab", "[4, 0]"}, [&] {
    writer.write_slab<float>("x", {4, 0}, {1, 2}, two);
  });
  expect_error(Exit::defect, {"another type"}, [&] {
    writer.write_slab<double>("x", {0, 0}, {1, 2}, std::vector<double>(2));
  });
  expect_error(Exit::defect, {"/nowhere"}, [&] { writer.write_slab<float>("nowhere", {0}, {2}, two); });
  expect_error(Exit::defect, {"/y", "units"}, [&] { writer.create<float>("y", {1}, {"", "name"}); });
  expect_error(Exit::defect, {"/x", "twice"}, [&] { writer.create<float>("x", {1}, about); });
  expect_error(Exit::defect, {"/y", "2 axes"}, [&] { writer.create<float>("y", {1}, about, {"a", "b"}); });
  expect_error(Exit::defect, {"/y", "[3]", "2 numbers"}, [&] { writer.write<float>("y", {3}, two, about); });
  expect_error(Exit::defect, {"64 kB"}, [&] { writer.attribute("", "big", std::string(70000, 'x')); });
  // What is not filled is not published.
  expect_error(Exit::defect, {"/x", "0 numbers"}, [&] { writer.commit(); });
  world_.barrier();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.h5"));
}

TEST_F(WriterTest, RefusesAxesThatDoNotFit) {
  Writer writer(world_, folder_ / "x.h5", example_header());
  writer.write<float>("x", {3}, counting<float>(3), about, {"d"});
  writer.write<float>("y", {4}, counting<float>(4), about, {"d"});
  expect_error(Exit::defect, {"/y", "axis d", "4", "3"}, [&] { writer.commit(); });
}

TEST_F(WriterTest, NamesAFolderThatIsNotThere) {
  const auto path = folder_ / "nowhere" / "x.h5";
  expect_error(Exit::io, {path.string(), "No such file"},
               [&] { const Writer writer(world_, path, example_header()); });
}

TEST_F(WriterTest, AFullDiskIsAnErrorOnAllRanksNotAHang) {
  const auto small = folder_ / "small";
  bool mounted = false;
  if (world_.root()) {
    std::filesystem::create_directory(small);
    mounted = mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") == 0;
  }
  if (!world_.any(mounted)) GTEST_SKIP() << "only root can mount the small file system this test fills";
  const auto write = [&](std::int64_t rows) {
    Writer writer(world_, small / "x.h5", example_header());
    writer.write<float>("x", {rows}, counting<float>(rows), about);
    writer.commit();
  };
  expect_error(Exit::io, {"x.h5", "No space left"}, [&] { write(1000000); });
  world_.barrier();
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(small), {}), 0);
  world_.barrier();
  write(1000);  // fits
  struct stat status {};
  if (world_.root() && stat((small / "x.h5").c_str(), &status) == 0) {
    EXPECT_LT(status.st_blocks * 512, status.st_size + 8192) << "reserved space was not given back";
  }
  // Now even the beginning of a file does not.
  if (world_.root()) {
    const auto left = std::filesystem::space(small).available;
    write_text_atomic(small / "filler", std::string(left - (8 << 10), 'x'));
  }
  world_.barrier();
  expect_error(Exit::io, {"y.h5", "No space left"},
               [&] { const Writer writer(world_, small / "y.h5", example_header()); });
  world_.barrier();
  const bool unmounted = !world_.root() || umount2(small.c_str(), MNT_DETACH) == 0;
  EXPECT_TRUE(unmounted);
}

TEST_F(WriterTest, RefusesHintsThatAreNoPairs) {
  Header header = example_header();
  header.mpi_hints = "cb_nodes=1;striping";
  expect_error(Exit::usage, {"run.mpi_hints", "striping"},
               [&] { const Writer writer(world_, folder_ / "x.h5", header); });
  header.mpi_hints = "cb_nodes=1;cb_buffer_size=1048576";
  Writer writer(world_, folder_ / "x.h5", header);
  writer.commit();
  EXPECT_EQ(Reader(folder_ / "x.h5").fingerprint(), "f00d");
}

}  // namespace
}  // namespace incipit::store
