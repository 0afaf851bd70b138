#include "match/sentence_folder.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "checkpoint/weights.hpp"
#include "error.hpp"
#include "refuse.hpp"
#include "store/files.hpp"
#include "store/json.hpp"

namespace incipit::match {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// One entry of modules.json.
struct Module {
  std::string type;  ///< without the Python packages before it
  fs::path folder;
};

/// Finds and reads files, each of which is noted down.
class Source {
 public:
  explicit Source(std::vector<fs::path>& files) : files_(files) {}

  fs::path find(const fs::path& path) const {
    if (!fs::exists(path)) refuse(path, "is missing; expected the folder of a sentence encoder to have it");
    files_.push_back(path);
    return path;
  }
  Json read(const fs::path& path) const {
    return store::parse_json(store::read_text(find(path)), path.string());
  }
  [[nodiscard]] Json read_if_there(const fs::path& path) const {
    return fs::exists(path) ? read(path) : Json::object();
  }

 private:
  std::vector<fs::path>& files_;
};

std::vector<Module> read_modules(const Source& source, const fs::path& folder) {
  const fs::path path = folder / "modules.json";
  const Json list = source.read(path);
  if (!list.is_array()) refuse(path, "expected a list of modules, found " + store::JsonObject::shown(list));
  std::vector<Module> modules;
  for (const Json& entry : list) {
    const store::JsonObject json(entry, fmt::format("{}: module {}", path.string(), modules.size()));
    const std::string& type = json.text("type");
    modules.push_back({type.substr(type.rfind('.') + 1), folder / json.text("path")});
  }
  return modules;
}

/// Error data unless the modules are Transformer, Pooling and perhaps Normalize, which changes no cosine.
void check_modules(const std::vector<Module>& modules, const fs::path& folder) {
  std::vector<std::string> types;
  for (const Module& module : modules) types.push_back(module.type);
  std::vector<std::string> expected{"Transformer", "Pooling", "Normalize"};
  if (types.size() < expected.size()) expected.pop_back();
  if (types != expected) {
    refuse(
        folder / "modules.json",
        fmt::format("expected Transformer, Pooling and perhaps Normalize, found {}", fmt::join(types, ", ")));
  }
}

/// The names of the poolings that a config asks for, in either of its spellings.
std::vector<std::string> pooling_names(const store::JsonObject& json, const Json& values) {
  std::vector<std::string> names;
  if (json.has("pooling_mode")) {
    const Json& mode = json.at("pooling_mode");
    for (const Json& name : mode.is_array() ? mode : Json::array({mode})) {
      names.push_back(name.is_string() ? name.get<std::string>() : store::JsonObject::shown(name));
    }
    return names;
  }
  constexpr std::string_view prefix = "pooling_mode_";
  for (const auto& [key, value] : values.items()) {
    if (key.starts_with(prefix) && json.boolean(key.c_str(), false))
      names.push_back(key.substr(prefix.size()));
  }
  if (names.empty()) names.emplace_back("mean");
  return names;
}

void read_pooling(const Source& source, const fs::path& path, SentenceFolder& out) {
  const Json values = source.read(path);
  const store::JsonObject json(values, path.string());
  for (const char* key : {"embedding_dimension", "word_embedding_dimension"}) {
    if (json.has(key) && json.integer(key) != out.config.d) {
      refuse(path, fmt::format("{} is {}, where the model's hidden_size is {}", key, json.integer(key),
                               out.config.d));
    }
  }
  const std::vector<std::string> names = pooling_names(json, values);
  const auto is = [&](const char* name) {
    return names.size() == 1 && (names[0] == name || names[0] == std::string(name) + "_token" ||
                                 names[0] == std::string(name) + "_tokens");
  };
  if (is("mean")) {
    out.pooling = model::Pooling::mean;
  } else if (is("cls")) {
    out.pooling = model::Pooling::first;
  } else if (is("max")) {
    out.pooling = model::Pooling::max;
  } else {
    refuse(path,
           fmt::format("expected one of the poolings mean, cls and max, found {}", fmt::join(names, ", ")));
  }
  if (!out.prompt.empty() && !json.boolean("include_prompt", true)) {
    refuse(path,
           "include_prompt is false while a prompt is set: leaving a prompt's tokens out of the mean is "
           "not known here");
  }
}

/// The text before every text, where the folder names one for all.
std::string read_prompt(const Source& source, const fs::path& path) {
  const Json values = source.read_if_there(path);
  const store::JsonObject json(values, path.string());
  if (!json.has("default_prompt_name")) return {};
  const store::JsonObject prompts = json.object("prompts");
  return prompts.text(json.text("default_prompt_name").c_str());
}

/// What the folder says, at most what the model has positions for.
std::int64_t read_max_length(const store::JsonObject& sentences, const store::JsonObject& tokenizer,
                             std::int64_t longest) {
  const bool set = sentences.has("max_seq_length");
  const store::JsonObject& json = set ? sentences : tokenizer;
  const char* key = set ? "max_seq_length" : "model_max_length";
  // transformers writes 10^30 where there is no limit.
  const double length = json.number(key, std::numeric_limits<double>::infinity());
  if (!(length >= 1)) refuse(json.where(), fmt::format("{} is {}; expected at least 1", key, length));
  return length < static_cast<double>(longest) ? static_cast<std::int64_t>(length) : longest;
}

void check_tokenizer(const SentenceFolder& found) {
  if (found.tokenizer.vocab_size() > found.config.vocab) {
    refuse(found.model, fmt::format("the tokenizer has {} tokens, where config.json's vocab_size is {}",
                                    found.tokenizer.vocab_size(), found.config.vocab));
  }
  try {
    (void)found.tokenizer.encode("", found.max_length);
  } catch (const Error& error) {
    refuse(found.model, fmt::format("texts are cut at {} tokens: {}", found.max_length, error.what()));
  }
}

/// Puts the files that an embedding depends on in order.
void note_files(SentenceFolder& out, std::vector<fs::path> files) {
  files.insert(files.end(), out.weights.begin(), out.weights.end());
  const std::vector<fs::path> tokenizer = corpus::WordPiece::files(out.model);
  files.insert(files.end(), tokenizer.begin(), tokenizer.end());
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  out.files = std::move(files);
}

}  // namespace

SentenceFolder read_sentence_folder(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error(
        Exit::usage,
        fmt::format("match.encoder = {}: there is no such folder; expected lexical or the folder of a "
                    "sentence encoder, which jobs/get-encoder.sh fetches",
                    folder.string()));
  }
  std::vector<fs::path> files;
  const Source source(files);
  std::vector<Module> modules;
  if (fs::exists(folder / "modules.json")) {
    modules = read_modules(source, folder);
    check_modules(modules, folder);
  }
  const fs::path model = modules.empty() ? folder : modules[0].folder;
  const fs::path config_file = source.find(model / "config.json");
  const model::EncoderConfig config = model::read_encoder_config(config_file);
  const fs::path sentence_file = model / "sentence_bert_config.json";
  const fs::path tokenizer_file = model / "tokenizer_config.json";
  const Json sentences = source.read_if_there(sentence_file),
             tokenizers = source.read_if_there(tokenizer_file);
  const store::JsonObject sentence_json(sentences, sentence_file.string());
  const std::int64_t max_length = read_max_length(
      sentence_json, store::JsonObject(tokenizers, tokenizer_file.string()), config.longest());

  SentenceFolder out{store::full_path(folder).filename().string(),
                     model,
                     config,
                     corpus::WordPiece::load(model, sentence_json.boolean("do_lower_case", false)),
                     model::Pooling::mean,
                     max_length,
                     read_prompt(source, folder / "config_sentence_transformers.json"),
                     checkpoint::Weights::open(model).files(),
                     {}};
  if (!modules.empty()) read_pooling(source, modules[1].folder / "config.json", out);
  check_tokenizer(out);
  note_files(out, std::move(files));
  return out;
}

}  // namespace incipit::match
