#include "checkpoint/family.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "checkpoint/listing.hpp"
#include "edit_distance.hpp"
#include "error.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse_family(Exit code, const std::string& where, const std::string& what) {
  throw Error(code, where + ": " + what);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.front() == '-' || error != std::errc() || end != text.data() + text.size())
    return {};
  return value;
}

/// Keeps the wanted models; folders without any step (notes, scripts) only matter when they were asked for.
std::vector<ListedModel> choose_models(std::vector<ListedModel> there, const std::vector<std::string>& wanted,
                                       const std::string& where) {
  if (wanted.empty()) {
    std::erase_if(there, [](const ListedModel& model) { return model.steps.empty(); });
    if (there.empty()) {
      refuse_family(Exit::data, where,
                    "no model with a step in it; expected MODEL/stepN/{config.json, model.safetensors}");
    }
    return there;
  }
  std::vector<std::string> names;
  for (const ListedModel& model : there) names.push_back(model.name);
  std::vector<ListedModel> chosen;
  for (const std::string& name : std::set<std::string>(wanted.begin(), wanted.end())) {
    const auto model =
        std::find_if(there.begin(), there.end(), [&](const ListedModel& m) { return m.name == name; });
    if (model == there.end()) {
      if (names.empty()) refuse_family(Exit::data, where, "no models there, looked for '" + name + "'");
      const auto nearest = std::min_element(names.begin(), names.end(), [&](const auto& a, const auto& b) {
        return edit_distance(name, a) < edit_distance(name, b);
      });
      refuse_family(Exit::usage, where,
                    "family.models: no model '" + name + "'; nearest is '" + *nearest + "', there are " +
                        joined(names));
    }
    if (model->steps.empty())
      refuse_family(Exit::data, model->folder.string(), "no steps; expected folders stepN");
    chosen.push_back(*model);
  }
  return chosen;
}

struct StepChoice {
  enum class Kind { all, list, log } kind = Kind::all;
  std::set<int64_t> list;
  int64_t count = 0;
};

[[noreturn]] void refuse_steps(const std::string& text) {
  throw Error(Exit::usage,
              "family.steps: expected all, steps such as 0,1000,143000, or log:N with N from 1; found '" +
                  text + "'");
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

StepChoice parse_steps(const std::string& text) {
  StepChoice choice;
  if (trimmed(text) == "all") return choice;
  constexpr std::string_view log = "log:";
  if (trimmed(text).starts_with(log)) {
    const std::optional<int64_t> count = whole_number(trimmed(text).substr(log.size()));
    if (!count || *count < 1) refuse_steps(text);
    return {StepChoice::Kind::log, {}, *count};
  }
  choice.kind = StepChoice::Kind::list;
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    const std::optional<int64_t> step = whole_number(trimmed(rest.substr(0, comma)));
    if (!step) refuse_steps(text);
    choice.list.insert(*step);
    if (comma == std::string_view::npos) return choice;
    rest.remove_prefix(comma + 1);
  }
}

void keep_steps(ListedModel& model, const std::set<int64_t>& wanted) {
  std::erase_if(model.steps, [&](const auto& step) { return !wanted.contains(step.first); });
}

void choose_steps(std::vector<ListedModel>& models, const StepChoice& choice, const std::string& where) {
  if (choice.kind == StepChoice::Kind::all) return;
  if (choice.kind == StepChoice::Kind::log) {
    for (ListedModel& model : models) {
      std::vector<int64_t> there;
      for (const auto& [step, folder] : model.steps) there.push_back(step);
      const std::vector<int64_t> chosen = spread_in_log(there, choice.count);
      keep_steps(model, {chosen.begin(), chosen.end()});
    }
    return;
  }
  std::vector<std::string> nowhere, without;
  for (const int64_t step : choice.list) {
    const bool somewhere = std::any_of(models.begin(), models.end(),
                                       [&](const ListedModel& m) { return m.steps.contains(step); });
    if (!somewhere) nowhere.push_back(std::to_string(step));
  }
  if (!nowhere.empty()) {
    refuse_family(
        Exit::data, where,
        "family.steps: no model has step " + joined(nowhere) + "; take them off the list, or fetch them");
  }
  for (ListedModel& model : models) {
    keep_steps(model, choice.list);
    if (model.steps.empty()) without.push_back(model.name);
  }
  if (!without.empty()) {
    refuse_family(Exit::data, where,
                  "family.steps: none of the listed steps is there for " + joined(without) +
                      "; leave them out by family.models, or list a step they have");
  }
}

/// In the last step that has one, else in the model's or the family's folder.
fs::path find_tokenizer(const ListedModel& model, const fs::path& family) {
  constexpr const char* name = "tokenizer.json";
  std::vector<fs::path> places;
  for (auto step = model.steps.rbegin(); step != model.steps.rend(); ++step) places.push_back(step->second);
  places.push_back(model.folder);
  places.push_back(family);
  for (const fs::path& place : places) {
    if (fs::exists(place / name)) return place / name;
  }
  refuse_family(Exit::data, model.folder.string(),
                "no tokenizer.json in a step's folder, here, or in " + family.string());
}

Model open_model(const ListedModel& found, const fs::path& family) {
  Model model;
  model.name = found.name;
  for (const auto& [step, folder] : found.steps) {
    check_files(step, folder);
    const Config config = read_config(folder / "config.json");
    if (!model.steps.empty() && config != model.config) {
      refuse_family(Exit::data, (folder / "config.json").string(),
                    "describes another model than " + (model.steps.back().folder / "config.json").string());
    }
    model.config = config;
    model.steps.push_back({step, folder});
  }
  model.tokenizer = find_tokenizer(found, family);
  return model;
}

}  // namespace

std::vector<int64_t> spread_in_log(std::span<const int64_t> steps, int64_t count) {
  const std::size_t there = steps.size();
  const std::size_t wanted = static_cast<std::size_t>(std::max<int64_t>(count, 0));
  if (wanted >= there) return {steps.begin(), steps.end()};
  if (wanted <= 1) return {steps.end() - static_cast<std::ptrdiff_t>(wanted), steps.end()};
  const auto place = [&](std::size_t i) { return std::log2(1.0 + static_cast<double>(steps[i])); };
  const double first = place(0), spacing = (place(there - 1) - first) / static_cast<double>(wanted - 1);
  const auto distance = [&](std::size_t target, std::size_t i) {
    return std::abs(place(i) - (first + spacing * static_cast<double>(target)));
  };
  // best[t][i]: least sum of distances of targets 0..t when target t takes step i; before[t][i]: what
  // target t-1 takes then. Targets and steps both ascend, so they pair up in order.
  constexpr double infinity = std::numeric_limits<double>::infinity();
  std::vector<std::vector<double>> best(wanted, std::vector<double>(there, infinity));
  std::vector<std::vector<std::size_t>> before(wanted, std::vector<std::size_t>(there, 0));
  best[0][0] = 0;  // the first end is always taken
  for (std::size_t t = 1; t < wanted; ++t) {
    std::size_t cheapest = 0;
    for (std::size_t i = 1; i < there; ++i) {
      if (best[t - 1][i - 1] < best[t - 1][cheapest]) cheapest = i - 1;
      best[t][i] = best[t - 1][cheapest] + distance(t, i);
      before[t][i] = cheapest;
    }
  }
  std::vector<int64_t> chosen(wanted);
  std::size_t i = there - 1;  // and the last
  for (std::size_t t = wanted; t-- > 0; i = before[t][i]) chosen[t] = steps[i];
  return chosen;
}

Family find_family(const FamilyOptions& options) {
  const StepChoice steps = parse_steps(options.steps);
  Listing there = list_models(options.path);
  const std::string where = there.folder.string();
  std::vector<ListedModel> chosen = choose_models(std::move(there.models), options.models, where);
  choose_steps(chosen, steps, where);
  Family family;
  for (const ListedModel& listed : chosen) family.models.push_back(open_model(listed, there.folder));
  std::sort(family.models.begin(), family.models.end(), [](const Model& a, const Model& b) {
    return std::pair(a.config.params(), std::cref(a.name).get()) <
           std::pair(b.config.params(), std::cref(b.name).get());
  });
  return family;
}

}  // namespace incipit::checkpoint
