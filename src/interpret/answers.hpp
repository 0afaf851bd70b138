#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "interpret/sheet.hpp"

namespace incipit::interpret {

enum class Reply : int8_t { no = 0, yes = 1, cannot_say = 2, missing = 3 };

/// One person's answers to a sheet.
struct Filled {
  std::string rater;
  std::filesystem::path path;
  std::vector<std::vector<Reply>> replies;  ///< [card][item]
};

/// Reads a filled sheet: sheet.csv with its last column filled in, or what the page saved. Fields are
/// separated by commas, semicolons or tabs (whichever the heading has), as spreadsheets of different
/// countries write them; columns may be in any order and others beside them, of which only `rater` counts.
/// Answers, in any case: y, yes, j, ja, 1, true, x; n, no, nein, 0, false; ?, cannot say, unsure; empty for
/// none. Items that are not in the file are missing. The rater is the one the file names, else the file's
/// name without its ending. Error io when it cannot be read; Error data, naming file and line, for a file of
/// another sheet, items that are not on it or come twice, answers that are none of these, two raters in one
/// file, and a file without any answer.
Filled read_filled(const std::filesystem::path& path, const Sheet& sheet);

}  // namespace incipit::interpret
