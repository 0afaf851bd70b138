#include "corpus/csv.hpp"

#include <utility>

#include "error.hpp"

namespace incipit::corpus {
namespace {

class Parser {
 public:
  Parser(std::string_view text, const std::string& where, char separator)
      : text_(text), where_(where), separator_(separator) {}

  std::vector<CsvRecord> records() {
    std::vector<CsvRecord> all;
    while (position_ < text_.size()) {
      if (end_of_line()) continue;
      CsvRecord record{line_, {}};
      do {
        record.fields.push_back(field());
      } while (take(separator_));
      if (position_ < text_.size() && !end_of_line())
        fail(std::string("expected a ") + (separator_ == ',' ? "comma" : "separator") +
             " or a line end after a quoted field");
      all.push_back(std::move(record));
    }
    return all;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Exit::data, where_ + ":" + std::to_string(line_) + ": " + what);
  }

  bool take(char wanted) {
    if (position_ >= text_.size() || text_[position_] != wanted) return false;
    ++position_;
    return true;
  }

  /// Takes a line end (LF or CRLF) if one is here.
  bool end_of_line() {
    const std::string_view rest = text_.substr(position_);
    const std::size_t size = rest.starts_with("\r\n") ? 2 : rest.starts_with('\n') ? 1 : 0;
    position_ += size;
    line_ += size > 0 ? 1 : 0;
    return size > 0;
  }

  std::string field() {
    if (take('"')) return quoted();
    const std::size_t begin = position_;
    while (position_ < text_.size() && text_[position_] != separator_ && text_[position_] != '\n') {
      if (text_[position_] == '"') fail("a double quote inside a field without quotes around it");
      ++position_;
    }
    std::size_t end = position_;
    const bool at_line_end = position_ == text_.size() || text_[position_] == '\n';
    if (at_line_end && end > begin && text_[end - 1] == '\r') --end;
    return std::string(text_.substr(begin, end - begin));
  }

  std::string quoted() {
    const int64_t opened = line_;
    std::string value;
    while (position_ < text_.size()) {
      const char c = text_[position_++];
      if (c == '"' && !take('"')) return value;
      if (c == '\n') ++line_;
      value += c;
    }
    line_ = opened;
    fail("a quoted field that begins here does not end");
  }

  std::string_view text_;
  const std::string& where_;
  char separator_;
  std::size_t position_ = 0;
  int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where, char separator) {
  return Parser(text, where, separator).records();
}

std::string csv_quoted(std::string_view field) {
  std::string out = "\"";
  for (const char c : field) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

}  // namespace incipit::corpus
