#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "interpret/sheet.hpp"
#include "parallel/communicator.hpp"
#include "store/schema.hpp"

namespace incipit::interpret {

/// What emergence.h5 holds of one anchor for a sheet.
struct SheetSource {
  std::string teacher;
  std::string fingerprint;            ///< of the file
  std::vector<Candidate> candidates;  ///< the interpretable latents, ascending
};

/// Error io or data as store::Reader; Error usage for an anchor that is not there (naming those that are);
/// Error data for a file from before the texts of judgements were kept.
SheetSource read_sheet_source(const std::filesystem::path& emergence, const std::string& anchor);

/// What raters get, as CSV (UTF-8 with byte order mark, for spreadsheets): sheet, card, item, label, text,
/// answer. Answers are empty. A text that a spreadsheet would take for a formula gets an apostrophe in front.
std::string sheet_csv(const Sheet& sheet);

/// The same as one page that needs nothing else: no request leaves it.
std::string sheet_html(const Sheet& sheet);

/// key.h5 (kind "sheet"): the sheet with what raters must not see.
void write_key(const parallel::Communicator& comm, const std::filesystem::path& path,
               const store::Header& header, const Sheet& sheet);

/// Error io or data as store::Reader; Error data when its datasets disagree.
Sheet read_key(const std::filesystem::path& path);

}  // namespace incipit::interpret
