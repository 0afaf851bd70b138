#include "command/study.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "corpus/tokenizer.hpp"
#include "error.hpp"
#include "interpret/teacher.hpp"
#include "match/matching.hpp"
#include "store/hash.hpp"

namespace incipit::command {
namespace {

const checkpoint::Step* find_step(const checkpoint::Model& model, std::int64_t step) {
  auto found = std::ranges::find(model.steps, step, &checkpoint::Step::step);
  return found == model.steps.end() ? nullptr : &*found;
}

int find_model(const checkpoint::Family& family, const std::string& name, const std::string& where) {
  if (name.empty()) return static_cast<int>(family.models.size()) - 1;  // sorted by parameters
  std::vector<std::string> names;
  for (std::size_t m = 0; m < family.models.size(); ++m) {
    if (family.models[m].name == name) return static_cast<int>(m);
    names.push_back(family.models[m].name);
  }
  throw Error(Exit::usage, fmt::format("{} = {}: no such model in the family; there are {}", where, name,
                                       fmt::join(names, ", ")));
}

std::int64_t resolve_step(const checkpoint::Model& model, const std::string& text, const std::string& where) {
  if (text.empty() || text == "last") return model.steps.back().step;
  std::int64_t step = -1;
  std::from_chars(text.data(), text.data() + text.size(), step);
  if (find_step(model, step) == nullptr) {
    std::vector<std::int64_t> steps;
    for (const auto& s : model.steps) steps.push_back(s.step);
    throw Error(Exit::usage, fmt::format("{}.step = {}: model {} has no such step among those selected: {}",
                                         where, text, model.name, fmt::join(steps, ", ")));
  }
  return step;
}

bool is_list(const std::string& layers) {
  return layers != "all" && layers != "needed";
}

/// The layers that a list in `extract.layers` names of a model of this depth; none where it is no list.
std::set<int> listed_layers(const std::string& key, std::int64_t depth) {
  std::set<int> layers;
  if (!is_list(key)) return layers;
  for (std::size_t at = 0; at < key.size();) {
    const auto comma = std::min(key.find(',', at), key.size());
    const int layer = std::stoi(key.substr(at, comma - at));  // the deck checked that it is a number
    if (layer <= depth) layers.insert(layer);
    at = comma + 1;
  }
  return layers;
}

/// The layers that a curve through a model follows: all, or those of the list and the anchor's own.
std::set<int> followed_layers(const deck::Deck& deck, const Site& anchor, int model,
                              const checkpoint::Family& family) {
  const auto depth = family.models[static_cast<std::size_t>(model)].config.layers;
  std::set<int> layers = listed_layers(deck.extract.layers, depth);
  if (is_list(deck.extract.layers)) {
    if (model == anchor.model) layers.insert(anchor.layer);
  } else {
    for (int layer = 0; layer <= depth; ++layer) layers.insert(layer);
  }
  return layers;
}

Curve make_curve(const std::string& name, const Site& anchor, const deck::Deck& deck,
                 const checkpoint::Family& family) {
  Curve curve{name, {}};
  const auto& model = family.models[static_cast<std::size_t>(anchor.model)];
  if (name == "time") {
    for (const auto& s : model.steps) curve.points.push_back({anchor.model, s.step, anchor.layer});
  } else if (name == "space") {
    for (const int layer : followed_layers(deck, anchor, anchor.model, family))
      curve.points.push_back({anchor.model, anchor.step, layer});
  } else if (name == "scale") {
    const double fraction = static_cast<double>(anchor.layer) / static_cast<double>(model.config.layers);
    for (std::size_t m = 0; m < family.models.size(); ++m) {
      const auto depth = static_cast<double>(family.models[m].config.layers);
      curve.points.push_back({static_cast<int>(m), family.models[m].steps.back().step,
                              static_cast<int>(std::floor(fraction * depth + 0.5))});
    }
  } else {
    for (std::size_t m = 0; m < family.models.size(); ++m)
      for (const auto& s : family.models[m].steps)
        for (const int layer : followed_layers(deck, anchor, static_cast<int>(m), family))
          curve.points.push_back({static_cast<int>(m), s.step, layer});
  }
  return curve;
}

std::vector<Anchor> resolve_anchors(const deck::Deck& deck, const checkpoint::Family& family) {
  std::vector<Anchor> anchors;
  for (const auto& spec : deck.anchors) {
    const std::string where = "anchor." + spec.name;
    Site site{};
    site.model = find_model(family, spec.model, where + ".model");
    const auto& model = family.models[static_cast<std::size_t>(site.model)];
    site.step = resolve_step(model, spec.step, where);
    site.layer = resolve_layer(spec.layer, model.config.layers, where);
    Anchor anchor{spec.name, site, {}};
    for (const auto& curve : spec.curves) anchor.curves.push_back(make_curve(curve, site, deck, family));
    anchors.push_back(std::move(anchor));
  }
  return anchors;
}

/// The layers that `extract.layers` asks of a checkpoint; empty where no curve needs it.
std::vector<int> layers_wanted(const std::string& key, const std::set<int>& needed, std::int64_t depth) {
  std::set<int> layers = listed_layers(key, depth);
  layers.insert(needed.begin(), needed.end());
  if (key == "all")
    for (int l = 0; l <= depth; ++l) layers.insert(l);
  return {layers.begin(), layers.end()};
}

/// 0 … last: a sum of what blocks add leaves none of them out.
std::vector<int> up_to(int last) {
  std::vector<int> layers(static_cast<std::size_t>(last) + 1);
  std::iota(layers.begin(), layers.end(), 0);
  return layers;
}

std::vector<Checkpoint> needed_checkpoints(const deck::Deck& deck, const checkpoint::Family& family,
                                           const std::vector<Anchor>& anchors) {
  std::map<std::pair<int, std::int64_t>, std::set<int>> needed;
  std::set<std::pair<int, std::int64_t>> of_anchor, of_space;
  for (const auto& anchor : anchors) {
    needed[{anchor.site.model, anchor.site.step}].insert(anchor.site.layer);
    of_anchor.insert({anchor.site.model, anchor.site.step});
    if (space_curve(anchor) != nullptr) of_space.insert({anchor.site.model, anchor.site.step});
    for (const auto& curve : anchor.curves)
      for (const auto& p : curve.points) needed[{p.model, p.step}].insert(p.layer);
  }
  std::vector<Checkpoint> checkpoints;
  for (const auto& [key, layers] : needed) {
    const auto& model = family.models[static_cast<std::size_t>(key.first)];
    const bool space = of_space.contains(key);
    auto wanted = layers_wanted(deck.extract.layers, layers, model.config.layers);
    if (space && deck.extract.components) wanted = up_to(wanted.back());
    checkpoints.push_back({key.first, key.second, find_step(model, key.second)->folder, std::move(wanted),
                           of_anchor.contains(key), space});
  }
  return checkpoints;
}

std::vector<Checkpoint> all_checkpoints(const checkpoint::Family& family) {
  std::vector<Checkpoint> checkpoints;
  for (std::size_t m = 0; m < family.models.size(); ++m)
    for (const auto& s : family.models[m].steps)
      checkpoints.push_back(
          {static_cast<int>(m), s.step, s.folder, {static_cast<int>(family.models[m].config.layers)}, false});
  return checkpoints;
}

/// Keeps the probes whose flag is set, in order; parts stay as they were dealt.
corpus::Probes keep(const corpus::Probes& probes, const std::vector<bool>& flags) {
  corpus::Probes kept = probes;
  kept.all.clear();
  kept.subject.clear();
  kept.group.clear();
  kept.part.clear();
  kept.groups.clear();
  kept.group_subject.clear();
  std::vector<std::int32_t> group_now(probes.groups.size(), -1);
  for (std::size_t i = 0; i < probes.all.size(); ++i) {
    if (!flags[i]) continue;
    const auto old = static_cast<std::size_t>(probes.group[i]);
    if (group_now[old] < 0) {
      group_now[old] = static_cast<std::int32_t>(kept.groups.size());
      kept.groups.push_back(probes.groups[old]);
      kept.group_subject.push_back(probes.group_subject[old]);
    }
    kept.all.push_back(probes.all[i]);
    kept.subject.push_back(probes.subject[i]);
    kept.group.push_back(group_now[old]);
    kept.part.push_back(probes.part[i]);
  }
  return kept;
}

void require_all_subjects(const corpus::Probes& probes) {
  std::vector<bool> seen(probes.subjects.size(), false);
  for (auto s : probes.subject) seen[static_cast<std::size_t>(s)] = true;
  for (std::size_t s = 0; s < seen.size(); ++s)
    if (!seen[s])
      throw Error(Exit::data, fmt::format("subject {}: every probe is longer than the models' context; set "
                                          "probes.long = left to keep the last tokens",
                                          probes.subjects[s]));
}

/// Tokenizes with every different tokenizer of the family; drops what does not fit the shortest context.
void read_texts(Study& study, const deck::Deck& deck) {
  std::map<std::string, int> by_hash;
  std::int64_t context = study.family.models.front().config.context;
  for (const auto& model : study.family.models) context = std::min(context, model.config.context);
  std::vector<corpus::Tokenizer> tokenizers;
  for (const auto& model : study.family.models) {
    auto [entry, fresh] =
        by_hash.emplace(store::sha256_file(model.tokenizer), static_cast<int>(study.texts.size()));
    study.text_of.push_back(entry->second);
    if (!fresh) continue;
    tokenizers.push_back(corpus::Tokenizer::load(model.tokenizer));
    study.texts.push_back({model.tokenizer,
                           corpus::tokenize(study.probes, tokenizers.back(), deck.probes, context).tokens,
                           {},
                           {}});
  }
  std::vector<bool> fits(study.probes.all.size(), true);
  for (const auto& text : study.texts)
    for (std::size_t i = 0; i < fits.size(); ++i) fits[i] = fits[i] && !text.tokens[i].empty();
  study.dropped = std::ranges::count(fits, false);
  if (study.dropped > 0) {
    study.probes = keep(study.probes, fits);
    require_all_subjects(study.probes);
    for (auto& text : study.texts) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < fits.size(); ++i)
        if (fits[i]) text.tokens[kept++] = std::move(text.tokens[i]);
      text.tokens.resize(kept);
    }
  }
  for (std::size_t t = 0; t < study.texts.size(); ++t) {
    auto& text = study.texts[t];
    text.packs = corpus::make_packs(corpus::Tokenized{text.tokens}, deck.run.pack_tokens);
    for (const auto& tokens : text.tokens) text.last_token.push_back(tokenizers[t].token(tokens.back()));
  }
}

}  // namespace

std::string Checkpoint::name() const {
  return random() ? "random_weights" : fmt::format("step{}", step);
}

std::size_t Study::checkpoint_of(const Site& site) const {
  const auto found = std::ranges::find_if(
      checkpoints, [&](const Checkpoint& one) { return one.model == site.model && one.step == site.step; });
  if (found == checkpoints.end())
    throw Error(Exit::defect, "no checkpoint of the study holds " + describe(site));
  return static_cast<std::size_t>(found - checkpoints.begin());
}

std::string Study::describe(const Site& site) const {
  const auto when = site.step == random_weights ? "with random weights" : fmt::format("step {}", site.step);
  const auto cut = site.components > 0 ? fmt::format(" cut to {} components", site.components) : "";
  return fmt::format("{} {} layer {}{}", model(site).name, when, site.layer, cut);
}

std::optional<std::size_t> Study::control(const Anchor& anchor, const std::string& name) const {
  const auto found =
      std::ranges::find(dictionaries, fmt::format("{}.{}", anchor.name, name), &Dictionary::name);
  if (found == dictionaries.end()) return std::nullopt;
  return static_cast<std::size_t>(found - dictionaries.begin());
}

int resolve_layer(const std::string& text, std::int64_t layers, const std::string& where) {
  if (text.empty() || text == "last") return static_cast<int>(layers);
  if (text.find('.') != std::string::npos)
    return static_cast<int>(std::floor(std::stod(text) * static_cast<double>(layers) + 0.5));
  const int layer = std::stoi(text);
  if (layer > layers)
    throw Error(Exit::usage,
                fmt::format("{}.layer = {}: the model has layers 0 (embedding) to {}", where, text, layers));
  return layer;
}

const Curve* space_curve(const Anchor& anchor) {
  const auto found = std::ranges::find(anchor.curves, "space", &Curve::name);
  return found == anchor.curves.end() ? nullptr : &*found;
}

std::vector<Site> sites_of(const Anchor& anchor) {
  std::vector<Site> sites;
  for (const auto& curve : anchor.curves)
    for (const auto& point : curve.points)
      if (std::ranges::find(sites, point) == sites.end() && !anchor.is_left_out(point))
        sites.push_back(point);
  return sites;
}

void leave_out(Study& study, const std::vector<Study::Key>& checkpoints) {
  const auto is_out = [&](int model, std::int64_t step) {
    return std::ranges::find(checkpoints, Study::Key(model, step)) != checkpoints.end();
  };
  std::erase_if(study.checkpoints, [&](const Checkpoint& c) { return is_out(c.model, c.step); });
  for (auto& anchor : study.anchors)
    for (const auto& curve : anchor.curves)
      for (const auto& point : curve.points)
        if (is_out(point.model, point.step)) anchor.left_out.push_back(point);
}

void keep_models(Study& study, const std::vector<std::string>& models) {
  std::set<int> kept;
  for (const auto& name : models) kept.insert(find_model(study.family, name, "run.only"));
  for (const int model : kept)
    if (std::ranges::find(study.checkpoints, model, &Checkpoint::model) == study.checkpoints.end())
      throw Error(Exit::usage, fmt::format("run.only = {}: no curve of this deck needs a checkpoint of it",
                                           study.family.models[static_cast<std::size_t>(model)].name));
  std::erase_if(study.checkpoints,
                [&](const Checkpoint& checkpoint) { return !kept.contains(checkpoint.model); });
}

Study resolve(const deck::Deck& deck, Scope scope) {
  Study study;
  study.scope = scope;
  study.family = checkpoint::find_family(deck.family);
  if (scope == Scope::curves) {
    study.anchors = resolve_anchors(deck, study.family);
    study.checkpoints = needed_checkpoints(deck, study.family, study.anchors);
    // A folder that holds no encoder, or no teacher, shows here, not hours later.
    study.teacher_files = interpret::teacher_files(deck.interpret);
    study.match_files = match::encoder_files(deck.match);
    study.match_files.push_back(deck.match.subjects);
  } else {
    study.checkpoints = all_checkpoints(study.family);
  }
  study.probes = corpus::load_probes(deck.probes, deck.run.seed);
  read_texts(study, deck);
  return study;
}

}  // namespace incipit::command
