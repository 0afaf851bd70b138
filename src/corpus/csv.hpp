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

/// Comma-separated values as RFC 4180 has them: fields in double quotes may hold commas, line ends and
/// doubled quotes. Empty lines are passed over. Error data naming `where` and the line.
[[nodiscard]] std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where);

}  // namespace incipit::corpus
