#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "emergence/schema.hpp"
#include "store/reader.hpp"

namespace incipit::emergence {
namespace {

using Names = std::vector<std::string>;

Names split(std::string_view path) {
  Names out;
  while (!path.empty()) {
    const auto slash = path.find('/');
    out.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? "" : path.substr(slash + 1);
  }
  return out;
}

std::string join(const Names& names) {
  return fmt::format("{}", fmt::join(names, "/"));
}

std::string below(const std::string& group, const std::string& name) {
  return group.empty() ? name : fmt::format("{}/{}", group, name);
}

bool is_wildcard(const std::string& name) {
  return !name.empty() && name.front() == '{';
}

/// How many names of the pattern are literal, if it fits: the most literal pattern is the one that is meant.
std::optional<int> fit(const Names& pattern, const Names& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  int literal = 0;
  for (size_t i = 0; i < path.size(); ++i) {
    if (is_wildcard(pattern[i])) continue;
    if (pattern[i] != path[i]) return std::nullopt;
    ++literal;
  }
  return literal;
}

class Validation {
 public:
  explicit Validation(const std::filesystem::path& path) : reader_(path) {}

  std::vector<std::string> run() {
    const auto found = std::find_if(schemas().begin(), schemas().end(),
                                    [this](const Schema& s) { return s.kind == reader_.kind(); });
    if (found == schemas().end())
      return {fmt::format("no schema for files of the kind '{}'", reader_.kind())};
    for (const Schema* schema : {&common_schema(), &*found}) {
      for (const SchemaEntry& e : schema->entries) entries_.push_back({&e, split(e.path)});
      for (const auto& a : schema->attributes) check_attribute(a);
    }
    walk("");
    for (const Pattern& pattern : entries_) check_presence(*pattern.entry);
    return faults_;
  }

 private:
  template <class... Parts>
  void fault(fmt::format_string<Parts...> text, Parts&&... parts) {
    faults_.push_back(fmt::format(text, std::forward<Parts>(parts)...));
  }

  void walk(const std::string& group) {
    for (const std::string& name : reader_.children(group)) {
      const std::string path = below(group, name);
      if (path == "timing") continue;
      if (reader_.is_group(path)) {
        walk(path);
      } else if (!reader_.is_bare_dimension(path)) {
        check_dataset(path, group);
      }
    }
  }

  const SchemaEntry* entry_of(const std::string& path) const {
    const Names names = split(path);
    const SchemaEntry* best = nullptr;
    int most = -1;
    for (const Pattern& pattern : entries_) {
      const auto literal = fit(pattern.names, names);
      if (!literal || *literal <= most) continue;
      most = *literal;
      best = pattern.entry;
    }
    return best;
  }

  void check_dataset(const std::string& path, const std::string& group) {
    const SchemaEntry* entry = entry_of(path);
    if (entry == nullptr) return fault("{}: not in the schema", path);
    const std::string type = reader_.type(path), allowed = "|" + entry->type + "|";
    if (allowed.find("|" + type + "|") == std::string::npos)
      fault("{}: type is {}; expected {}", path, type, entry->type);
    check_text(path, "units", entry->units);
    check_text(path, "long_name", "");
    check_dims(path, group, *entry);
  }

  void check_text(const std::string& path, const std::string& name, const std::string& expected) {
    if (!reader_.has_attribute(path, name)) return fault("{}: no attribute {}", path, name);
    const std::string found = reader_.attribute_string(path, name);
    if (found.empty()) fault("{}: {} is empty", path, name);
    if (!expected.empty() && found != expected)
      fault("{}: {} is '{}'; expected '{}'", path, name, found, expected);
  }

  void check_dims(const std::string& path, const std::string& group, const SchemaEntry& entry) {
    const auto shape = reader_.shape(path);
    if (shape.size() != entry.dims.size())
      return fault("{}: shape [{}]; expected the dimensions [{}]", path, fmt::join(shape, ", "),
                   fmt::join(entry.dims, ", "));
    const auto axes = reader_.axes(path);
    for (size_t d = 0; d < shape.size(); ++d) {
      const std::string& dim = entry.dims[d];
      const auto [known, added] = lengths_.try_emplace({group, dim}, shape[d]);
      if (known->second != shape[d])
        fault("{}: dimension {} has length {}; elsewhere in the group {}", path, dim, shape[d],
              known->second);
      const std::string scale = below(group, dim);
      if (scale != path && reader_.has(scale) && !reader_.is_group(scale) && axes[d] != dim)
        fault("{}: dimension {} is not attached to {}", path, dim, scale);
    }
  }

  /// Groups of the file that fit a pattern.
  const Names& instances(const std::string& pattern) {
    const auto [known, added] = instances_.try_emplace(pattern);
    if (added) known->second = find_instances(pattern);
    return known->second;
  }

  Names find_instances(const std::string& pattern) const {
    std::vector<Names> found = {{}};
    for (const std::string& part : split(pattern)) {
      std::vector<Names> next;
      for (const Names& stem : found) {
        const std::string group = join(stem);
        for (const std::string& name : is_wildcard(part) ? reader_.children(group) : Names{part}) {
          Names longer = stem;
          longer.push_back(name);
          if (reader_.has(join(longer)) && reader_.is_group(join(longer))) next.push_back(std::move(longer));
        }
      }
      found = std::move(next);
    }
    Names out;
    for (const Names& names : found) out.push_back(join(names));
    return out;
  }

  void check_presence(const SchemaEntry& entry) {
    if (entry.required == "optional") return;
    if (entry.required == "always") {
      if (!reader_.has(entry.path)) fault("{}: missing", entry.path);
      return;
    }
    for (const std::string& group : instances(entry.required)) {
      Names names = split(entry.path);
      const Names bound = split(group);
      std::copy(bound.begin(), bound.end(), names.begin());
      const std::string path = join(names);
      if (!reader_.has(path)) fault("{}: missing", path);
    }
  }

  void check_attribute(const Schema::Attribute& attribute) {
    if (attribute.object.empty()) {
      if (!reader_.has_attribute("", attribute.name))
        fault("attribute {} of the file: missing", attribute.name);
      return;
    }
    for (const std::string& object : instances(attribute.object))
      if (!reader_.has_attribute(object, attribute.name))
        fault("attribute {} of {}: missing", attribute.name, object);
  }

  store::Reader reader_;
  struct Pattern {
    const SchemaEntry* entry;
    Names names;  ///< of its path
  };
  std::vector<Pattern> entries_;
  std::map<std::string, Names> instances_;  ///< by pattern
  std::map<std::pair<std::string, std::string>, int64_t> lengths_;
  std::vector<std::string> faults_;
};

}  // namespace

std::vector<std::string> validate(const std::filesystem::path& path) {
  return Validation(path).run();
}

}  // namespace incipit::emergence
