#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace incipit::checkpoint {

/// A model as it lies there, before any choice.
struct ListedModel {
  std::string name;
  std::filesystem::path folder;
  std::map<int64_t, std::filesystem::path> steps;  ///< their folders, which need not be there in a cache
};

struct Listing {
  std::filesystem::path folder;     ///< the family's, or the cache's
  std::vector<ListedModel> models;  ///< by name
};

/// The models in a folder, as FAMILY/MODEL/stepN, or for hf:ORG in the Hugging Face cache that $HF_HUB_CACHE,
/// $HF_HOME/hub or ~/.cache/huggingface/hub names, as models--ORG--MODEL/{refs/stepN, snapshots/HASH}. In a
/// cache only refs/stepN count: `main` says nothing about its step. Error usage for an empty path, io for a
/// folder that cannot be read, data for one that holds steps itself, a step that is there twice, and a cache
/// without models.
[[nodiscard]] Listing list_models(const std::string& path);

/// Error data unless the folder of a step has its config and weights, seen to be there and not opened.
/// Symbolic links, as in a cache, must lead to something; downloads that were broken off are named.
void check_files(int64_t step, const std::filesystem::path& folder);

}  // namespace incipit::checkpoint
