// The losses that the nano family's own training program found on held-out text, for every checkpoint of it:
// an independent check of the whole forward pass on trained weights.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "model/next_token.hpp"

namespace incipit::model {
namespace {

/// Nats: those losses are of the weights before they were rounded to fp16, and given with four decimals.
constexpr double bound = 2e-4;

class Validation : public testing::Test {
 protected:
  void SetUp() override {
    if (test::shared_folder().empty()) GTEST_SKIP() << "no ../shared/models/nano: nothing to compare with";
    family_ = test::shared_folder() / "models/nano";
    std::ifstream(family_ / "validation.json") >> validation_;
  }

  /// The sequences, as many to a pack as a run would have.
  [[nodiscard]] std::vector<corpus::Pack> packs() const {
    std::vector<corpus::Pack> out;
    std::int64_t probe = 0;
    for (const auto& sequence : validation_.at("tokens")) {
      if (probe % 8 == 0) out.push_back({{}, {}, {0}});
      corpus::Pack& pack = out.back();
      pack.probes.push_back(probe++);
      for (const auto& token : sequence) pack.tokens.push_back(token.get<std::int32_t>());
      pack.starts.push_back(static_cast<std::int64_t>(pack.tokens.size()));
    }
    return out;
  }

  [[nodiscard]] double mean_loss(const std::filesystem::path& folder) const {
    const auto device = device::make_host_device(1);
    const auto weights = checkpoint::Weights::open(folder);
    const auto config = checkpoint::read_config(folder / "config.json");
    double sum = 0;
    std::int64_t predicted = 0;
    for (const NextToken::Loss& loss : NextToken(*device, weights, config).run(packs())) {
      sum += loss.sum;
      predicted += loss.predicted;
    }
    EXPECT_EQ(predicted, 32 * 255);
    return sum / static_cast<double>(predicted);
  }

  /// Largest deviation over the checkpoints whose step `wanted` picks.
  template <class Wanted>
  void compare(std::size_t expected_number, Wanted&& wanted) const {
    double most = 0;
    std::size_t number = 0;
    for (const auto& [model, losses] : validation_.at("loss").items()) {
      for (const auto& [step, expected] : losses.items()) {
        if (!wanted(step)) continue;
        const double found = mean_loss(family_ / model / ("step" + step));
        EXPECT_TRUE(std::abs(found - expected.get<double>()) <= bound)
            << model << " step " << step << ": " << found << ", expected " << expected;
        most = std::max(most, std::abs(found - expected.get<double>()));
        ++number;
      }
    }
    EXPECT_EQ(number, expected_number);
    std::cout << "largest deviation of " << number << " losses: " << most << " nats\n";
  }

  std::filesystem::path family_;
  nlohmann::json validation_;
};

TEST_F(Validation, LastStepOfEveryModel) {
  compare(5, [](const std::string& step) { return step == "4000"; });
}

TEST_F(Validation, EveryStepOfEveryModel) {
  compare(70, [](const std::string&) { return true; });
}

}  // namespace
}  // namespace incipit::model
