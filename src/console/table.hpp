#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace incipit::console {

/// A table in fixed width: a heading, a rule, rows. Widths count characters of UTF-8, not bytes.
class Table {
 public:
  enum class Side { left, right };
  struct Column {
    std::string heading;
    Side side = Side::right;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell per column. Error defect otherwise.
  void row(std::vector<std::string> cells);
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  /// Lines separated by newlines, none at the end.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace incipit::console
