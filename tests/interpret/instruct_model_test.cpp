#include "interpret/instruct_model.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "../model/random_checkpoint.hpp"
#include "../support.hpp"
#include "device/host/host_device.hpp"
#include "model/next_token.hpp"
#include "store/files.hpp"

namespace incipit::interpret {
namespace {

namespace fs = std::filesystem;

const fs::path nano = fs::path(INCIPIT_SOURCE_DIR) / "inputs/nano";
const fs::path step = nano / "nano-200k/step4000";
const PromptFile frame{"frame.txt", "Task: {system} {user}\nAnswer:\n"};
constexpr std::size_t plenty = std::size_t{1} << 40U;

/// A bundled checkpoint, which has learnt no instruction: what it says is of no use, but always the same.
class Instruct : public test::FolderTest {
 protected:
  std::unique_ptr<InstructModel> make(const fs::path& folder = step, const PromptFile& around = frame,
                                      int threads = 1, std::size_t memory = plenty) {
    devices_.push_back(device::make_host_device(threads));
    return std::make_unique<InstructModel>(
        *devices_.back(), folder, around,
        InstructModel::Options{.memory = memory,
                               .warn = [this](const std::string& text) { warnings_.push_back(text); }});
  }
  /// A copy that can be spoilt.
  [[nodiscard]] fs::path copy() const {
    const fs::path folder = folder_ / "copied";
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const char* name : {"config.json", "model.safetensors"}) fs::copy_file(step / name, folder / name);
    fs::copy_file(nano / "tokenizer.json", folder / "tokenizer.json");
    return folder;
  }
  static std::vector<Prompt> prompts(std::size_t count) {
    std::vector<Prompt> out;
    for (std::size_t i = 0; i < count; ++i)
      out.push_back(
          {"You answer.", "What is cell number " + std::to_string(i) + " made of" + std::string(i % 5, '?')});
    return out;
  }
  static std::vector<std::string> written(LanguageModel& model, const std::vector<Prompt>& prompts) {
    std::vector<std::string> answers(prompts.size());
    model.write(prompts, 12, [&](std::size_t i, const std::string& text) { answers[i] = text; });
    return answers;
  }
  static std::vector<double> chosen(LanguageModel& model, const std::vector<Prompt>& prompts) {
    std::vector<double> answers(prompts.size());
    model.choose(prompts, [&](std::size_t i, const Choice& choice) { answers[i] = choice.log_odds; });
    return answers;
  }

  std::vector<std::unique_ptr<device::Device>> devices_;
  std::vector<std::string> warnings_;
};

TEST_F(Instruct, ComparesTheProbabilitiesOfYesAndNo) {
  const InstructFolder files(step);
  const auto device = device::make_host_device(1);
  model::NextToken forward(*device, files.weights, files.config);
  const auto tokens = files.tokenizer.encode("Task: Be brief. Is it {user}?\nAnswer:\n");
  const auto size = std::ssize(tokens);
  const std::vector<float> logits = forward.logits({{0}, {tokens.begin(), tokens.end()}, {0, size}});
  const float* last = logits.data() + (size - 1) * files.config.vocab;
  const auto sum_of = [&](std::initializer_list<const char*> spellings, bool whole) {
    std::set<std::int32_t> ids;
    for (const char* spelling : spellings) {
      const auto spelt = files.tokenizer.encode(spelling);
      if (!whole || spelt.size() == 1) ids.insert(spelt.front());
    }
    double sum = 0;
    for (const std::int32_t id : ids) sum += std::exp(static_cast<double>(last[id]));
    return sum;
  };
  // This tokenizer has " no" as one token, and no spelling of yes.
  const double yes = sum_of({"Yes", " Yes", "yes", " yes", "YES", " YES"}, false);
  const double no = sum_of({"No", " No", "no", " no", "NO", " NO"}, true);
  ASSERT_GT(yes, 0);
  ASSERT_GT(no, 0);
  const auto model = make();
  EXPECT_NEAR(chosen(*model, {{"Be brief.", "Is it {user}?"}}).front(), std::log(yes / no), 1e-4);
}

TEST_F(Instruct, AnswersAPromptTheSameWhoeverElseIsAsked) {
  const auto all = prompts(24);
  const auto model = make();
  const auto texts = written(*model, all);
  const auto odds = chosen(*model, all);
  for (const std::string& text : texts) EXPECT_FALSE(text.empty());
  const auto other = make(step, frame, 2, 0);
  for (const std::size_t i : {std::size_t{0}, std::size_t{9}, std::size_t{23}}) {
    EXPECT_EQ(written(*other, {all[i]}).front(), texts[i]);
    EXPECT_EQ(chosen(*other, {all[i]}).front(), odds[i]);
  }
  std::vector<Prompt> reversed(all.rbegin(), all.rend());
  auto texts_back = written(*other, reversed);
  auto odds_back = chosen(*other, reversed);
  std::reverse(texts_back.begin(), texts_back.end());
  std::reverse(odds_back.begin(), odds_back.end());
  EXPECT_EQ(texts_back, texts);
  EXPECT_EQ(odds_back, odds);
}

/// A model whose blocks do nothing, so that the last token alone decides what follows it.
class Chain : public Instruct {
 protected:
  Chain() {
    what_.config.layers = 1;
    what_.config.heads = 1;
    what_.config.d = 16;
    what_.config.mlp = 64;
    what_.config.vocab = 4096;
    what_.config.context = 256;
    what_.dtype = checkpoint::Dtype::f32;
    model::write_random_checkpoint(folder_ / "chain", what_);
    fs::copy_file(nano / "tokenizer.json", folder_ / "chain/tokenizer.json");
    for (const char* name : {"attention.dense.weight", "attention.dense.bias", "mlp.dense_4h_to_h.weight",
                             "mlp.dense_4h_to_h.bias"})
      fill(std::string("gpt_neox.layers.0.") + name, 0);
    fill("gpt_neox.final_layer_norm.weight", 1);
    fill("gpt_neox.final_layer_norm.bias", 0);
    fill("embed_out.weight", 0);
  }

  void put(const std::string& name, std::int64_t first, const std::vector<float>& values) const {
    const auto weights = checkpoint::Weights::open(folder_ / "chain");
    std::fstream file(folder_ / "chain/model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(weights.at(name).offset) + first * 4);
    file.write(reinterpret_cast<const char*>(values.data()), std::ssize(values) * 4);
  }
  void fill(const std::string& name, float value) const {
    const auto size = checkpoint::Weights::open(folder_ / "chain").at(name).size();
    put(name, 0, std::vector<float>(static_cast<std::size_t>(size), value));
  }
  /// Behind `before` comes `behind`: its row of the unembedding is the other's normed embedding.
  void follow(std::int32_t before, std::int32_t behind) const {
    const auto weights = checkpoint::Weights::open(folder_ / "chain");
    std::vector<float> row(16);
    weights.read(weights.at("gpt_neox.embed_in.weight"), before, 1, row);
    float mean = 0, square = 0;
    for (const float x : row) mean += x / 16;
    for (float& x : row) x -= mean;
    for (const float x : row) square += x * x;
    for (float& x : row) x /= std::sqrt(square);
    put("embed_out.weight", std::int64_t{behind} * 16, row);
  }

  model::RandomCheckpoint what_;
};

TEST_F(Chain, WritesOneLineAndNoMarks) {
  const auto tokenizer = corpus::Tokenizer::load(nano / "tokenizer.json");
  const std::int32_t line = tokenizer.encode("\n").front(), a = tokenizer.encode("a").front(),
                     b = tokenizer.encode("b").front();
  const std::vector<Prompt> asked = {{"", "ask"}};
  follow(line, a);
  follow(a, b);
  follow(b, line);
  EXPECT_EQ(written(*make(folder_ / "chain"), asked).front(), "ab\n");
  follow(b, 0);  // the end of a text
  put("embed_out.weight", std::int64_t{line} * 16, std::vector<float>(16, 0.0F));
  EXPECT_EQ(written(*make(folder_ / "chain"), asked).front(), "ab");
  put("embed_out.weight", std::int64_t{a} * 16, std::vector<float>(16, 0.0F));
  follow(line, line);  // blanks are no text
  EXPECT_EQ(written(*make(folder_ / "chain"), asked).front(), std::string(12, '\n'));
}

TEST_F(Instruct, LeavesOutTheMiddleOfWhatIsTooLong) {
  const fs::path folder = copy();
  std::string config = store::read_text(folder / "config.json");
  const std::string context = "\"max_position_embeddings\": 2048";
  config.replace(config.find(context), context.size(), "\"max_position_embeddings\": 128");
  std::ofstream(folder / "config.json") << config;
  const auto model = make(folder);
  std::string middle;
  for (int i = 0; i < 300; ++i) middle += " cell";
  const auto odds = chosen(*model, {{"A", "B" + middle + " C"}, {"A", "B" + middle + middle + " C"}});
  EXPECT_EQ(odds[0], odds[1]);
  EXPECT_FALSE(written(*model, {{"A", middle}}).front().empty());
  ASSERT_EQ(warnings_.size(), 1U);
  EXPECT_NE(warnings_.front().find("128"), std::string::npos) << warnings_.front();
  EXPECT_NE(odds[0], chosen(*model, {{"A", "B" + middle + " D?"}}).front());
}

TEST_F(Instruct, IsKnownByAllThatDecidesAnswers) {
  const Identity known = make()->identity();
  EXPECT_EQ(known.kind, "neox");
  EXPECT_EQ(known.model, "step4000");
  EXPECT_EQ(known.server, "");
  EXPECT_TRUE(known.name.starts_with("neox 1 ")) << known.name;
  EXPECT_EQ(make(nano / "nano-200k/step4000/")->identity().name, known.name);
  EXPECT_EQ(make(copy(), frame, 2, 0)->identity().name, known.name);
  EXPECT_NE(make(step, {"frame.txt", frame.text + " "})->identity().name, known.name);
  EXPECT_NE(make(nano / "nano-41k/step4000")->identity().name, known.name);
  const fs::path changed = copy();
  const auto at = checkpoint::Weights::open(changed).at("gpt_neox.final_layer_norm.bias").offset;
  std::fstream file(changed / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(at));
  file.write("\x01\x02", 2);
  file.close();
  EXPECT_NE(make(changed)->identity().name, known.name);
}

TEST_F(Instruct, SaysWhatIsWrongWithAFolder) {
  using test::expect_error;
  const auto open = [](const fs::path& folder) { (void)InstructFolder(folder); };
  expect_error(Exit::data, {"interpret.model", "nowhere", "tokenizer.json"},
               [&] { open(folder_ / "nowhere"); });
  fs::path folder = copy();
  fs::remove(folder / "tokenizer.json");
  expect_error(Exit::data, {"interpret.model", "no tokenizer.json"}, [&] { open(folder); });
  folder = copy();
  fs::remove(folder / "model.safetensors");
  expect_error(Exit::data, {"interpret.model", "GPT-NeoX instruction model"}, [&] { open(folder); });
  folder = copy();
  fs::remove(folder / "config.json");
  expect_error(Exit::io, {"interpret.model", "config.json"}, [&] { open(folder); });
  folder = copy();
  std::string config = store::read_text(folder / "config.json");
  config.replace(config.find("\"gpt_neox\""), 10, "\"llama\"");
  std::ofstream(folder / "config.json") << config;
  expect_error(Exit::data, {"interpret.model", "llama", "gpt_neox"}, [&] { open(folder); });
  expect_error(Exit::data, {"frame.txt", "no {user}"}, [&] { (void)make(step, {"frame.txt", "{system}"}); });
}

}  // namespace
}  // namespace incipit::interpret
