#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include "deck/assignments.hpp"
#include "deck/deck.hpp"
#include "deck/registry.hpp"
#include "error.hpp"

namespace incipit::deck {

namespace {

std::string read_text(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) {
    throw Error(Exit::usage, fmt::format("{}: no such deck", path.string()));
  }
  if (!std::filesystem::is_regular_file(status)) {
    throw Error(Exit::usage, fmt::format("{}: a deck is a file, and this is none", path.string()));
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  // An empty file makes the copy fail, and is a deck all the same.
  if (!file || (text.fail() && std::filesystem::file_size(path, error) != 0)) {
    throw Error(Exit::io, fmt::format("{}: cannot be read: {}", path.string(), std::strerror(errno)));
  }
  return text.str();
}

/// Deck assignments and overrides as one, overrides winning.
class Given {
 public:
  Given(Assignments deck, Assignments overrides) : anchors_(std::move(deck.anchors)) {
    for (Text& text : deck.texts) texts_.insert_or_assign(text.key, std::move(text));
    for (Text& text : overrides.texts) texts_.insert_or_assign(text.key, std::move(text));
    for (std::string& anchor : overrides.anchors) {
      const bool known = std::find(anchors_.begin(), anchors_.end(), anchor) != anchors_.end();
      if (!known) anchors_.push_back(std::move(anchor));
    }
  }

  [[nodiscard]] const std::vector<std::string>& anchors() const { return anchors_; }

  [[nodiscard]] const Text* find(const std::string& key) const {
    const auto at = texts_.find(key);
    return at == texts_.end() ? nullptr : &at->second;
  }

 private:
  std::map<std::string, Text> texts_;
  std::vector<std::string> anchors_;
};

Anchor make_anchor(const std::string& name, const Given& given) {
  Anchor anchor;
  anchor.name = name;
  anchor.curves = default_curves(name);
  for (const auto& key : anchor_keys()) {
    const Text* text = given.find(fmt::format("anchor.{}.{}", name, key.name));
    if (text != nullptr) key.set(anchor, *text);
  }
  return anchor;
}

/// Where a value came from, for checks over several keys.
std::string source(const Given& given, const std::string& key) {
  const Text* text = given.find(key);
  return text == nullptr ? "default" : text->where;
}

void check_k(const Deck& deck, const Given& given) {
  if (deck.sae.k <= deck.sae.latents) return;
  throw Error(
      Exit::usage,
      fmt::format("sae.k = {} ({}) is more than sae.latents = {} ({}): a probe cannot keep more latents "
                  "than there are; lower k or raise latents",
                  deck.sae.k, source(given, "sae.k"), deck.sae.latents, source(given, "sae.latents")));
}

void check_components(const Deck& deck, const Given& given) {
  if (!deck.extract.components || deck.extract.dtype == "float32") return;
  throw Error(
      Exit::usage,
      fmt::format("extract.components = yes ({}) needs extract.dtype = float32, found {} ({}): what blocks "
                  "add must sum up to the residual within 1e-4, and half precision has rounded it off",
                  source(given, "extract.components"), deck.extract.dtype, source(given, "extract.dtype")));
}

void check_model(const Deck& deck, const Given& given) {
  if (deck.interpret.teacher != "http" || !deck.interpret.model.empty()) return;
  throw Error(Exit::usage,
              fmt::format("interpret.teacher = http ({}) needs interpret.model: what {} calls the model; "
                          "servers list theirs at /v1/models",
                          source(given, "interpret.teacher"), deck.interpret.server));
}

}  // namespace

Words part_words(const std::vector<std::string>& words) {
  Words parted;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const auto equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (!word.starts_with("--") || name.find('.') == std::string::npos) {
      parted.others.push_back(word);
      continue;
    }
    if (equals != std::string::npos) {
      parted.overrides.push_back(word);
      continue;
    }
    const bool value_follows = i + 1 < words.size() && !words[i + 1].starts_with("--");
    const auto& keys = deck_keys();
    const bool is_switch = std::any_of(keys.begin(), keys.end(), [&](const Key<Deck>& key) {
      return key.unit == "yes/no" && "--" + key.full_name() == name;
    });
    if (is_switch) {
      // `--run.redo inputs/nano.ini` must not take the deck for the switch's value.
      const bool says_so = value_follows && (words[i + 1] == "yes" || words[i + 1] == "no");
      parted.overrides.push_back(name + "=" + (says_so ? words[++i] : "yes"));
    } else if (value_follows) {
      parted.overrides.push_back(name + "=" + words[++i]);
    } else {
      throw Error(Exit::usage,
                  fmt::format("command line: {} stands without a value, expected {}=VALUE", name, name));
    }
  }
  return parted;
}

Deck load(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  Assignments from_deck;
  if (!path.empty()) from_deck = read_ini(read_text(path), path.string(), path.parent_path());
  const Given given(std::move(from_deck), read_overrides(overrides));

  Deck deck;
  for (const auto& key : deck_keys()) {
    const std::string name = key.full_name();
    if (const Text* text = given.find(name)) {
      // Results go where the person stands, wherever the deck lies.
      Text own = *text;
      if (name == "run.output") own.base.clear();
      key.set(deck, own);
      continue;
    }
    if (key.required || (name == "run.output" && path.empty())) {
      throw Error(Exit::usage, fmt::format("{}: {} is missing and has no default. {}",
                                           path.empty() ? "command line" : path.string(), name, key.help));
    }
    if (name == "run.output") {
      deck.run.output = std::filesystem::path("results") / path.stem();
    } else if (!key.fallback().empty()) {
      key.set(deck, {.key = name, .value = key.fallback(), .where = "default", .base = path.parent_path()});
    }
  }
  check_k(deck, given);
  check_components(deck, given);
  check_model(deck, given);
  for (const std::string& name : given.anchors()) deck.anchors.push_back(make_anchor(name, given));
  if (deck.anchors.empty()) deck.anchors.push_back(make_anchor("time", given));
  return deck;
}

}  // namespace incipit::deck
