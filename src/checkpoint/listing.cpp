#include "checkpoint/listing.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#include "error.hpp"
#include "store/files.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view cache_prefix = "hf:";

[[noreturn]] void refuse_listing(Exit code, const fs::path& where, const std::string& what) {
  throw Error(code, where.string() + ": " + what);
}

/// N of a folder or reference "stepN".
std::optional<int64_t> step_number(const std::string& name) {
  constexpr std::string_view prefix = "step";
  int64_t step = 0;
  if (!name.starts_with(prefix) || name == prefix || name[prefix.size()] == '-') return {};
  const char* const end = name.data() + name.size();
  const auto [stopped, error] = std::from_chars(name.data() + prefix.size(), end, step);
  if (error != std::errc() || stopped != end) return {};
  return step;
}

std::vector<fs::path> entries_of(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> entries;
  fs::directory_iterator it(folder, error);
  for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(it->path());
  if (error) refuse_listing(Exit::io, folder, "cannot be listed: " + error.message());
  std::sort(entries.begin(), entries.end());
  return entries;
}

/// step07 beside step7 would be one step twice.
void add_step(ListedModel& model, int64_t step, const fs::path& folder) {
  const auto [it, is_new] = model.steps.emplace(step, folder);
  if (!is_new) {
    refuse_listing(Exit::data, folder,
                   "step " + std::to_string(step) + " is there twice, also as " + it->second.string());
  }
}

std::vector<ListedModel> list_folder(const fs::path& family) {
  std::vector<ListedModel> models;
  for (const fs::path& folder : entries_of(family)) {
    if (!fs::is_directory(folder)) continue;
    ListedModel model{folder.filename().string(), folder, {}};
    if (step_number(model.name)) {
      refuse_listing(
          Exit::data, family,
          "holds steps itself (" + model.name + "): it is one model; name the folder above as family.path");
    }
    for (const fs::path& entry : entries_of(folder)) {
      const std::optional<int64_t> step = step_number(entry.filename().string());
      if (step && fs::is_directory(entry)) add_step(model, *step, entry);
    }
    models.push_back(std::move(model));
  }
  return models;
}

fs::path cache_folder() {
  const auto variable = [](const char* name) -> std::string {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  if (const std::string hub = variable("HF_HUB_CACHE"); !hub.empty()) return hub;
  if (const std::string home = variable("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  return fs::path(variable("HOME")) / ".cache/huggingface/hub";
}

/// A reference file holds the hash that names the snapshot's folder.
fs::path snapshot_of(const fs::path& model, const fs::path& reference) {
  std::string hash = store::read_text(reference);
  while (!hash.empty() && std::isspace(static_cast<unsigned char>(hash.back())) != 0) hash.pop_back();
  if (hash.empty() || hash.find('/') != std::string::npos || hash.starts_with('.')) {
    refuse_listing(Exit::data, reference,
                   "expected the name of a snapshot, found '" + hash.substr(0, 60) + "'");
  }
  return model / "snapshots" / hash;
}

std::vector<ListedModel> list_cache(const std::string& organisation, const fs::path& cache) {
  const std::string prefix = "models--" + organisation + "--";
  std::vector<ListedModel> models;
  for (const fs::path& folder : entries_of(cache)) {
    const std::string name = folder.filename().string();
    if (!name.starts_with(prefix) || !fs::is_directory(folder / "refs")) continue;
    ListedModel model{name.substr(prefix.size()), folder, {}};
    for (const fs::path& reference : entries_of(folder / "refs")) {
      const std::optional<int64_t> step = step_number(reference.filename().string());
      if (step) add_step(model, *step, snapshot_of(folder, reference));
    }
    models.push_back(std::move(model));
  }
  if (models.empty()) refuse_listing(Exit::data, cache, "no " + prefix + "* in this cache");
  return models;
}

/// A snapshot's files are links to MODEL/blobs, where a download that was broken off leaves HASH.incomplete.
std::string broken_off(const fs::path& step_folder) {
  const fs::path blobs = step_folder.parent_path().parent_path() / "blobs";
  if (step_folder.parent_path().filename() != "snapshots" || !fs::is_directory(blobs)) return "";
  const std::vector<fs::path> entries = entries_of(blobs);
  const auto count = std::count_if(entries.begin(), entries.end(),
                                   [](const fs::path& entry) { return entry.extension() == ".incomplete"; });
  if (count == 0) return "";
  return " (" + std::to_string(count) + " *.incomplete in " + blobs.string() + ": a download was broken off)";
}

bool is_weights(const std::string& name) {
  return name == "model.safetensors" || name == "model.safetensors.index.json" ||
         (name.starts_with("pytorch_model") && (name.ends_with(".bin") || name.ends_with(".bin.index.json")));
}

}  // namespace

Listing list_models(const std::string& path) {
  if (path.empty()) throw Error(Exit::usage, "family.path: expected a folder or hf:ORG");
  if (!path.starts_with(cache_prefix)) return {path, list_folder(path)};
  const std::string organisation = path.substr(cache_prefix.size());
  if (organisation.empty()) throw Error(Exit::usage, "family.path: expected hf:ORG, such as hf:EleutherAI");
  const fs::path cache = cache_folder();
  return {cache, list_cache(organisation, cache)};
}

void check_files(int64_t step, const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    refuse_listing(Exit::data, folder,
                   "the snapshot of step" + std::to_string(step) + " is not there; download it again" +
                       broken_off(folder));
  }
  if (!fs::exists(folder / "config.json"))
    refuse_listing(Exit::data, folder, "no config.json" + broken_off(folder));
  bool any = false;
  for (const fs::path& entry : entries_of(folder)) {
    if (!is_weights(entry.filename().string())) continue;
    if (!fs::exists(entry))
      refuse_listing(Exit::data, entry, "a link to nothing; download it again" + broken_off(folder));
    any = true;
  }
  if (!any) {
    refuse_listing(
        Exit::data, folder,
        "no weights: expected model.safetensors, pytorch_model.bin, or an index of either with its shards" +
            broken_off(folder));
  }
}

}  // namespace incipit::checkpoint
