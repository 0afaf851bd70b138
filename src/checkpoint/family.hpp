#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"

namespace incipit::checkpoint {

/// The deck's [family] section.
struct FamilyOptions {
  std::string path;                 ///< a folder, or hf:ORG for the Hugging Face cache
  std::vector<std::string> models;  ///< empty: all that are there
  std::string steps = "all";        ///< all | 0,1000,143000 | log:25
};

/// One checkpoint.
struct Step {
  int64_t step = 0;
  std::filesystem::path folder;  ///< holds config.json and the weights
};

struct Model {
  std::string name;
  Config config;            ///< of the last of the chosen steps; all chosen steps have the same shape
  std::vector<Step> steps;  ///< ascending, at least one
  std::filesystem::path tokenizer;
};

struct Family {
  std::vector<Model> models;  ///< by number of parameters, then name; at least one
};

/// Finds FAMILY/MODEL/stepN or, for hf:ORG, models--ORG--MODEL/{refs/stepN, snapshots/HASH} in the cache
/// that $HF_HUB_CACHE, $HF_HOME/hub or ~/.cache/huggingface/hub names, and applies the options. In a cache
/// only refs/stepN count: `main` says nothing about its step. A listed step that a model lacks is left out
/// of that model. Weights are not opened, only seen to be there.
/// Error usage for a malformed option or a model that is not there (naming the nearest that is), io for a
/// folder that cannot be read, data for a family without models, a model without steps, a listed step that
/// no model has, a step without config or weights, steps of different shapes, and no tokenizer.json.
[[nodiscard]] Family find_family(const FamilyOptions& options);

/// `count` of the given ascending steps, nearest to even spacing in log2(1 + step): those with the least
/// sum of distances that hold both ends. All of them when there are no more than `count`; the last for 1.
[[nodiscard]] std::vector<int64_t> spread_in_log(std::span<const int64_t> steps, int64_t count);

}  // namespace incipit::checkpoint
