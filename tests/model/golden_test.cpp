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

/// The bound on the relative error of a layer, of logits, of losses: for fp32, and where weights and what
/// passes between operations are rounded to 8 or 11 bits, each block adding a few half units in the last
/// place.
struct Arithmetic {
  const char* name;
  device::NumberType precision;
  double bound;
};
constexpr Arithmetic arithmetics[] = {{"fp32", device::NumberType::f32, 2e-5},
                                      {"fp16", device::NumberType::f16, 1.25e-3},
                                      {"bf16", device::NumberType::bf16, 1e-2}};

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

  /// Last-token residuals of all layers, [layers + 1, probes, d], and the sums of the first of them and what
  /// blocks have added since.
  struct Layers {
    std::vector<float> residual, sum;
  };
  [[nodiscard]] Layers forward(device::Device& device, device::NumberType precision) const {
    const checkpoint::Weights weights = checkpoint::Weights::open(folder_);
    const checkpoint::Config config = checkpoint::read_config(folder_ / "config.json");
    std::vector<int> layers(static_cast<std::size_t>(config.layers) + 1);
    std::iota(layers.begin(), layers.end(), 0);
    const std::vector<corpus::Pack> packs = {pack()};
    Layers all;
    std::vector<float> sum;
    Neox(device, weights, config, precision)
        .run(
            packs, layers,
            [&](int, std::span<const float> rows) {
              if (sum.empty()) sum.assign(rows.begin(), rows.end());
              all.residual.insert(all.residual.end(), rows.begin(), rows.end());
            },
            [&](int, std::span<const float> attention, std::span<const float> mlp) {
              for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += attention[i] + mlp[i];
              all.sum.insert(all.sum.end(), sum.begin(), sum.end());
            });
    return all;
  }

  /// The checkpoint on a device.
  struct Model {
    Model(const std::filesystem::path& folder, const device::Candidate& candidate, device::NumberType number)
        : device(candidate.make()),
          weights(checkpoint::Weights::open(folder)),
          config(checkpoint::read_config(folder / "config.json")),
          next(*device, weights, config, number) {}
    std::unique_ptr<device::Device> device;
    checkpoint::Weights weights;
    checkpoint::Config config;
    NextToken next;
  };
};

template <class Test>
void for_every_arithmetic(Test test) {
  for (const device::Candidate& candidate : device::every_device()) {
    for (const Arithmetic& arithmetic : arithmetics) {
      SCOPED_TRACE(candidate.name + " in " + arithmetic.name);
      test(candidate, arithmetic);
    }
  }
}

TEST_P(ForwardGolden, EveryLayerIsTheSameAndTheSumOfWhatBlocksAdd) {
  write_checkpoint();
  const std::vector<float> expected = golden().read<float>(path("residual"));
  const std::int64_t layers = number("layers") + 1;
  const auto size = expected.size() / static_cast<std::size_t>(layers);
  for_every_arithmetic([&](const device::Candidate& candidate, const Arithmetic& arithmetic) {
    const Layers found = forward(*candidate.make(), arithmetic.precision);
    ASSERT_EQ(found.residual.size(), expected.size());
    ASSERT_EQ(found.sum.size(), expected.size());
    for (std::int64_t layer = 0; layer < layers; ++layer) {
      const auto of = [&](const std::vector<float>& all) {
        return std::span<const float>(all).subspan(static_cast<std::size_t>(layer) * size, size);
      };
      const double bound = layer == 0 ? 0 : arithmetic.bound;
      EXPECT_LE(test::relative_error(of(found.residual), of(expected)), bound) << "layer " << layer;
      EXPECT_LE(test::relative_error(of(found.sum), of(expected)), bound) << "sum to layer " << layer;
    }
  });
}

TEST_P(ForwardGolden, LogitsAtTheLastTokensAreTheSame) {
  write_checkpoint();
  const corpus::Pack texts = pack();
  for_every_arithmetic([&](const device::Candidate& candidate, const Arithmetic& arithmetic) {
    Model model(folder_, candidate, arithmetic.precision);
    const std::vector<float> all = model.next.logits(texts);
    std::vector<float> found;
    for (std::size_t i = 1; i < texts.starts.size(); ++i) {
      const auto row = all.begin() + (texts.starts[i] - 1) * model.config.vocab;
      found.insert(found.end(), row, row + model.config.vocab);
    }
    EXPECT_LE(test::relative_error(found, golden().read<float>(path("logits"))), arithmetic.bound);
  });
}

TEST_P(ForwardGolden, LossesOfAllTextsAreTheSame) {
  write_checkpoint();
  const std::vector<corpus::Pack> packs = {pack()};
  const std::vector<double> expected = golden().read<double>(path("loss"));
  const std::vector<std::int64_t> length = golden().read<std::int64_t>(path("length"));
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    const std::vector<NextToken::Loss> found =
        Model(folder_, candidate, arithmetics[0].precision).next.run(packs);
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      EXPECT_EQ(found[i].predicted, length[i] - 1);
      EXPECT_LE(std::abs(found[i].sum - expected[i]), arithmetics[0].bound * expected[i]) << "text " << i;
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
