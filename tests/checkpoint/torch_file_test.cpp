#include "checkpoint/torch_file.hpp"

#include "../support.hpp"
#include "random.hpp"
#include "torch_writer.hpp"

namespace incipit::checkpoint {
namespace {

class TorchFileTest : public test::FolderTest {
 protected:
  void refuses(const std::string& file, const std::vector<std::string>& parts) const {
    write("pytorch_model.bin", file);
    test::expect_error(Exit::data, parts, [&] { (void)Weights::open(folder_); });
  }
  Weights open(const std::string& file) const {
    write("pytorch_model.bin", file);
    return Weights::open(folder_);
  }
};

std::vector<float> counting(int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  return values;
}

/// A file of one storage of fp32 and some views of it.
std::string views_of(const std::vector<float>& storage, std::vector<PickledTensor> views) {
  for (PickledTensor& view : views) {
    view.storage_type = "FloatStorage";
    view.storage = "0";
    view.storage_size = static_cast<int64_t>(storage.size());
  }
  return zip_file({{"m/data.pkl", pickle::state_dict(views), 0, 0}, {"m/data/0", bytes_of(storage), 0, 0}});
}

TEST_F(TorchFileTest, ReadsAllTypes) {
  for (const bool wide : {false, true}) {
    const Weights weights =
        open(torch_file({{"half", "F16", {2, 2}, bytes_of<uint16_t>({0x3c00, 0xc000, 1, 0})},
                         {"brain", "BF16", {2}, bytes_of<uint16_t>({0x3f80, 0xc000})},
                         {"single", "F32", {1, 3}, bytes_of<float>({1.5F, -2.0F, 3.0F})},
                         {"double", "F64", {2}, bytes_of<double>({0.1, -4})},
                         {"mask", "U8", {3}, "abc"}},
                        wide));
    EXPECT_EQ(weights.format(), "torch");
    EXPECT_EQ(weights.read(weights.at("half")), (std::vector<float>{1, -2, 0x1p-24F, 0}));
    EXPECT_EQ(weights.read(weights.at("brain")), (std::vector<float>{1, -2}));
    EXPECT_EQ(weights.read(weights.at("single")), (std::vector<float>{1.5F, -2, 3}));
    EXPECT_EQ(weights.read(weights.at("double")), (std::vector<float>{0.1F, -4}));
    test::expect_error(Exit::data, {"mask", "U8"}, [&] { (void)weights.read(weights.at("mask")); });
  }
}

/// Every view of a storage, any rows of it, against the definition.
TEST_F(TorchFileTest, ReadsStridedAndSharedViews) {
  Random random(3, Purpose::test, 0);
  const std::vector<float> storage = counting(40000);
  const std::vector<PickledTensor> views{
      {"whole", "", "", 0, 0, {200, 200}, {200, 1}}, {"transposed", "", "", 0, 0, {200, 200}, {1, 200}},
      {"slice", "", "", 0, 17, {10, 30}, {200, 1}},  {"coarse", "", "", 0, 5, {20, 9}, {1000, 40}},
      {"every3", "", "", 0, 1, {70, 5}, {60, 3}},    {"cube", "", "", 0, 2, {5, 7, 11}, {1, 55, 5}},
      {"expanded", "", "", 0, 9, {4, 6}, {0, 1}},    {"constant", "", "", 0, 9, {4, 6}, {0, 0}},
      {"column", "", "", 0, 3, {200, 1}, {200, 1}},  {"vector", "", "", 0, 3, {150}, {200}},
      {"scalar", "", "", 0, 39999, {}, {}},          {"one", "", "", 0, 8, {1, 1}, {77, 33}}};
  const Weights weights = open(views_of(storage, views));
  for (const PickledTensor& view : views) {
    const Tensor& tensor = weights.at(view.name);
    std::vector<float> expected;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      int64_t rest = i, place = view.offset;
      for (std::size_t axis = view.shape.size(); axis-- > 0; rest /= view.shape[axis])
        place += rest % view.shape[axis] * view.stride[axis];
      expected.push_back(storage[static_cast<std::size_t>(place)]);
    }
    EXPECT_EQ(weights.read(tensor), expected) << view.name;
    for (int trial = 0; trial < 10; ++trial) {
      const auto first = static_cast<int64_t>(random.below(static_cast<uint64_t>(tensor.rows() + 1)));
      const auto rows = static_cast<int64_t>(random.below(static_cast<uint64_t>(tensor.rows() - first + 1)));
      std::vector<float> part(static_cast<std::size_t>(rows * tensor.row_size()));
      weights.read(tensor, first, rows, part);
      EXPECT_TRUE(std::equal(part.begin(), part.end(), expected.begin() + first * tensor.row_size()))
          << view.name << " rows " << first << " + " << rows;
    }
  }
  EXPECT_TRUE(weights.at("whole").stride.empty());
  EXPECT_TRUE(weights.at("one").stride.empty());
  EXPECT_FALSE(weights.at("transposed").stride.empty());
  std::vector<std::byte> one(1);
  test::expect_error(Exit::defect, {"transposed", "not contiguous"},
                     [&] { weights.read_raw(weights.at("transposed"), 0, one); });
}

TEST_F(TorchFileTest, ReadsShards) {
  write(
      "pytorch_model.bin.index.json",
      R"({"weight_map": {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}})");
  write("pytorch_model-00001-of-00002.bin", torch_file({{"a", "F32", {2}, bytes_of<float>({1, 2})}}));
  test::expect_error(Exit::data, {"00002-of-00002", "missing"}, [&] { (void)Weights::open(folder_); });
  write("pytorch_model-00002-of-00002.bin", torch_file({{"c", "F32", {2}, bytes_of<float>({3, 4})}}));
  test::expect_error(Exit::data, {"'c' is here", "does not name it"}, [&] { (void)Weights::open(folder_); });
  write("pytorch_model-00002-of-00002.bin", torch_file({{"b", "F32", {2}, bytes_of<float>({3, 4})}}));
  const Weights weights = Weights::open(folder_);
  EXPECT_EQ(weights.files().size(), 2u);
  EXPECT_EQ(weights.read(weights.at("b")), (std::vector<float>{3, 4}));
  // safetensors come first where both are there.
  write("model.safetensors", safetensors_file({{"a", "F32", {1}, bytes_of<float>({5})}}));
  EXPECT_EQ(Weights::open(folder_).format(), "safetensors");
}

TEST_F(TorchFileTest, SaysWhatItDoesNotRead) {
  refuses(std::string("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15) + "...",
          {"pytorch_model.bin", "before 1.6", "save it again"});
  refuses("", {"not a file of torch.save"});
  refuses("hello", {"not a file of torch.save"});
  refuses(zip_file({{"x", "y", 0, 0}}), {"no data.pkl"});
  refuses(zip_file({{"a/data.pkl", "", 0, 0}, {"b/data.pkl", "", 0, 0}}), {"two data.pkl"});
  refuses(zip_file({{"a/data.pkl", "", 0, 0}, {"a/constants.pkl", "", 0, 0}}), {"TorchScript"});
  refuses(zip_file({{"a/data.pkl", "xx", 8, 0}}), {"'a/data.pkl' is compressed (method 8)"});
  refuses(zip_file({{"a/data.pkl", "", 0, 0}, {"a/byteorder", "big", 0, 0}}), {"byte order", "'big'"});
  refuses(zip_file({{"a/data.pkl", pickle::state_dict({{"t", "FloatStorage", "0", 2, 0, {2}, {1}}}), 0, 0}}),
          {"'a/data/0' is missing"});
  refuses(views_of({1, 2}, {{"t", "", "", 0, 0, {3}, {1}}}), {"data.pkl", "beyond its storage"});
  const std::string pickled = pickle::state_dict({{"t", "FloatStorage", "0", 2, 0, {2}, {1}}});
  refuses(zip_file({{"a/data.pkl", pickled, 0, 0}, {"a/data/0", "1234567", 0, 0}}),
          {"storage of tensor 't'", "7 bytes", "need 8"});
  refuses(zip_file({{"a/data.pkl", pickled, 0, 0}, {"a/data/0", "12345678", 8, 0}}),
          {"'a/data/0' is compressed"});
}

/// What torch.save itself has written (tests/reference/torch_golden.py).
class TorchGolden : public TorchFileTest {
 protected:
  void put(const char* name) const {
    std::filesystem::copy_file(std::filesystem::path(INCIPIT_SOURCE_DIR) / "tests/golden/torch" / name,
                               folder_ / "pytorch_model.bin");
  }
  std::vector<float> read(const char* tensor) const {
    const Weights weights = Weights::open(folder_);
    return weights.read(weights.at(tensor));
  }
};

TEST_F(TorchGolden, Views) {
  put("views.bin");
  std::vector<float> matrix = counting(24);
  for (float& value : matrix) value /= 8;
  for (const char* name : {"whole", "again", "half", "brain", "double", "parameter"})
    EXPECT_EQ(read(name), matrix) << name;
  const auto pick = [&](const std::vector<int>& places) {
    std::vector<float> values;
    for (const int place : places) values.push_back(matrix[static_cast<std::size_t>(place)]);
    return values;
  };
  EXPECT_EQ(read("transposed"),
            pick({0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23}));
  EXPECT_EQ(read("slice"), pick({8, 9, 10, 14, 15, 16}));
  EXPECT_EQ(read("columns"), pick({0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22}));
  EXPECT_EQ(read("scalar"), pick({15}));
  EXPECT_EQ(read("row"), pick({18, 19, 20, 21, 22, 23}));
  EXPECT_EQ(read("expanded"), pick({0, 1, 2, 0, 1, 2}));
  EXPECT_TRUE(read("empty").empty());
  EXPECT_EQ(Weights::open(folder_).at("counts").dtype_name, "I64");
}

TEST_F(TorchGolden, StateDictOfAModule) {
  put("module.bin");
  EXPECT_EQ(Weights::open(folder_).tensors().size(), 4u);
  EXPECT_EQ(read("0.weight"), counting(12));
  EXPECT_EQ(read("0.bias"), counting(4));
  EXPECT_EQ(read("1.weight"), counting(4));
  EXPECT_EQ(Weights::open(folder_).at("0.weight").shape, (std::vector<int64_t>{4, 3}));
}

TEST_F(TorchGolden, LegacyAndUnsafeFilesAreRefused) {
  put("legacy.bin");
  test::expect_error(Exit::data, {"before 1.6", "save it again"}, [&] { (void)Weights::open(folder_); });
  std::filesystem::remove(folder_ / "pytorch_model.bin");
  put("unsafe.bin");
  test::expect_error(Exit::data, {"data.pkl: byte", "posix.system", "not executed"},
                     [&] { (void)Weights::open(folder_); });
}

/// A file that becomes shorter after it was opened is an error of input and output, not a signal.
TEST_F(TorchFileTest, NoticesAFileThatShrinks) {
  const Weights weights = open(views_of(counting(50000), {{"a", "", "", 0, 0, {250, 200}, {1, 250}}}));
  std::filesystem::resize_file(folder_ / "pytorch_model.bin", 100000);
  test::expect_error(Exit::io, {"pytorch_model.bin", "tensor 'a'", "shorter"},
                     [&] { (void)weights.read(weights.at("a")); });
}

}  // namespace
}  // namespace incipit::checkpoint
