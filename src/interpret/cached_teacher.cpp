#include "interpret/cached_teacher.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "error.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"
#include "store/json.hpp"

namespace incipit::interpret {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_name_letters = 48, hash_digits = 12;

std::string path_letters(const std::string& model) {
  std::string letters;
  for (const char c : model.substr(0, most_name_letters)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '_' || c == '-';
    letters += plain ? c : '_';
  }
  return letters;
}

Identity read_about(const fs::path& path) {
  const auto value = store::parse_json(store::read_text(path), path.string());
  const store::JsonObject about(value, path.string());
  return {about.text("name"), about.text("kind"), about.text("model"), about.text("server")};
}

std::vector<Identity> all_cached(const fs::path& folder) {
  std::vector<Identity> found;
  if (!fs::exists(folder)) return found;
  for (const auto& entry : fs::directory_iterator(folder))
    if (const fs::path about = entry.path() / "about.json"; fs::exists(about))
      found.push_back(read_about(about));
  std::sort(found.begin(), found.end(), [](const Identity& a, const Identity& b) { return a.name < b.name; });
  return found;
}

std::string names_of(const std::vector<Identity>& identities) {
  std::vector<std::string> names;
  for (const Identity& one : identities) names.push_back(fmt::format("{} ({})", one.model, one.kind));
  return names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

fs::path answers_folder(const fs::path& output, const Identity& identity) {
  return output / "teacher" /
         fmt::format("{}-{}", path_letters(identity.model),
                     store::sha256(identity.name).substr(0, hash_digits));
}

void write_about(const fs::path& folder, const Identity& identity) {
  store::ensure_folder(folder);
  const nlohmann::json about = {{"name", identity.name},
                                {"kind", identity.kind},
                                {"model", identity.model},
                                {"server", identity.server}};
  store::write_text_atomic(folder / "about.json", about.dump(2) + "\n");
}

Identity find_cached(const fs::path& output, const std::string& model) {
  const fs::path folder = output / "teacher";
  const std::vector<Identity> all = all_cached(folder);
  std::vector<Identity> fitting;
  std::copy_if(all.begin(), all.end(), std::back_inserter(fitting),
               [&](const Identity& one) { return model.empty() || one.model == model || one.name == model; });
  if (fitting.size() == 1) return fitting.front();
  if (fitting.empty())
    throw Error(
        Exit::usage,
        fmt::format("interpret.teacher = cache: {} holds no answers{}; there are: {}. Have the teacher "
                    "itself answer first, into the same run.output",
                    folder.string(), model.empty() ? "" : " of interpret.model = " + model, names_of(all)));
  throw Error(Exit::usage,
              fmt::format("interpret.teacher = cache: {} holds the answers of several teachers: {}. Name one "
                          "with interpret.model",
                          folder.string(), names_of(fitting)));
}

}  // namespace incipit::interpret
