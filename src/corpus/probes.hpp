#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "corpus/split.hpp"

namespace incipit::corpus {

/// The deck's [probes] section.
struct ProbeOptions {
  std::filesystem::path path;              ///< a file, for mmlu a folder of SUBJECT_test.csv; .gz is unpacked
  std::string format = "jsonl";            ///< jsonl | mmlu-pro | mmlu
  std::string template_ = "{question}";    ///< of the question formats; over {question}, {options}, {answer}
  std::string split = "2:1:1";             ///< fit:verify:judge, or none
  std::vector<std::string> subjects = {};  ///< empty: all that are there
  int64_t limit = 0;                       ///< most probes per subject, the first in the file; 0 for all
  bool bos = false;                        ///< put a beginning-of-text token before every probe
  std::string long_ = "drop";              ///< drop | left | error, for probes beyond the context
};

struct Probe {
  std::string id, subject, group, text;  ///< none is empty; UTF-8
  std::string where;                     ///< file:line, for messages
};

/// A file that was read, as the outputs record it.
struct ProbeFile {
  std::filesystem::path path;
  std::string sha256;  ///< of the file as it lies there (packed, if it is packed)
};

/// All probes of a deck, in the order of the file, with what they belong to.
struct Probes {
  std::vector<Probe> all;
  std::vector<std::string> subjects;   ///< by name
  std::vector<int32_t> subject;        ///< [probe] index into subjects
  std::vector<int32_t> group;          ///< [probe] index into groups
  std::vector<std::string> groups;     ///< in the order of their first probes
  std::vector<int32_t> group_subject;  ///< [group] subject of its first probe
  std::vector<Part> part;              ///< [probe]; means nothing when split is false
  bool split = true;                   ///< false: every part is all probes (the paper's reading)
  std::string sha256;                  ///< of the file; of the files' names and hashes when there are several
  std::vector<ProbeFile> files;

  /// Indices into all, ascending.
  [[nodiscard]] std::vector<int64_t> of(Part wanted) const;
};

/// Reads, filters and splits the probes. Texts of the question formats come from the template, in which
/// \n, \t and \\ are understood: {question}; {options} as lines "A. ..."; {answer}, the right option's text.
/// Their group is the first 80 characters of the question, their id MMLU-Pro's question_id or SUBJECT/LINE.
/// Error usage for a malformed option, io for a file that cannot be read, data (naming file and line) for
/// malformed lines, invalid UTF-8, missing fields, empty or duplicate ids, empty texts, and subjects that
/// were asked for and have no probes.
[[nodiscard]] Probes load_probes(const ProbeOptions& options, uint64_t seed);

}  // namespace incipit::corpus
