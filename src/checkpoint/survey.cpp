#include "checkpoint/survey.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "checkpoint/listing.hpp"
#include "checkpoint/weights.hpp"
#include "error.hpp"

namespace incipit::checkpoint {
namespace {

SurveyedStep survey_step(int64_t step, const std::filesystem::path& folder, std::optional<Config>& config) {
  SurveyedStep out;
  out.step = step;
  try {
    check_files(step, folder);
    config = read_config(folder / "config.json");
    const Weights weights = Weights::open(folder);
    out.format = weights.format();
    out.bytes = weights.bytes();
    check_tensors(weights, *config);
    out.dtype = weights.at("gpt_neox.embed_in.weight").dtype_name;
  } catch (const Error& error) {
    out.fault = error.what();
  }
  return out;
}

}  // namespace

std::vector<SurveyedModel> survey_family(const std::string& path) {
  const Listing there = list_models(path);
  std::set<int64_t> anywhere;
  for (const ListedModel& model : there.models)
    for (const auto& [step, folder] : model.steps) anywhere.insert(step);
  std::vector<SurveyedModel> models;
  for (const ListedModel& listed : there.models) {
    if (listed.steps.empty()) continue;  // notes, scripts
    SurveyedModel model;
    model.name = listed.name;
    for (const auto& [step, folder] : listed.steps)
      model.steps.push_back(survey_step(step, folder, model.config));
    std::copy_if(anywhere.begin(), anywhere.end(), std::back_inserter(model.missing),
                 [&](int64_t step) { return !listed.steps.contains(step); });
    models.push_back(std::move(model));
  }
  std::stable_sort(models.begin(), models.end(), [](const SurveyedModel& a, const SurveyedModel& b) {
    return (a.config ? a.config->params() : 0) < (b.config ? b.config->params() : 0);
  });
  return models;
}

}  // namespace incipit::checkpoint
