#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace incipit::emergence {

/// One dataset of one of our files. Names in braces stand for any one name: "anchors/{anchor}/latents/f1".
struct SchemaEntry {
  std::string path;
  std::vector<std::string> dims;  ///< in order; a dimension has one length throughout its group
  std::string type;               ///< as store::Reader::type; alternatives are parted by "|"
  std::string units;
  std::string meaning;
  /// Whether it must be there: "always", "optional", or the group with which it must: "anchors/{anchor}".
  std::string required;
};

/// A kind of file: its datasets and the attributes it must have beyond those of every file.
struct Schema {
  struct Attribute {
    std::string object, name, meaning;  ///< object: a group, "" is the root
  };
  std::string kind, made_by, meaning;
  std::vector<SchemaEntry> entries;
  std::vector<Attribute> attributes;
};

/// All kinds of files. docs/schema.md is made of it.
const std::vector<Schema>& schemas();

/// What every file has at its root.
const Schema& common_schema();

/// The tables of docs/schema.md for one kind.
std::string schema_tables(const Schema& schema);

/// What in the file is not as the schema says: missing or unknown datasets, wrong type, shape, units,
/// dimensions that differ in length or lack their scale, missing attributes. Empty for a valid file; a kind
/// without a schema is a fault. Errors: as store::Reader.
std::vector<std::string> validate(const std::filesystem::path& path);

}  // namespace incipit::emergence
