// Residual streams, logits and losses against GPTNeoX of Hugging Face's transformers in fp32:
// tests/reference/forward_golden.py.

#include "../golden.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "../device/every_device.hpp"
#include "../support.hpp"
#include "model/neox.hpp"
#include "model/next_token.hpp"
#include "random_checkpoint.hpp"

namespace incipit::model {
namespace {

/// The bound on the relative error in fp32: of a layer, of logits, of losses.
constexpr double bound = 2e-5;

const test::Golden& golden() {
  static const test::Golden file("forward.h5");
  return file;
}

class ForwardGolden : public test::FolderTest, public testing::WithParamInterface<const char*> {
 protected:
  [[nodiscard]] std::int64_t number(const char* name) const {
    return golden().attribute<std::int64_t>(GetParam(), name);
  }
  [[nodiscard]] std::string path(const char* name) const { return std::string(GetParam()) + "/" + name; }

  /// The checkpoint that transformers ran: a function of shape and seed.
  void write_checkpoint() const {
    RandomCheckpoint what;
    what.config.layers = number("layers");
    what.config.heads = number("heads");
    what.config.d = number("heads") * number("head_size");
    what.config.mlp = 4 * what.config.d;
    what.config.vocab = number("vocab");
    what.config.context = number("context");
    what.config.rotary_fraction = golden().attribute<double>(GetParam(), "rotary");
    what.config.parallel_residual = number("parallel") == 1;
    what.dtype = number("f16") == 1 ? checkpoint::Dtype::f16 : checkpoint::Dtype::f32;
    what.seed = static_cast<std::uint64_t>(number("seed"));
    write_random_checkpoint(folder_, what);
  }

  /// All texts in one pack.
  [[nodiscard]] corpus::Pack pack() const {
    corpus::Pack out;
    out.tokens = golden().read<std::int32_t>(path("tokens"));
    out.starts = {0};
    for (const std::int64_t length : golden().read<std::int64_t>(path("length"))) {
      out.probes.push_back(static_cast<std::int64_t>(out.probes.size()));
      out.starts.push_back(out.starts.back() + length);
    }
    return out;
  }

  /// Last-token residuals of all layers, [layers + 1, probes, d].
  [[nodiscard]] std::vector<float> residuals(device::Device& device) const {
    const checkpoint::Weights weights = checkpoint::Weights::open(folder_);
    const checkpoint::Config config = checkpoint::read_config(folder_ / "config.json");
    std::vector<int> layers(static_cast<std::size_t>(config.layers) + 1);
    std::iota(layers.begin(), layers.end(), 0);
    const std::vector<corpus::Pack> packs = {pack()};
    std::vector<float> all;
    Neox(device, weights, config).run(packs, layers, [&](int, std::span<const float> rows) {
      all.insert(all.end(), rows.begin(), rows.end());
    });
    return all;
  }

  /// The checkpoint on a device.
  struct Model {
    Model(const std::filesystem::path& folder, const device::Candidate& candidate)
        : device(candidate.make()),
          weights(checkpoint::Weights::open(folder)),
          config(checkpoint::read_config(folder / "config.json")) {}
    std::unique_ptr<device::Device> device;
    checkpoint::Weights weights;
    checkpoint::Config config;
    NextToken next{*device, weights, config};
  };
};

TEST_P(ForwardGolden, EveryLayerIsTheSame) {
  write_checkpoint();
  const std::vector<float> expected = golden().read<float>(path("residual"));
  const std::int64_t layers = number("layers") + 1;
  const auto size = expected.size() / static_cast<std::size_t>(layers);
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    const std::vector<float> found = residuals(*candidate.make());
    ASSERT_EQ(found.size(), expected.size());
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const auto of = [&](const std::vector<float>& all) {
        return std::span<const float>(all).subspan(static_cast<std::size_t>(layer) * size, size);
      };
      EXPECT_LE(test::relative_error(of(found), of(expected)), layer == 0 ? 0 : bound) << "layer " << layer;
    }
  }
}

TEST_P(ForwardGolden, LogitsAtTheLastTokensAreTheSame) {
  write_checkpoint();
  const corpus::Pack texts = pack();
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    Model model(folder_, candidate);
    const std::vector<float> all = model.next.logits(texts);
    std::vector<float> found;
    for (std::size_t i = 1; i < texts.starts.size(); ++i) {
      const auto row = all.begin() + (texts.starts[i] - 1) * model.config.vocab;
      found.insert(found.end(), row, row + model.config.vocab);
    }
    EXPECT_LE(test::relative_error(found, golden().read<float>(path("logits"))), bound);
  }
}

TEST_P(ForwardGolden, LossesOfAllTextsAreTheSame) {
  write_checkpoint();
  const std::vector<corpus::Pack> packs = {pack()};
  const std::vector<double> expected = golden().read<double>(path("loss"));
  const std::vector<std::int64_t> length = golden().read<std::int64_t>(path("length"));
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    const std::vector<NextToken::Loss> found = Model(folder_, candidate).next.run(packs);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].predicted, length[i] - 1);
      EXPECT_LE(std::abs(found[i].sum - expected[i]), bound * expected[i]) << "text " << i;
    }
  }
}

// The head sizes of Pythia, both residuals, three rotary fractions, fp16 and fp32 weights.
constexpr const char* cases[] = {"head32", "head64", "head80", "head128", "head256", "rotary1"};

TEST(ForwardGoldenFile, HoldsTheCasesThatAreRun) {
  std::vector<std::string> expected(std::begin(cases), std::end(cases));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(golden().cases(), expected);
}

INSTANTIATE_TEST_SUITE_P(Cases, ForwardGolden, testing::ValuesIn(cases),
                         [](const auto& chosen) { return std::string(chosen.param); });

}  // namespace
}  // namespace incipit::model
