// Greedy generation and scores: against GPTNeoXForCausalLM of Hugging Face's transformers
// (tests/reference/generator_golden.py), against the forward pass without kept keys, and against itself in
// other company.

#include "model/generator.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "../device/every_device.hpp"
#include "../golden.hpp"
#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "model/blocks.hpp"
#include "model/lanes.hpp"
#include "model/next_token.hpp"
#include "random_checkpoint.hpp"
#include "random_pack.hpp"

namespace incipit::model {
namespace {

using Prompts = std::vector<Generator::Tokens>;
using Scores = std::vector<std::vector<float>>;

constexpr std::size_t plenty = std::size_t{1} << 40U;

bool never(std::span<const std::int32_t>) {
  return false;
}

/// A random checkpoint that talks.
class Speaker {
 public:
  Speaker(const std::filesystem::path& folder, std::unique_ptr<device::Device> device,
          device::NumberType precision = device::NumberType::f32, std::size_t memory = plenty)
      : device_(std::move(device)),
        weights_(checkpoint::Weights::open(folder)),
        config_(checkpoint::read_config(folder / "config.json")),
        generator_(make_generator(*device_, weights_, config_, {precision, memory, "use another model"})) {}

  Prompts write(const Prompts& prompts, std::int64_t most, const Generator::Ends& ends = never) {
    Prompts answers(prompts.size());
    generator_->write(prompts, most, ends, [&](std::size_t i, const Generator::Tokens& written) {
      EXPECT_TRUE(answers[i].empty()) << "prompt " << i << " was answered twice";
      answers[i] = written;
    });
    return answers;
  }

  Scores score(const Prompts& prompts, const std::vector<std::int32_t>& chosen) {
    Scores answers(prompts.size());
    generator_->score(prompts, chosen, [&](std::size_t i, const std::vector<float>& logits) {
      EXPECT_TRUE(answers[i].empty()) << "prompt " << i << " was answered twice";
      answers[i] = logits;
    });
    return answers;
  }

  device::Device& device() { return *device_; }
  [[nodiscard]] const checkpoint::Config& config() const { return config_; }
  [[nodiscard]] const checkpoint::Weights& weights() const { return weights_; }

 private:
  std::unique_ptr<device::Device> device_;
  checkpoint::Weights weights_;
  checkpoint::Config config_;
  std::unique_ptr<Generator> generator_;
};

const test::Golden& recorded() {
  static const test::Golden file("generator.h5");
  return file;
}

class GeneratorGolden : public test::FolderTest, public testing::WithParamInterface<const char*> {
 protected:
  GeneratorGolden() {
    const auto number = [](const char* name) { return recorded().attribute<std::int64_t>(GetParam(), name); };
    RandomCheckpoint what;
    what.config.layers = number("layers");
    what.config.heads = number("heads");
    what.config.d = number("heads") * number("head_size");
    what.config.mlp = 4 * what.config.d;
    what.config.vocab = number("vocab");
    what.config.context = number("context");
    what.config.rotary_fraction = recorded().attribute<double>(GetParam(), "rotary");
    what.config.parallel_residual = number("parallel") == 1;
    what.dtype = number("f16") == 1 ? checkpoint::Dtype::f16 : checkpoint::Dtype::f32;
    what.seed = static_cast<std::uint64_t>(number("seed"));
    write_random_checkpoint(folder_, what);

    const auto tokens = recorded().read<std::int32_t>(path("tokens"));
    auto next = tokens.begin();
    for (const std::int64_t length : recorded().read<std::int64_t>(path("length"))) {
      prompts_.emplace_back(next, next + length);
      next += length;
    }
  }

  [[nodiscard]] static std::string path(const char* name) { return std::string(GetParam()) + "/" + name; }

  Prompts prompts_;
};

TEST_P(GeneratorGolden, WritesWhatTheReferenceWrites) {
  const auto expected = recorded().read<std::int32_t>(path("written"));
  const std::size_t most = expected.size() / prompts_.size();
  ASSERT_GE(prompts_.size(), 6U);
  for (const device::Candidate& candidate : device::every_device()) {
    SCOPED_TRACE(candidate.name);
    Generator::Tokens found;
    for (const auto& text :
         Speaker(folder_, candidate.make()).write(prompts_, static_cast<std::int64_t>(most)))
      found.insert(found.end(), text.begin(), text.end());
    EXPECT_EQ(found, expected);
  }
}

TEST_P(GeneratorGolden, ScoresAsTheReferenceDoes) {
  const auto expected = recorded().read<float>(path("logits"));
  const auto chosen = recorded().read<std::int32_t>(path("chosen"));
  for (const device::Candidate& candidate : device::every_device()) {
    for (const auto& [precision, bound] :
         {std::pair{device::NumberType::f32, 2e-5}, std::pair{device::NumberType::f16, 1.25e-3},
          std::pair{device::NumberType::bf16, 1e-2}}) {
      SCOPED_TRACE(candidate.name + " " + std::to_string(bound));
      std::vector<float> found;
      for (const auto& logits : Speaker(folder_, candidate.make(), precision).score(prompts_, chosen))
        found.insert(found.end(), logits.begin(), logits.end());
      ASSERT_EQ(found.size(), expected.size());
      EXPECT_LE(test::relative_error(found, expected), bound);
    }
  }
}

constexpr const char* golden_cases[] = {"parallel", "serial"};

TEST(GeneratorGoldenFile, HoldsTheCasesThatAreRun) {
  EXPECT_EQ(recorded().cases(), std::vector<std::string>(std::begin(golden_cases), std::end(golden_cases)));
}

INSTANTIATE_TEST_SUITE_P(Cases, GeneratorGolden, testing::ValuesIn(golden_cases),
                         [](const auto& chosen) { return std::string(chosen.param); });

class GeneratorTest : public test::FolderTest {
 protected:
  GeneratorTest() {
    what_.config.layers = 2;
    what_.config.heads = 3;
    what_.config.d = 48;
    what_.config.mlp = 192;
    what_.config.vocab = 1700;  // two blocks of the unembedding
    what_.config.context = 96;
    what_.dtype = checkpoint::Dtype::f32;
    what_.seed = 5;
    write_random_checkpoint(folder_, what_);
  }

  [[nodiscard]] Speaker speaker(int threads = 1, std::size_t memory = plenty,
                                device::NumberType precision = device::NumberType::f32) const {
    return {folder_, device::make_host_device(threads), precision, memory};
  }

  /// Enough prompts that several share a lane, lengths mixed.
  [[nodiscard]] Prompts prompts(std::size_t count) const {
    Prompts out;
    for (std::size_t i = 0; i < count; ++i)
      out.push_back(
          random_pack({1 + static_cast<std::int64_t>(i * 7 % 60)}, what_.config.vocab, 300 + i).tokens);
    return out;
  }

  /// Sets number `index` of a tensor of the file.
  void poke(const std::string& name, std::int64_t index, float value) const {
    const auto weights = checkpoint::Weights::open(folder_);
    std::fstream file(folder_ / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(weights.at(name).offset) + index * 4);
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }

  RandomCheckpoint what_;
};

TEST_F(GeneratorTest, WritesWhatItWouldWriteWithoutKeptKeys) {
  Speaker model = speaker();
  const Prompts texts = prompts(20);
  Prompts expected = texts, extended = texts;
  for (int step = 0; step < 6; ++step) {
    const Prompts next = model.write(extended, 1);
    for (std::size_t i = 0; i < texts.size(); ++i) extended[i].push_back(next[i].at(0));
  }
  for (std::size_t i = 0; i < texts.size(); ++i)
    expected[i].assign(extended[i].begin() + std::ssize(texts[i]), extended[i].end());
  EXPECT_EQ(model.write(texts, 6), expected);
}

TEST_F(GeneratorTest, ScoresAreTheLogitsOfTheForwardPass) {
  Speaker model = speaker();
  const Prompts texts = prompts(3);
  const std::vector<std::int32_t> chosen = {1699, 0, 7};
  const Scores found = model.score(texts, chosen);
  NextToken forward(model.device(), model.weights(), model.config());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto logits = forward.logits(pack_of(texts[i], i));
    const auto last = static_cast<std::size_t>(std::ssize(texts[i]) - 1) * 1700;
    std::vector<float> expected;
    for (const std::int32_t token : chosen)
      expected.push_back(logits[last + static_cast<std::size_t>(token)]);
    EXPECT_LE(test::relative_error(found[i], expected), 1e-5);
  }
}

TEST_F(GeneratorTest, SaysTheSameOfAPromptWhoeverElseIsAsked) {
  const std::vector<std::int32_t> chosen = {3, 4, 1500};
  const Prompts texts = prompts(37);
  Prompts reversed(texts.rbegin(), texts.rend());
  Prompts written = speaker().write(texts, 5);
  Scores scores = speaker().score(texts, chosen);
  for (const int threads : {1, 2}) {
    Speaker model = speaker(threads);
    for (const std::size_t alone : {std::size_t{0}, std::size_t{11}, std::size_t{36}}) {
      EXPECT_EQ(model.write({texts[alone]}, 5).front(), written[alone]);
      EXPECT_EQ(model.score({texts[alone]}, chosen).front(), scores[alone]);
    }
    std::reverse(written.begin(), written.end());
    std::reverse(scores.begin(), scores.end());
    EXPECT_EQ(model.write(reversed, 5), written);
    EXPECT_EQ(model.score(reversed, chosen), scores);
    std::reverse(written.begin(), written.end());
    std::reverse(scores.begin(), scores.end());
  }
}

/// The residuals of all lanes after a few tokens of the texts that sit in them.
std::vector<float> residuals_of(Speaker& model, const Prompts& prompts) {
  device::Device& device = model.device();
  const auto tables = seat(prompts);
  EXPECT_EQ(tables.size(), 1U);
  const RotaryTable rotary(device, model.config(), model.config().context);
  Workspace<float> workspace(device, model.config(), 100);
  Lanes<float> lanes(device, model.config(), prompts, tables.front(), 9);
  TensorStream stream(device, model.weights());
  const checkpoint::Tensor& embedding = model.weights().at("gpt_neox.embed_in.weight");
  BlockWeights<float> block(device, model.config());
  lanes.embed_prompts(stream, embedding, workspace);
  for (std::int64_t b = 0; b < model.config().layers; ++b) {
    block.read(stream, model.weights(), b);
    lanes.run_prompts(b, block, rotary, workspace);
  }
  for (int step = 0; step < 4; ++step) {
    // Which tokens are written is not the point here: one that hangs on lane and step.
    std::vector<float> logits(lane_count * 50);
    for (std::size_t l = 0; l < lane_count; ++l) logits[l * 50 + 3 * l + static_cast<std::size_t>(step)] = 1;
    lanes.weigh(0, 50, logits);
    EXPECT_FALSE(lanes.take(never, [](std::size_t, const Generator::Tokens&) {}));
    lanes.embed_tokens(stream, embedding, workspace);
    for (std::int64_t b = 0; b < model.config().layers; ++b) {
      block.read(stream, model.weights(), b);
      lanes.run_tokens(b, block, rotary, workspace);
    }
  }
  std::vector<float> rows(static_cast<std::size_t>(lane_count * model.config().d));
  device.download(rows.data(), lanes.residual(), rows.size() * sizeof(float));
  return rows;
}

TEST_F(GeneratorTest, ATextsNumbersAreThoseItHasAlone) {
  Prompts texts;
  std::array<bool, lane_count> taken{};
  for (const auto& text : prompts(60)) {
    if (std::exchange(taken[lane_of(text)], true)) continue;
    texts.push_back(text);
  }
  ASSERT_GE(texts.size(), 12U);
  Speaker model = speaker();
  const std::vector<float> together = residuals_of(model, texts);
  for (const auto& text : texts) {
    const std::vector<float> alone = residuals_of(model, {text});
    const auto row = static_cast<std::ptrdiff_t>(lane_of(text)) * model.config().d;
    EXPECT_TRUE(
        std::equal(alone.begin() + row, alone.begin() + row + model.config().d, together.begin() + row))
        << "lane " << lane_of(text);
  }
}

TEST_F(GeneratorTest, StreamsWeightsThatDoNotFitAndSaysTheSame) {
  const Prompts texts = prompts(20);
  const std::vector<std::int32_t> chosen = {3, 4, 1500};
  for (const auto precision : {device::NumberType::f32, device::NumberType::bf16}) {
    Speaker resident = speaker(1, plenty, precision);
    Speaker streamed = speaker(1, 0, precision);
    EXPECT_EQ(streamed.write(texts, 4), resident.write(texts, 4));
    EXPECT_EQ(streamed.score(texts, chosen), resident.score(texts, chosen));
  }
}

TEST_F(GeneratorTest, StreamsWeightsPastSeveralTablesAtOnce) {
  what_.config.layers = 4;
  what_.config.mlp = 4096;
  write_random_checkpoint(folder_, what_);
  const Prompts texts = prompts(40);
  EXPECT_GE(seat(texts).size(), 3U);
  const auto resident = Blocks<float>::bytes(what_.config, Residence::resident) +
                        Head<float>::bytes(what_.config, Residence::resident);
  const auto streamed = Blocks<float>::bytes(what_.config, Residence::streamed) +
                        Head<float>::bytes(what_.config, Residence::streamed);
  const std::size_t memory =
      resident / 5 * 7;  // room for a few tables beside two blocks, but not for all blocks
  ASSERT_GT(memory, streamed + (std::size_t{4} << 20U));
  EXPECT_EQ(speaker(1, memory).write(texts, 3), speaker().write(texts, 3));
  EXPECT_EQ(speaker(1, memory).score(texts, {5}), speaker().score(texts, {5}));
}

TEST_F(GeneratorTest, StopsWhereItIsToldTo) {
  Speaker model = speaker();
  const Prompts texts = prompts(18);
  const Prompts whole = model.write(texts, 7);
  // A text ends behind a token that leaves 1 when divided by 3.
  const auto ends = [](std::span<const std::int32_t> written) { return written.back() % 3 == 1; };
  const Prompts stopped = model.write(texts, 7, ends);
  std::size_t early = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto end =
        std::find_if(whole[i].begin(), whole[i].end(), [](std::int32_t t) { return t % 3 == 1; });
    const auto kept = std::min<std::ptrdiff_t>(end - whole[i].begin() + 1, 7);
    EXPECT_EQ(stopped[i], Generator::Tokens(whole[i].begin(), whole[i].begin() + kept)) << i;
    early += kept < 7 ? 1 : 0;
  }
  EXPECT_GT(early, 0U);
}

TEST_F(GeneratorTest, NamesWhatIsNotFinite) {
  const Prompts texts = prompts(1);
  poke("gpt_neox.final_layer_norm.weight", 3, 3e38F);
  poke("gpt_neox.final_layer_norm.bias", 3, 3e38F);
  poke("embed_out.weight", 5 * 48 + 3, 3e38F);
  Speaker model = speaker();
  test::expect_error(Exit::numbers, {"prompt 0", "run.precision", "use another model"},
                     [&] { (void)model.score(texts, {5}); });
  test::expect_error(Exit::numbers, {"prompt 0", "use another model"}, [&] { (void)model.write(texts, 2); });
  poke("gpt_neox.layers.1.mlp.dense_4h_to_h.bias", 2, std::numeric_limits<float>::quiet_NaN());
  test::expect_error(Exit::numbers, {"dense_4h_to_h.bias", "NaN at [2]", "use another model"},
                     [&] { (void)speaker(); });
}

TEST_F(GeneratorTest, RefusesAPromptThatDoesNotFit) {
  Speaker model = speaker();
  const Prompts long_one = {random_pack({95}, 1700, 1).tokens};
  EXPECT_EQ(model.write(long_one, 1).front().size(), 1U);
  EXPECT_EQ(test::code_of([&] { (void)model.write(long_one, 2); }), Exit::defect);
  EXPECT_EQ(test::code_of([&] { (void)model.score({{}}, {1}); }), Exit::defect);
}

}  // namespace
}  // namespace incipit::model
