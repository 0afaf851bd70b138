#include "interpret/answers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "corpus/csv.hpp"
#include "corpus/text_file.hpp"
#include "corpus/utf8.hpp"
#include "index.hpp"
#include "refuse.hpp"
#include "text.hpp"

namespace incipit::interpret {
namespace {

std::optional<Reply> reply_of(const std::string& field) {
  using namespace std::string_view_literals;
  static constexpr std::array yes{"y"sv, "yes"sv, "j"sv, "ja"sv, "1"sv, "true"sv, "x"sv};
  static constexpr std::array no{"n"sv, "no"sv, "nein"sv, "0"sv, "false"sv};
  static constexpr std::array open{"?"sv, "cannot say"sv, "can't say"sv, "unsure"sv};
  const std::string text = ascii_lower(trimmed(field));
  const auto is_one_of = [&](const auto& words) {
    return std::find(words.begin(), words.end(), text) != words.end();
  };
  if (text.empty()) return Reply::missing;
  if (is_one_of(yes)) return Reply::yes;
  if (is_one_of(no)) return Reply::no;
  if (is_one_of(open)) return Reply::cannot_say;
  return {};
}

/// The separator that the heading has most of.
char separator_of(std::string_view text) {
  const std::string_view heading = text.substr(0, text.find('\n'));
  const std::string_view known = ",;\t";
  return *std::max_element(known.begin(), known.end(), [&](char a, char b) {
    return std::count(heading.begin(), heading.end(), a) < std::count(heading.begin(), heading.end(), b);
  });
}

/// A filled sheet while it is being read.
class FilledReader {
 public:
  FilledReader(const std::filesystem::path& path, const Sheet& sheet) : path_(path), sheet_(sheet) {
    for (const Card& card : sheet.cards) {
      filled_.replies.emplace_back(card.items.size(), Reply::missing);
      seen_.emplace_back(card.items.size(), 0);
    }
  }

  Filled read() {
    const corpus::TextFile file = corpus::read_text_file(path_);
    const std::string_view text = file.text;
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
      refuse(path_, "is UTF-16; save it as CSV in UTF-8");
    // Some spreadsheets put their separator into a line of its own.
    const bool names_separator = text.starts_with("sep=");
    const auto heading = names_separator ? text.substr(std::min(text.size(), text.find('\n') + 1)) : text;
    auto records = corpus::parse_csv(text, path_.string(), separator_of(heading));
    if (names_separator) records.erase(records.begin());
    if (records.empty()) refuse(path_, "is empty; expected a filled sheet");
    read_heading(records.front());
    for (std::size_t i = 1; i < records.size(); ++i) read_row(records[i]);
    finish();
    return std::move(filled_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    refuse(fmt::format("{}:{}", path_.string(), line_), what);
  }

  void read_heading(const corpus::CsvRecord& record) {
    line_ = record.line;
    for (const std::string& field : record.fields) heading_.push_back(ascii_lower(trimmed(field)));
    for (const char* name : {"sheet", "card", "item", "answer"})
      if (column(name) == heading_.size())
        fail(fmt::format(
            "no column '{}' in the heading ({}); expected the columns of sheet.csv, sheet, card, item and "
            "answer among them",
            name, fmt::join(heading_, ", ")));
  }

  [[nodiscard]] std::size_t column(const std::string& name) const {
    return static_cast<std::size_t>(std::find(heading_.begin(), heading_.end(), name) - heading_.begin());
  }

  [[nodiscard]] std::string field(const corpus::CsvRecord& record, const char* name) const {
    const std::size_t at_ = column(name);
    return at_ < record.fields.size() ? std::string(trimmed(record.fields[at_])) : std::string{};
  }

  /// A number from 1 to `most`, as a place from 0.
  [[nodiscard]] std::size_t place(const corpus::CsvRecord& record, const char* name, std::size_t most) const {
    const std::string text = field(record, name);
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 1 || number > most)
      fail(fmt::format("{} '{}' is not on this sheet; expected 1 to {}", name, text, most));
    return number - 1;
  }

  void read_row(const corpus::CsvRecord& record) {
    line_ = record.line;
    const auto blank = [](const std::string& f) { return trimmed(f).empty(); };
    if (std::all_of(record.fields.begin(), record.fields.end(), blank)) return;
    if (const auto id = field(record, "sheet"); id != sheet_.id)
      fail(fmt::format("belongs to the sheet '{}'; the key is that of '{}'", id, sheet_.id));
    const std::size_t card = place(record, "card", filled_.replies.size());
    const std::size_t item = place(record, "item", filled_.replies[card].size());
    const std::string answer = field(record, "answer");
    const auto reply = reply_of(answer);
    if (!reply) fail(fmt::format("answer '{}'; expected yes, no, ? (cannot say) or nothing", answer));
    if (seen_[card][item] != 0)
      fail(fmt::format("card {}, item {} stands here a second time (first in line {})", card + 1, item + 1,
                       seen_[card][item]));
    seen_[card][item] = line_;
    filled_.replies[card][item] = *reply;
    read_rater(field(record, "rater"));
  }

  void read_rater(const std::string& rater) {
    if (rater.empty()) return;
    if (!filled_.rater.empty() && filled_.rater != rater)
      fail(fmt::format("rater '{}', but '{}' before; expected one person's answers in a file", rater,
                       filled_.rater));
    filled_.rater = rater;
  }

  void finish() {
    const auto given = [](const std::vector<Reply>& card) {
      return std::any_of(card.begin(), card.end(), [](Reply r) { return r != Reply::missing; });
    };
    if (std::none_of(filled_.replies.begin(), filled_.replies.end(), given))
      refuse(path_, "holds no answer at all; expected the column 'answer' filled with yes, no or ?");
    if (filled_.rater.empty()) filled_.rater = path_.stem().string();
    if (corpus::first_invalid_utf8(filled_.rater) != std::string_view::npos)
      refuse(path_, "the rater's name is no UTF-8; save the file as CSV in UTF-8");
    filled_.path = path_;
  }

  std::filesystem::path path_;
  const Sheet& sheet_;
  std::vector<std::string> heading_;
  std::vector<std::vector<int64_t>> seen_;  // line of each item, 0 before it comes
  Filled filled_;
  int64_t line_ = 0;
};

}  // namespace

Filled read_filled(const std::filesystem::path& path, const Sheet& sheet) {
  return FilledReader(path, sheet).read();
}

}  // namespace incipit::interpret
