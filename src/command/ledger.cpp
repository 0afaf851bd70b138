#include "command/ledger.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>

#include "checkpoint/weights.hpp"
#include "error.hpp"
#include "interpret/prompts.hpp"
#include "interpret/teacher.hpp"
#include "store/hash.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;
using deck::Stage;

std::vector<fs::path> checkpoint_files(const Checkpoint& checkpoint) {
  std::vector<fs::path> files;
  if (!checkpoint.random()) files = checkpoint::Weights::open(checkpoint.folder).files();
  files.push_back(checkpoint.folder / "config.json");
  return files;
}

class Maker {
 public:
  Maker(const deck::Deck& deck, const Study& study, const std::map<std::string, std::string>& hashes,
        std::string device)
      : deck_(deck), study_(study), hashes_(hashes), device_(std::move(device)) {}

  /// The fingerprint is over the stage, its keys, and what it read: the hash of each input's content and
  /// the fingerprints of the units before it. Paths do not count, so a folder may be moved.
  Unit make(Stage stage, const std::string& kind, const std::string& file, const std::string& anchor,
            std::string extra, const std::vector<const Unit*>& from, const std::vector<fs::path>& files,
            const std::vector<store::Header::Input>& more = {}) const {
    Unit unit{stage, kind, deck_.run.output / file, {}, deck::keys_of(deck_, stage, anchor), {}, device_};
    std::string text = fmt::format("incipit {} 1\n{}\n{}\ndevice {}\n", kind, unit.keys, extra, device_);
    for (const auto* before : from) text += fmt::format("from {}\n", before->lineage);
    unit.inputs = more;
    for (const auto& path : files) unit.inputs.push_back({path.string(), hashes_.at(path.string())});
    for (const auto& input : unit.inputs) text += fmt::format("file {}\n", input.sha256);
    unit.fingerprint = unit.lineage = store::sha256(text);
    return unit;
  }

  Unit activations(const Checkpoint& checkpoint) const {
    auto extra = fmt::format("layers {}\ndropped {}", fmt::join(checkpoint.layers, ","), study_.dropped);
    if (checkpoint.random()) extra += fmt::format("\nrandom weights of seed {}", deck_.run.seed);
    auto unit = make(Stage::extract, "activations", file_of("activations", checkpoint), {}, extra, {},
                     forward_files(checkpoint));
    if (!checkpoint.space) return unit;
    unit.keys += fmt::format("extract.components = {}\n", deck_.extract.components ? "yes" : "no");
    if (deck_.extract.components) unit.fingerprint = store::sha256(unit.lineage + " with components");
    return unit;
  }

  Unit attribution(const Anchor& anchor, const Unit& components, const std::vector<const Unit*>& from) const {
    std::string points;
    for (const auto& site : space_curve(anchor)->points) points += study_.describe(site) + "\n";
    return make(Stage::attribute, "attribution", "attribution/" + anchor.name + ".h5", anchor.name,
                fmt::format("{}components {}", points, components.fingerprint), from, {});
  }

  Unit loss(const Checkpoint& checkpoint) const {
    return make(Stage::loss, "loss", file_of("loss", checkpoint), {},
                fmt::format("dropped {}", study_.dropped), {}, forward_files(checkpoint));
  }

 private:
  std::string file_of(const std::string& kind, const Checkpoint& checkpoint) const {
    return fmt::format("{}/{}/{}.h5", kind, study_.model(checkpoint).name, checkpoint.name());
  }

  /// What a forward pass reads.
  std::vector<fs::path> forward_files(const Checkpoint& checkpoint) const {
    auto files = checkpoint_files(checkpoint);
    files.push_back(study_.model(checkpoint).tokenizer);
    files.push_back(deck_.probes.path);
    return files;
  }

  const deck::Deck& deck_;
  const Study& study_;
  const std::map<std::string, std::string>& hashes_;
  std::string device_;
};

/// Prompts that lie in no file but in the program.
std::vector<store::Header::Input> bundled_prompts(const deck::Deck& deck) {
  std::vector<store::Header::Input> inputs;
  if (!interpret::reads(deck.interpret) || deck.interpret.prompts != interpret::bundled) return inputs;
  const auto add = [&](const interpret::PromptFile& file) {
    inputs.push_back({file.where, store::sha256(file.text)});
  };
  for (const auto& file : interpret::prompt_files(interpret::bundled)) add(file);
  if (deck.interpret.teacher == "neox") add(interpret::frame_file(interpret::bundled));
  return inputs;
}

/// What reads what at each point of a trail.
std::string describe_readings(const Study& study, const Trail& trail) {
  const auto& anchor = study.anchors[trail.anchor];
  std::string text = fmt::format("{} {}/{}:", anchor.name, trail.place, trail.curve.name);
  for (const auto& [dictionary, site] : trail.readings) {
    text += fmt::format(" {} by {}{},", study.describe(site), study.dictionaries[dictionary].name,
                        anchor.is_left_out(site) ? " (left out)" : "");
  }
  return text + "\n";
}

/// The value of each of `keys`' keys in a deck as a file stores it (INI), as lines `section.key = value`.
std::string stored_keys(const std::string& ini, const std::string& keys) {
  std::map<std::string, std::string> stored;
  std::istringstream lines(ini);
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[")) section = line.substr(1, line.find(']') - 1) + ".";
    if (const auto equals = line.find(" ="); equals != std::string::npos && !line.starts_with("#"))
      stored[section + line.substr(0, equals)] = section + line;
  }
  std::string text;
  std::istringstream wanted(keys);
  for (std::string line; std::getline(wanted, line);)
    if (const auto found = stored.find(line.substr(0, line.find(" ="))); found != stored.end())
      text += found->second + "\n";
  return text;
}

/// Paths of the inputs whose content none of the others has. Where a file lies does not matter.
std::vector<std::string> without_equal_content(const std::vector<store::Header::Input>& inputs,
                                               const std::vector<store::Header::Input>& others) {
  std::vector<std::string> paths;
  for (const auto& input : inputs)
    if (std::ranges::find(others, input.sha256, &store::Header::Input::sha256) == others.end())
      paths.push_back(input.path);
  return paths;
}

}  // namespace

Ledger::Ledger(const deck::Deck& deck, const Study& study, const std::map<std::string, std::string>& hashes,
               const std::string& device)
    : study_(&study) {
  const Maker maker(deck, study, hashes, device);
  if (study.scope == Scope::ladder || deck.extract.loss)
    for (const auto& checkpoint : study.checkpoints)  // those with random weights are the last
      if (!checkpoint.random()) loss_.push_back(maker.loss(checkpoint));
  if (study.scope == Scope::ladder) return;
  for (const auto& checkpoint : study.checkpoints) activations_.push_back(maker.activations(checkpoint));
  std::vector<const Unit*> all;
  std::string points;
  const auto prompts = bundled_prompts(deck);
  sae_.reserve(study.dictionaries.size());
  for (std::size_t d = 0; d < study.dictionaries.size(); ++d) {
    const auto& [name, anchor, where, trained, seed, seeds, size] = study.dictionaries[d];
    const std::string file = name + ".h5";
    auto site = study.describe(where);
    if (size) site += fmt::format(", k {}, h {}", size->k, size->latents);
    if (trained == d)
      sae_.push_back(maker.make(Stage::train, "sae", "sae/" + file, anchor, site, {&activations(where)}, {}));
    if (seed > 0) site += fmt::format(", SAE {}", seed);
    labels_.push_back(maker.make(Stage::interpret, "labels", "labels/" + file, anchor, site, {&sae(d)},
                                 study.teacher_files, prompts));
    match_.push_back(maker.make(Stage::match, "match", "match/" + file, anchor, site, {&labels_.back()},
                                study.match_files));
  }
  for (const auto& [name, anchor, home, sites] : study.maps) {
    std::string text = study.describe(home) + "\n";
    std::vector<const Unit*> read{&activations(home)};
    for (const auto& site : sites) {
      text += study.describe(site) + "\n";
      read.push_back(&activations(site));
    }
    align_.push_back(maker.make(Stage::align, "align", "align/" + name + ".h5", anchor, text, read, {}));
  }
  for (const auto& trail : study.trails) points += describe_readings(study, trail);
  for (std::size_t a = 0; a < study.anchors.size(); ++a)
    if (deck.extract.components && !study.sweep && !study.dictionaries.empty() &&
        space_curve(study.anchors[a]) != nullptr)
      attribution_.emplace(
          a, maker.attribution(study.anchors[a], activations(study.anchors[a].site), {&sae(a), &match_[a]}));
  for (const auto* units : {&sae_, &labels_, &match_, &align_})
    for (const auto& unit : *units) all.push_back(&unit);
  for (const auto& unit : activations_) all.push_back(&unit);
  for (const auto& [anchor, unit] : attribution_) all.push_back(&unit);
  if (study.sweep)
    sweep_ =
        maker.make(Stage::track, study.sweep->kind, study.sweep->file, study.sweep->anchor, points, all, {});
  for (const auto& unit : loss_) all.push_back(&unit);
  emergence_ =
      maker.make(Stage::track, "emergence", "emergence.h5", {}, points, all, input_files(deck, study));
  emergence_.keys += fmt::format("extract.loss = {}\n", deck.extract.loss ? "yes" : "no");
}

std::vector<const Unit*> Ledger::of(Stage stage) const {
  std::vector<const Unit*> units;
  auto add = [&](const std::vector<Unit>& list) {
    for (const auto& unit : list) units.push_back(&unit);
  };
  switch (stage) {
    case Stage::extract:
      add(activations_);
      break;
    case Stage::train:
      add(sae_);
      break;
    case Stage::interpret:
      add(labels_);
      break;
    case Stage::match:
      add(match_);
      break;
    case Stage::align:
      add(align_);
      break;
    case Stage::attribute:
      for (const auto& [anchor, unit] : attribution_) units.push_back(&unit);
      break;
    case Stage::track:
      units.push_back(&emergence_);
      break;
    case Stage::loss:
      add(loss_);
      break;
  }
  return units;
}

std::vector<fs::path> input_files(const deck::Deck& deck, const Study& study) {
  std::vector<fs::path> files = study.match_files;
  files.insert(files.end(), study.teacher_files.begin(), study.teacher_files.end());
  files.push_back(deck.probes.path);
  for (const auto& text : study.texts) files.push_back(text.tokenizer);
  for (const auto& model : study.family.models) files.push_back(model.tokenizer);
  for (const auto& checkpoint : study.checkpoints)
    for (auto& file : checkpoint_files(checkpoint)) files.push_back(std::move(file));
  std::ranges::sort(files);
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

State state_of(const Unit& unit) {
  if (!fs::exists(unit.path)) return State::missing;
  return store::Reader(unit.path, unit.kind).fingerprint() == unit.fingerprint ? State::done : State::stale;
}

std::string why_stale(const Unit& unit) {
  const store::Reader file(unit.path, unit.kind);
  const auto keys = deck::differing_keys(stored_keys(file.deck(), unit.keys), unit.keys);
  if (!keys.empty()) return fmt::format("{}", fmt::join(keys, ", "));
  if (const auto made = file.attribute_string("", "device"); made != unit.device)
    return fmt::format("the kind of device ({} then, {} now; run.device chooses)", made, unit.device);
  const auto was = file.inputs();
  auto changed = without_equal_content(unit.inputs, was);
  for (const auto& path : without_equal_content(was, unit.inputs))
    if (std::ranges::find(changed, path) == changed.end()) changed.push_back(path);
  if (!changed.empty()) return fmt::format("the content of {}", fmt::join(changed, ", "));
  return "what the stages before it read";
}

}  // namespace incipit::command
