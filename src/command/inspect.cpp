#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "command/command.hpp"
#include "command/latent.hpp"
#include "command/option.hpp"
#include "command/results.hpp"
#include "emergence/schema.hpp"
#include "error.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

constexpr const char* inspect_usage =
    "usage: incipit inspect FILE [--validate | --latent ANCHOR:LATENT]\n\n"
    "What is in a file of results. --validate checks it against docs/schema.md. --latent shows one latent of "
    "an "
    "emergence.h5:\n"
    "its label and how it was verified, the subjects it matches, the texts nearest to it, and how often it "
    "fires along the curves.\n";

void list(const store::Reader& file, const std::string& group, int depth) {
  for (const auto& name : file.children(group)) {
    const auto path = group.empty() ? name : group + "/" + name;
    if (file.is_group(path)) {
      fmt::print("{:{}}{}/\n", "", 2 * depth, name);
      list(file, path, depth + 1);
      continue;
    }
    if (file.is_bare_dimension(path)) continue;
    const auto text = [&](const char* attribute) {
      return file.has_attribute(path, attribute) ? file.attribute_string(path, attribute) : std::string{};
    };
    fmt::print("{:{}}{}  {} [{}]  {}  ({})\n", "", 2 * depth, name, file.type(path),
               fmt::join(file.shape(path), ", "), text("long_name"), text("units"));
  }
}

void print_root(const store::Reader& file) {
  for (const auto& name : file.attributes("")) {
    if (name == "seed") {
      fmt::print("{}: {}\n", name, file.attribute_integer("", name));
    } else if (name == "step" || name == "layer") {
      fmt::print("{}: {}\n", name, file.attribute_number("", name));
    } else {
      fmt::print("{}: {}\n", name, file.attribute_string("", name));
    }
  }
}

}  // namespace

void inspect(const parallel::Communicator& world, const std::vector<std::string>& words) {
  if (!world.root()) return;  // reading one file is one rank's work
  bool validate = false;
  std::optional<std::string> latent;
  std::vector<std::string> files;
  for (auto word = words.begin(); word != words.end(); ++word) {
    if (*word == "--validate") {
      validate = true;
    } else if (const auto value = value_of(*word, "--latent=")) {
      latent = *value;
    } else if (*word == "--latent" && word + 1 != words.end()) {
      latent = *++word;
    } else if (*word == "--help" || *word == "-h") {
      fmt::print("{}", inspect_usage);
      return;
    } else if (word->starts_with("-")) {
      throw Error(Exit::usage,
                  fmt::format("inspect: '{}' is no option, or lacks its value\n{}", *word, inspect_usage));
    } else {
      files.push_back(*word);
    }
  }
  if (files.size() != 1) throw Error(Exit::usage, fmt::format("inspect: name one file\n{}", inspect_usage));
  if (latent) return print_latent(files.front(), *latent);
  const store::Reader file(files.front());
  if (validate) {
    const auto faults = emergence::validate(files.front());
    if (!faults.empty())
      throw Error(Exit::data, fmt::format("{}: not as docs/schema.md says:\n  {}", files.front(),
                                          fmt::join(faults, "\n  ")));
    fmt::print("{}: valid incipit/{}\n", files.front(), file.kind());
    return;
  }
  print_root(file);
  list(file, "", 0);
  if (file.kind() == "emergence") fmt::print("\n{}\n", results_table(files.front()));
}

}  // namespace incipit::command
