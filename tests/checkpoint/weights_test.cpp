#include "checkpoint/weights.hpp"

#include <bit>
#include <cmath>

#include "../support.hpp"
#include "random.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

class WeightsTest : public test::FolderTest {
 protected:
  void refuses(Exit code, const std::vector<std::string>& parts) const {
    test::expect_error(code, parts, [&] { (void)Weights::open(folder_); });
  }
};

TEST_F(WeightsTest, ReadsAllTypes) {
  write("model.safetensors",
        safetensors_file({{"half", "F16", {2, 2}, bytes_of<uint16_t>({0x3c00, 0xc000, 0x0001, 0x7c00})},
                          {"brain", "BF16", {2}, bytes_of<uint16_t>({0x3f80, 0xc000})},
                          {"single", "F32", {1, 3}, bytes_of<float>({1.5f, -2.0f, 3.0f})},
                          {"double", "F64", {2}, bytes_of<double>({0.1, 1e300})},
                          {"mask", "U8", {3}, "abc"}}));
  const Weights weights = Weights::open(folder_);
  EXPECT_EQ(weights.format(), "safetensors");
  EXPECT_EQ(weights.files(), (std::vector<fs::path>{folder_ / "model.safetensors"}));
  EXPECT_EQ(weights.bytes(), 8u + 4 + 12 + 16 + 3);
  EXPECT_EQ(weights.read(weights.at("half")), (std::vector<float>{1, -2, 0x1p-24f, INFINITY}));
  EXPECT_EQ(weights.read(weights.at("brain")), (std::vector<float>{1, -2}));
  EXPECT_EQ(weights.read(weights.at("single")), (std::vector<float>{1.5f, -2, 3}));
  EXPECT_EQ(weights.read(weights.at("double")), (std::vector<float>{0.1f, INFINITY}));
  EXPECT_EQ(weights.find("none"), nullptr);
  test::expect_error(Exit::data, {"none", "missing"}, [&] { (void)weights.at("none"); });
  test::expect_error(Exit::data, {"mask", "U8"}, [&] { (void)weights.read(weights.at("mask")); });
}

TEST_F(WeightsTest, PassesNaNOn) {
  write("model.safetensors", safetensors_file({{"a", "F16", {1}, bytes_of<uint16_t>({0x7e00})}}));
  const Weights weights = Weights::open(folder_);
  EXPECT_TRUE(std::isnan(weights.read(weights.at("a")).front()));
}

/// Larger than a block of the reader, odd, and any subset of rows.
TEST_F(WeightsTest, ReadsAnyRows) {
  constexpr int64_t rows = 301, columns = 1117;
  std::vector<uint16_t> halves;
  Random random(1, Purpose::test, 0);
  for (int64_t i = 0; i < rows * columns; ++i) halves.push_back(static_cast<uint16_t>(random.below(0x7c00)));
  write("model.safetensors",
        safetensors_file({{"before", "U8", {3}, "abc"}, {"a", "F16", {rows, columns}, bytes_of(halves)}}));
  const Weights weights = Weights::open(folder_);
  const Tensor& tensor = weights.at("a");
  const std::vector<float> all = weights.read(tensor);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int exponent = halves[i] >> 10, fraction = halves[i] & 0x3ff;
    const double value =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(all[i], static_cast<float>(value)) << i;
  }
  for (int trial = 0; trial < 50; ++trial) {
    const auto first = static_cast<int64_t>(random.below(rows));
    const auto count = static_cast<int64_t>(random.below(static_cast<uint64_t>(rows - first + 1)));
    std::vector<float> some(static_cast<std::size_t>(count * columns));
    weights.read(tensor, first, count, some);
    EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin() + first * columns)) << first << " " << count;
  }
  std::vector<float> two(2 * columns);
  test::expect_error(Exit::defect, {"rows 300 to 302"}, [&] { weights.read(tensor, 300, 2, two); });
  test::expect_error(Exit::defect, {}, [&] { weights.read(tensor, 0, 1, two); });
  test::expect_error(Exit::defect, {}, [&] { weights.read(tensor, -1, 2, two); });
}

TEST_F(WeightsTest, ReadsRawBytes) {
  write("model.safetensors", safetensors_file({{"a", "U8", {6}, "abcdef"}}));
  const Weights weights = Weights::open(folder_);
  std::string bytes(3, ' ');
  weights.read_raw(weights.at("a"), 2, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  EXPECT_EQ(bytes, "cde");
  test::expect_error(Exit::defect, {}, [&] {
    weights.read_raw(weights.at("a"), 4, std::as_writable_bytes(std::span(bytes.data(), bytes.size())));
  });
}

TEST_F(WeightsTest, AFileThatShrinksIsAnInputError) {
  const auto path =
      write("model.safetensors", safetensors_file({{"a", "F16", {100}, std::string(200, 'x')}}));
  const Weights weights = Weights::open(folder_);
  fs::resize_file(path, fs::file_size(path) - 50);
  test::expect_error(
      Exit::io, {"model.safetensors", "'a'", "at byte " + std::to_string(fs::file_size(path)), "shorter"},
      [&] { (void)weights.read(weights.at("a")); });
}

TEST_F(WeightsTest, MovesKeepFilesOpen) {
  write("model.safetensors", safetensors_file({{"a", "F32", {1}, bytes_of<float>({7})}}));
  Weights first = Weights::open(folder_);
  Weights second = std::move(first);
  EXPECT_EQ(second.read(second.at("a")), std::vector<float>{7});
}

TEST_F(WeightsTest, ReadsShards) {
  write("one.safetensors", safetensors_file({{"a", "F32", {1}, bytes_of<float>({1})}}));
  write("two.safetensors", safetensors_file({{"b", "F32", {1}, bytes_of<float>({2})}}));
  write("model.safetensors.index.json",
        R"({"metadata": {"total_size": 8}, "weight_map": {"b": "two.safetensors", "a": "one.safetensors"}})");
  const Weights weights = Weights::open(folder_);
  ASSERT_EQ(weights.files().size(), 2u);
  EXPECT_EQ(weights.files()[1], folder_ / "two.safetensors");
  EXPECT_EQ(weights.at("b").file, 1);
  EXPECT_EQ(weights.read(weights.at("a")), std::vector<float>{1});
  EXPECT_EQ(weights.read(weights.at("b")), std::vector<float>{2});
}

TEST_F(WeightsTest, RefusesFaultyShards) {
  const auto index = [&](const std::string& map) {
    write("model.safetensors.index.json", R"({"weight_map": )" + map + "}");
  };
  write("one.safetensors", safetensors_file({{"a", "F32", {1}, bytes_of<float>({1})}}));
  write("two.safetensors", safetensors_file({{"b", "F32", {1}, bytes_of<float>({2})}}));
  index(R"({"a": "one.safetensors", "c": "three.safetensors"})");
  refuses(Exit::data, {"three.safetensors", "missing"});
  index(R"({"a": "one.safetensors", "c": "two.safetensors", "b": "two.safetensors"})");
  refuses(Exit::data, {"two.safetensors", "'c'"});
  index(R"({"c": "one.safetensors", "b": "two.safetensors"})");
  refuses(Exit::data, {"one.safetensors", "'a'", "does not name it"});
  index(R"({"a": "two.safetensors", "b": "one.safetensors"})");
  refuses(Exit::data, {"says it is in"});
  index(R"({"a": "../one.safetensors"})");
  refuses(Exit::data, {"index.json", "'a'"});
  index(R"({"a": 3})");
  refuses(Exit::data, {"index.json", "'a'"});
  index(R"({"a": "one.safetensors", "a": "two.safetensors"})");
  refuses(Exit::data, {"twice"});
  index("{}");
  refuses(Exit::data, {"weight_map"});
  index("[");
  refuses(Exit::data, {"index.json", "JSON"});
}

TEST_F(WeightsTest, RefusesFoldersWithoutWeights) {
  refuses(Exit::data, {"model.safetensors", "no weights"});
  write("pytorch_model-00001-of-00002.bin", "PK");
  refuses(Exit::data, {"no weights", "pytorch_model.bin.index.json"});
  test::expect_error(Exit::io, {"nowhere"}, [&] { (void)Weights::open(folder_ / "nowhere"); });
}

TEST_F(WeightsTest, RefusesEveryTruncation) {
  const std::string whole = safetensors_file({{"a", "F32", {3}, bytes_of<float>({1, 2, 3})}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write("model.safetensors", whole.substr(0, size));
    refuses(Exit::data, {"model.safetensors"});
  }
}

}  // namespace
}  // namespace incipit::checkpoint
