#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>
#include <filesystem>

#include "command/command.hpp"
#include "command/option.hpp"
#include "console/table.hpp"
#include "error.hpp"
#include "interpret/agreement.hpp"
#include "interpret/answers.hpp"
#include "interpret/sheet_file.hpp"
#include "store/files.hpp"
#include "store/reader.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t agree_resamples = 2000;
constexpr const char* agree_usage =
    "usage: incipit agree KEY.h5 FILLED.csv [FILLED.csv ...] [--output=agreement.csv]\n\n"
    "Reads sheets that people filled in, as the page of `incipit sheet` saves them or as sheet.csv with its "
    "last column\n"
    "filled (yes, no, ? for cannot say, empty for none), one file per person, and says how far they agree "
    "with the\n"
    "teacher and with each other. --output writes the table, with more of it, as CSV.\n";

struct AgreeWords {
  std::vector<fs::path> files;  ///< the key, then the filled sheets
  fs::path output;
  bool help = false;
};

AgreeWords read_agree_words(const std::vector<std::string>& words) {
  AgreeWords found;
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") {
      found.help = true;
    } else if (const auto output = value_of(word, "--output="); output && !output->empty()) {
      found.output = *output;
    } else if (word.starts_with("-")) {
      throw Error(Exit::usage, fmt::format("agree: no option '{}'\n{}", word, agree_usage));
    } else {
      found.files.emplace_back(word);
    }
  }
  if (!found.help && found.files.size() < 2)
    throw Error(Exit::usage,
                fmt::format("agree: name the key and at least one filled sheet\n{}", agree_usage));
  for (const fs::path& file : found.files)
    if (!found.output.empty() && fs::weakly_canonical(file) == fs::weakly_canonical(found.output))
      throw Error(Exit::usage,
                  fmt::format("agree: --output={} would write over what is read", found.output.string()));
  return found;
}

std::string number(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.2f}", value);
}

std::string row_interval(const interpret::AgreementRow& row) {
  return std::isnan(row.low) ? "-" : fmt::format("{:.2f} to {:.2f}", row.low, row.high);
}

/// Subjects have fewer items: of them only the agreement is shown, and the rest left to the file.
bool shown(const interpret::AgreementRow& row) {
  return row.subject == "all" || row.measure.starts_with("cohen") || row.measure.starts_with("fleiss");
}

std::string agreement_table(const std::vector<interpret::AgreementRow>& rows) {
  constexpr auto left = console::Table::Side::left;
  console::Table table({{"subject", left},
                        {"measure", left},
                        {"raters", left},
                        {"value"},
                        {"95 %"},
                        {"items"},
                        {"latents"},
                        {"note", left}});
  for (const auto& row : rows)
    if (shown(row))
      table.row({row.subject, row.measure, row.raters, number(row.value), row_interval(row),
                 fmt::format("{}", row.items), fmt::format("{}", row.latents), row.why});
  return table.text();
}

}  // namespace

void agree(const parallel::Communicator& world, const std::vector<std::string>& words) {
  if (!world.root()) return;  // a few small files are one rank's work
  const AgreeWords asked = read_agree_words(words);
  if (asked.help) {
    fmt::print("{}", agree_usage);
    return;
  }
  const interpret::Sheet sheet = interpret::read_key(asked.files.front());
  const auto seed =
      static_cast<std::uint64_t>(store::Reader(asked.files.front(), "sheet").attribute_integer("", "seed"));
  std::vector<interpret::Filled> filled;
  for (std::size_t i = 1; i < asked.files.size(); ++i)
    filled.push_back(interpret::read_filled(asked.files[i], sheet));
  const auto rows = interpret::agreement(sheet, filled, agree_resamples, seed);
  fmt::print("sheet {}, anchor {}, teacher {}, {} filled\n\n{}\n", sheet.id, sheet.anchor, sheet.teacher,
             filled.size(), agreement_table(rows));
  if (asked.output.empty()) return;
  store::write_text_atomic(asked.output, interpret::agreement_csv(rows));
  fmt::print("\n{}\n", asked.output.string());
}

}  // namespace incipit::command
