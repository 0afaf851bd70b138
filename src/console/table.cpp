#include "console/table.hpp"

#include <algorithm>
#include <cstdint>

#include "error.hpp"

namespace incipit::console {

namespace {

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<std::uint8_t>(byte) & 0xC0) != 0x80;  // not a continuation byte
  }));
}

std::string padded(const std::string& text, std::size_t width, Table::Side side) {
  const std::string blank(width - std::min(width, characters(text)), ' ');
  return side == Table::Side::left ? text + blank : blank + text;
}

}  // namespace

void Table::row(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) {
    throw Error(Exit::defect, "a table of " + std::to_string(columns_.size()) +
                                  " columns was given a row of " + std::to_string(cells.size()));
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::string> headings;
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    headings.push_back(columns_[c].heading);
    widths.push_back(characters(headings.back()));
    for (const auto& row : rows_) widths[c] = std::max(widths[c], characters(row[c]));
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string joined;
    for (std::size_t c = 0; c < cells.size(); ++c) {
      joined += (c == 0 ? "" : "  ") + padded(cells[c], widths[c], columns_[c].side);
    }
    joined.erase(joined.find_last_not_of(' ') + 1);
    return joined;
  };
  std::string text = line(headings) + "\n";
  std::vector<std::string> rule;
  for (const std::size_t width : widths) rule.emplace_back(width, '-');
  text += line(rule);
  for (const auto& row : rows_) text += "\n" + line(row);
  return text;
}

}  // namespace incipit::console
