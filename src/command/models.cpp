#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "checkpoint/survey.hpp"
#include "command/command.hpp"
#include "console/progress.hpp"
#include "console/table.hpp"
#include "error.hpp"

namespace incipit::command {
namespace {

constexpr const char* models_usage =
    "usage: incipit models FAMILY\n"
    "FAMILY is a folder of MODEL/stepN/ or hf:ORG for the Hugging Face cache. Lists its models, and what is\n"
    "missing or cannot be read. Only headers of weights are read; `incipit audit` reads everything.\n";

std::string count_of(std::int64_t parameters) {
  const auto value = static_cast<double>(parameters);
  if (value < 1e6) return fmt::format("{:.1f} k", value / 1e3);
  if (value < 1e9) return fmt::format("{:.1f} M", value / 1e6);
  return fmt::format("{:.2f} G", value / 1e9);
}

std::string steps_of(const checkpoint::SurveyedModel& model) {
  const auto first = model.steps.front().step, last = model.steps.back().step;
  return model.steps.size() == 1 ? fmt::format("1: {}", first)
                                 : fmt::format("{}: {} to {}", model.steps.size(), first, last);
}

/// One or more, as "safetensors F16".
std::string formats_of(const checkpoint::SurveyedModel& model) {
  std::set<std::string> formats;
  for (const auto& step : model.steps)
    if (!step.format.empty()) formats.insert(step.format + (step.dtype.empty() ? "" : " " + step.dtype));
  return formats.empty() ? "-" : fmt::format("{}", fmt::join(formats, ", "));
}

void print_models(const std::vector<checkpoint::SurveyedModel>& models) {
  using Place = console::Table::Side;
  console::Table table({{"model", Place::left},
                        {"parameters", Place::right},
                        {"without embeddings", Place::right},
                        {"layers", Place::right},
                        {"d", Place::right},
                        {"heads", Place::right},
                        {"steps", Place::left},
                        {"format", Place::left},
                        {"bytes", Place::right},
                        {"faulty", Place::right},
                        {"missing", Place::right}});
  for (const auto& model : models) {
    double bytes = 0;
    std::size_t faulty = 0;
    for (const auto& step : model.steps) {
      bytes += static_cast<double>(step.bytes);
      faulty += step.fault.empty() ? 0 : 1;
    }
    const auto shape = [&](auto f) { return model.config ? f(*model.config) : std::string("-"); };
    table.row({model.name, shape([](const auto& c) { return count_of(c.params()); }),
               shape([](const auto& c) { return count_of(c.params_non_embedding()); }),
               shape([](const auto& c) { return std::to_string(c.layers); }),
               shape([](const auto& c) { return std::to_string(c.d); }),
               shape([](const auto& c) { return std::to_string(c.heads); }), steps_of(model),
               formats_of(model), console::human_bytes(bytes), std::to_string(faulty),
               std::to_string(model.missing.size())});
  }
  fmt::print("{}\n", table.text());
}

void print_faults(const std::vector<checkpoint::SurveyedModel>& models) {
  for (const auto& model : models) {
    if (!model.missing.empty()) {
      fmt::print("\n{} lacks {} steps that another model has: {}\n", model.name, model.missing.size(),
                 fmt::join(model.missing, ", "));
    }
    for (const auto& step : model.steps)
      if (!step.fault.empty()) fmt::print("\n{} step {}: {}\n", model.name, step.step, step.fault);
  }
}

}  // namespace

void models(const parallel::Communicator& world, const std::vector<std::string>& words) {
  if (!world.root()) return;  // headers are one rank's work
  std::vector<std::string> families;
  for (const auto& word : words) {
    if (word == "--help" || word == "-h") {
      fmt::print("{}", models_usage);
      return;
    }
    if (word.starts_with("-"))
      throw Error(Exit::usage, fmt::format("models: no option '{}'\n{}", word, models_usage));
    families.push_back(word);
  }
  if (families.size() != 1)
    throw Error(Exit::usage, fmt::format("models: name one family\n{}", models_usage));
  const auto found = checkpoint::survey_family(families.front());
  if (found.empty()) {
    throw Error(Exit::data, families.front() +
                                ": no model with a step in it; expected MODEL/stepN/{config.json, "
                                "model.safetensors}");
  }
  print_models(found);
  print_faults(found);
}

}  // namespace incipit::command
