#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

struct CsvRecord {
  int64_t line = 0;  ///< where it begins, from 1
  std::vector<std::string> fields;
};

/// Comma-separated values as RFC 4180 has them, or with another separator: fields in double quotes may hold
/// separators, line ends and doubled quotes. Empty lines are passed over. Error data naming `where` and the
/// line.
[[nodiscard]] std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where,
                                               char separator = ',');

/// A field in double quotes, as parse_csv reads it back.
[[nodiscard]] std::string csv_quoted(std::string_view field);

}  // namespace incipit::corpus
