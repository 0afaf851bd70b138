#include "checkpoint/random_weights.hpp"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "../support.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

Config config() {
  Config config = tiny_config();
  config.vocab = 311;
  return config;
}

double mean_of(const std::vector<float>& numbers) {
  double sum = 0;
  for (const float number : numbers) sum += static_cast<double>(number);
  return sum / static_cast<double>(numbers.size());
}

double mean_square(const std::vector<float>& numbers) {
  double sum = 0;
  for (const float number : numbers) sum += static_cast<double>(number) * static_cast<double>(number);
  return sum / static_cast<double>(numbers.size());
}

TEST(RandomWeights, AreAWholeModel) {
  const Weights weights = random_weights(config(), 1);
  check_tensors(weights, config(), Head::needed);
  EXPECT_EQ(weights.bytes(), static_cast<uint64_t>(config().params()) * sizeof(float));
}

/// Within five standard errors of what the two papers say.
TEST(RandomWeights, HaveTheSpreadOfAnUntrainedModel) {
  const Config shape = config();
  const Weights weights = random_weights(shape, 7);
  const double d = static_cast<double>(shape.d), layers = static_cast<double>(shape.layers);
  for (const auto& [name, tensor] : weights.tensors()) {
    const std::vector<float> numbers = weights.read(tensor);
    if (tensor.shape.size() < 2) {
      const float constant = name.ends_with(".bias") ? 0 : 1;
      EXPECT_TRUE(std::ranges::all_of(numbers, [&](float number) { return number == constant; })) << name;
      continue;
    }
    const bool writes = name.ends_with("attention.dense.weight") || name.ends_with("dense_4h_to_h.weight");
    const double variance = writes ? 4 / (layers * layers * d) : 2 / (5 * d);
    const auto count = static_cast<double>(numbers.size());
    EXPECT_NEAR(mean_of(numbers), 0, 5 * std::sqrt(variance / count)) << name;
    EXPECT_NEAR(mean_square(numbers), variance, 5 * variance * std::sqrt(2 / count)) << name;
  }
}

TEST(RandomWeights, AreTheSameInWhateverOrderTheyAreRead) {
  const Weights weights = random_weights(config(), 7), again = random_weights(config(), 7);
  const Tensor& tensor = weights.at("gpt_neox.embed_in.weight");
  const std::vector<float> all = weights.read(tensor);
  const auto width = tensor.row_size();
  for (int64_t first = tensor.rows() - 1; first >= 0; first -= 37) {
    std::vector<float> row(static_cast<std::size_t>(width));
    again.read(tensor, first, 1, row);
    EXPECT_TRUE(std::equal(row.begin(), row.end(), all.begin() + first * width)) << first;
  }
}

TEST(RandomWeights, DifferBySeedTensorAndRow) {
  const Weights seven = random_weights(config(), 7), eight = random_weights(config(), 8);
  const auto row = [](const Weights& weights, std::string_view name, int64_t at) {
    const Tensor& tensor = weights.at(name);
    std::vector<float> numbers(static_cast<std::size_t>(tensor.row_size()));
    weights.read(tensor, at, 1, numbers);
    return numbers;
  };
  EXPECT_NE(row(seven, "gpt_neox.embed_in.weight", 0), row(eight, "gpt_neox.embed_in.weight", 0));
  EXPECT_NE(row(seven, "gpt_neox.embed_in.weight", 0), row(seven, "gpt_neox.embed_in.weight", 1));
  EXPECT_NE(row(seven, "gpt_neox.embed_in.weight", 0), row(seven, "embed_out.weight", 0));
}

TEST(RandomWeights, LieInNoFile) {
  const Weights weights = random_weights(config(), 7);
  std::vector<std::byte> bytes(4);
  test::expect_error(Exit::defect, {"embed_out.weight"},
                     [&] { weights.read_raw(weights.at("embed_out.weight"), 0, bytes); });
}

}  // namespace
}  // namespace incipit::checkpoint
