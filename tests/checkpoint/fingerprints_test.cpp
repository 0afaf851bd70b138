#include "checkpoint/fingerprints.hpp"

#include <cmath>
#include <limits>

#include "../support.hpp"
#include "store/hash.hpp"
#include "tiny.hpp"
#include "torch_writer.hpp"

namespace incipit::checkpoint {
namespace {

class FingerprintTest : public test::FolderTest {
 protected:
  [[nodiscard]] Fingerprint print(const std::vector<TinyTensor>& tensors) const {
    write("model.safetensors", safetensors_file(tensors));
    return fingerprint(Weights::open(folder_));
  }
};

TinyTensor numbers(const std::string& name, const std::vector<int64_t>& shape,
                   const std::vector<float>& values) {
  return {name, "F32", shape, bytes_of(values)};
}

/// Longer than the pieces in which files are read.
std::vector<float> ramp(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i);
  return values;
}

TEST_F(FingerprintTest, HashesFilesAndTensorsInOnePass) {
  const std::vector<float> values = ramp(200000);
  const auto found = print({numbers("b", {400, 500}, values), numbers("a", {3}, {1, 2, 2})});
  ASSERT_EQ(found.files.size(), 1U);
  EXPECT_EQ(found.files[0].name, "model.safetensors");
  EXPECT_EQ(found.files[0].sha256, store::sha256_file(folder_ / "model.safetensors"));
  EXPECT_EQ(found.files[0].bytes, std::filesystem::file_size(folder_ / "model.safetensors"));
  ASSERT_EQ(found.tensors.size(), 2U);
  EXPECT_EQ(found.tensors[0].name, "a");
  EXPECT_EQ(found.tensors[0].sha256, store::sha256(bytes_of(std::vector<float>{1, 2, 2})));
  EXPECT_EQ(found.tensors[1].sha256, store::sha256(bytes_of(values)));
  EXPECT_EQ(found.find("b"), &found.tensors[1]);
  EXPECT_EQ(found.find("c"), nullptr);
}

/// Of PyTorch's files: a transposed view is printed by its numbers, whatever lies between them.
TEST_F(FingerprintTest, PrintsStridedTensors) {
  const std::vector<float> values = ramp(6);
  const std::string pickled = pickle::state_dict({{"whole", "FloatStorage", "0", 6, 0, {2, 3}, {3, 1}},
                                                  {"turned", "FloatStorage", "0", 6, 0, {3, 2}, {1, 3}}});
  write("pytorch_model.bin", zip_file({{"m/data.pkl", pickled, 0, 0}, {"m/data/0", bytes_of(values), 0, 0}}));
  const auto found = fingerprint(Weights::open(folder_));
  EXPECT_EQ(found.files[0].sha256, store::sha256_file(folder_ / "pytorch_model.bin"));
  EXPECT_EQ(found.find("whole")->sha256, store::sha256(bytes_of(values)));
  EXPECT_EQ(found.find("turned")->samples, (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(found.find("turned")->sha256, store::sha256(bytes_of(found.find("turned")->samples)));
  EXPECT_DOUBLE_EQ(found.find("turned")->norm, found.find("whole")->norm);
}

TEST_F(FingerprintTest, HasNormsAndEvenlySpacedSamples) {
  const auto found = print({numbers("b", {400, 500}, ramp(200000)), numbers("a", {3}, {1, 2, 2})});
  EXPECT_DOUBLE_EQ(found.tensors[0].norm, 3);
  EXPECT_EQ(found.tensors[0].samples, (std::vector<float>{1, 2, 2}));
  EXPECT_FALSE(found.tensors[0].matrix);
  const TensorPrint& b = found.tensors[1];
  EXPECT_NEAR(b.norm, std::sqrt(199999.0 * 200000 * 399999 / 6), 1);
  EXPECT_TRUE(b.matrix);
  ASSERT_EQ(b.samples.size(), static_cast<std::size_t>(most_samples));
  for (int64_t k = 0; k < most_samples; ++k)
    EXPECT_EQ(b.samples[static_cast<std::size_t>(k)], static_cast<float>(k * 200000 / most_samples));
}

TEST_F(FingerprintTest, CountsWhatIsNotFinite) {
  std::vector<float> values = ramp(70000);
  values[5] = std::numeric_limits<float>::quiet_NaN();
  values[69999] = -std::numeric_limits<float>::infinity();
  values[0] = 3;
  std::fill(values.begin() + 1, values.begin() + 5, 0.0F);
  std::fill(values.begin() + 6, values.end() - 1, 0.0F);
  const auto found = print({numbers("x", {70000}, values)});
  EXPECT_EQ(found.tensors[0].nonfinite, 2);
  EXPECT_DOUBLE_EQ(found.tensors[0].norm, 3);
}

TEST_F(FingerprintTest, BuffersAreHashedAlone) {
  const TinyTensor mask{"gpt_neox.layers.0.attention.bias", "U8", {4}, "abcd"};
  const auto bias = numbers("gpt_neox.layers.0.attention.masked_bias", {1}, {-INFINITY});
  const auto dense = numbers("gpt_neox.layers.0.attention.dense.bias", {2}, {3, 4});
  const auto found = print({mask, bias, dense});
  const TensorPrint& u8 = *found.find("gpt_neox.layers.0.attention.bias");
  EXPECT_EQ(u8.sha256, store::sha256("abcd"));
  EXPECT_FALSE(u8.weight);
  EXPECT_EQ(found.find("gpt_neox.layers.0.attention.masked_bias")->nonfinite, 0);
  EXPECT_DOUBLE_EQ(found.find("gpt_neox.layers.0.attention.dense.bias")->norm, 5);
}

TEST_F(FingerprintTest, GoesThroughAllShards) {
  write("model-1.safetensors", safetensors_file({numbers("b", {2}, {1, 2})}));
  write("model-2.safetensors", safetensors_file({numbers("a", {2}, {3, 4})}));
  write("model.safetensors.index.json",
        R"({"weight_map": {"b": "model-1.safetensors", "a": "model-2.safetensors"}})");
  const auto found = fingerprint(Weights::open(folder_));
  ASSERT_EQ(found.files.size(), 2U);
  for (const FilePrint& file : found.files) EXPECT_EQ(file.sha256, store::sha256_file(folder_ / file.name));
  EXPECT_EQ(found.find("a")->file, 1);
  EXPECT_EQ(found.find("b")->file, 0);
  EXPECT_DOUBLE_EQ(found.find("a")->norm, 5);
}

TEST_F(FingerprintTest, HalfPrecisionCountsAsItsValues) {
  const TinyTensor half{"x", "F16", {2}, bytes_of(std::vector<uint16_t>{0x4200, 0xC400})};  // 3, -4
  EXPECT_DOUBLE_EQ(print({half}).tensors[0].norm, 5);
}

TEST_F(FingerprintTest, ShrunkFilesAreAnError) {
  const auto path = write("model.safetensors", safetensors_file({numbers("x", {70000}, ramp(70000))}));
  const auto weights = Weights::open(folder_);
  std::filesystem::resize_file(path, 1000);
  test::expect_error(Exit::io, {"model.safetensors", "'x'", "shorter"}, [&] { (void)fingerprint(weights); });
}

TEST_F(FingerprintTest, SurvivesAsBytes) {
  const auto found = print({numbers("b", {4, 5}, ramp(20)), numbers("a", {3}, {1, 2, 2})});
  const std::string bytes = to_bytes(found);
  EXPECT_EQ(to_bytes(fingerprint_from_bytes(bytes)), bytes);
  EXPECT_EQ(fingerprint_from_bytes(bytes).tensors[1].samples, found.tensors[1].samples);
  for (const std::string& damaged :
       {bytes.substr(0, bytes.size() - 1), bytes + "x", std::string(), std::string(64, '\xff')})
    test::expect_error(Exit::data, {"not the fingerprint"}, [&] { (void)fingerprint_from_bytes(damaged); });
}

}  // namespace
}  // namespace incipit::checkpoint
