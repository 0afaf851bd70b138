#include "checkpoint/survey.hpp"

#include <cstdlib>

#include "../support.hpp"
#include "checkpoint/weights.hpp"
#include "pythia.hpp"
#include "tiny.hpp"
#include "torch_writer.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

class SurveyTest : public test::FolderTest {
 protected:
  void add(const std::string& model, int64_t step, const std::string& weights,
           const std::string& bytes) const {
    const fs::path folder = fs::path(model) / ("step" + std::to_string(step));
    write(folder / "config.json", tiny_config_text());
    write(folder / weights, bytes);
  }
};

TEST_F(SurveyTest, TellsWhatIsThereAndWhatIsMissing) {
  const std::vector<TinyTensor> tensors = tiny_tensors(tiny_config());
  std::vector<TinyTensor> fewer(tensors.begin() + 1, tensors.end());
  add("a", 0, "model.safetensors", safetensors_file(tensors));
  add("a", 7, "pytorch_model.bin", torch_file(tensors));
  add("b", 7, "model.safetensors", safetensors_file(fewer));
  add("b", 8, "pytorch_model.bin", "PK");
  write("c/step7/notes", "");
  write("scripts/x", "");
  const std::vector<SurveyedModel> models = survey_family(folder_.string());
  ASSERT_EQ(models.size(), 3u);
  const SurveyedModel &c = models[0], &a = models[1], &b = models[2];  // c has no config: no parameters
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.config, tiny_config());
  ASSERT_EQ(a.steps.size(), 2u);
  EXPECT_EQ(a.steps[0].format + a.steps[0].dtype, "safetensorsF32");
  EXPECT_EQ(a.steps[1].format + a.steps[1].dtype, "torchF32");
  EXPECT_EQ(a.steps[0].bytes, static_cast<uint64_t>(tiny_config().params()) * 4);
  EXPECT_EQ(a.steps[1].bytes, a.steps[0].bytes);
  EXPECT_EQ(a.steps[0].fault + a.steps[1].fault, "");
  EXPECT_EQ(a.missing, (std::vector<int64_t>{8}));
  EXPECT_NE(b.steps.at(0).fault.find("1 missing: gpt_neox.embed_in.weight"), std::string::npos)
      << b.steps[0].fault;
  EXPECT_NE(b.steps.at(1).fault.find("truncated"), std::string::npos) << b.steps[1].fault;
  EXPECT_EQ(c.name, "c");
  EXPECT_FALSE(c.config);
  EXPECT_NE(c.steps.at(0).fault.find("no config.json"), std::string::npos);
}

/// Pythia-12B as it lies in a cache, with files of its true size that hold nothing; and the numbers of
/// parameters that Pythia's authors give.
TEST_F(SurveyTest, KnowsThePythias) {
  setenv("HF_HUB_CACHE", folder_.c_str(), 1);
  constexpr std::array<std::pair<int64_t, int64_t>, 10> given{{{14067712, 1189888},
                                                               {30494720, 4739072},
                                                               {70426624, 18915328},
                                                               {162322944, 85056000},
                                                               {405334016, 302311424},
                                                               {1011781632, 805736448},
                                                               {1414647808, 1208602624},
                                                               {2775208960, 2517652480},
                                                               {6857302016, 6444163072},
                                                               {11846072320, 11327027200}}};
  for (const Pythia& pythia : pythias) add_to_cache(folder_, pythia, 1000, "model.safetensors");
  // Sparse: the header alone takes space.
  const fs::path file =
      add_to_cache(folder_, pythias.back(), 143000, "model.safetensors") / "model.safetensors";
  std::string header = "{";
  uint64_t bytes = 0;
  for (const auto& [name, shape] : expected_tensors(read_config(file.parent_path() / "config.json"))) {
    uint64_t size = 2;
    for (const int64_t extent : shape) size *= static_cast<uint64_t>(extent);
    header += (bytes > 0 ? ",\"" : "\"") + name + R"(":{"dtype":"F16","shape":)" + shown(shape) +
              R"(,"data_offsets":[)" + std::to_string(bytes) + "," + std::to_string(bytes + size) + "]}";
    bytes += size;
  }
  std::ofstream(file, std::ios::binary) << safetensors_file(header + "}", "");
  fs::resize_file(fs::canonical(file), 8 + header.size() + 1 + bytes);

  const std::vector<SurveyedModel> models = survey_family("hf:EleutherAI");
  ASSERT_EQ(models.size(), 10u);
  for (std::size_t i = 0; i < models.size(); ++i) {
    EXPECT_EQ(models[i].name, pythias.at(i).name);
    ASSERT_TRUE(models[i].config);
    EXPECT_EQ(models[i].config->params(), given.at(i).first) << models[i].name;
    EXPECT_EQ(models[i].config->params_non_embedding(), given.at(i).second) << models[i].name;
    EXPECT_NE(models[i].steps.at(0).fault, "");
  }
  const SurveyedStep& last = models.back().steps.at(1);
  EXPECT_EQ(last.fault, "");
  EXPECT_EQ(last.bytes, 2u * 11846072320);
  EXPECT_EQ(models.front().missing, (std::vector<int64_t>{143000}));
  unsetenv("HF_HUB_CACHE");
}

TEST_F(SurveyTest, NamesDownloadsThatWereBrokenOff) {
  setenv("HF_HUB_CACHE", folder_.c_str(), 1);
  const fs::path snapshot = add_to_cache(folder_, pythias.front(), 0);
  fs::remove(fs::canonical(snapshot / "pytorch_model.bin"));
  write("models--EleutherAI--pythia-14m/blobs/abc.incomplete", "half of it");
  const std::string fault = survey_family("hf:EleutherAI").at(0).steps.at(0).fault;
  EXPECT_NE(fault.find("a link to nothing"), std::string::npos) << fault;
  EXPECT_NE(fault.find("1 *.incomplete in"), std::string::npos) << fault;
  unsetenv("HF_HUB_CACHE");
}

}  // namespace
}  // namespace incipit::checkpoint
