#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"

namespace incipit::checkpoint {

/// One step as it lies there.
struct SurveyedStep {
  int64_t step = 0;
  std::string format;  ///< "safetensors" or "torch"
  std::string dtype;   ///< of the embedding, as the file spells it
  uint64_t bytes = 0;  ///< of all tensors
  std::string fault;   ///< what is wrong, with its place; empty where nothing is
};

struct SurveyedModel {
  std::string name;
  std::optional<Config> config;     ///< of the last step whose config can be read
  std::vector<SurveyedStep> steps;  ///< ascending
  std::vector<int64_t> missing;     ///< steps that another model of the family has and this one lacks
};

/// What is in a family (a folder, or hf:ORG), models by number of parameters and then name. Headers of
/// weights are read and compared with the config; what is wrong with a step is told and does not stop the
/// survey. Errors as list_models().
[[nodiscard]] std::vector<SurveyedModel> survey_family(const std::string& path);

}  // namespace incipit::checkpoint
