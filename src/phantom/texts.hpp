#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "phantom/plan.hpp"

namespace incipit::phantom {

/// Probes and words of a phantom. A text is three context words of its subject among two fillers and, last,
/// its term: the context words tell a reader the subject, the model sees but the term, which no reader can
/// place. All words are made up and are one token each behind a space.
struct Texts {
  struct Probe {
    std::string id, text;
    int64_t subject, term;  ///< the term's number within its subject
  };
  std::vector<std::string> subject;               ///< names
  std::vector<std::vector<std::string>> context;  ///< [subject]
  std::vector<std::vector<std::string>> term;     ///< [subject][term]; the first ones are known first
  std::vector<std::string> filler;
  std::vector<Probe> probe;
  std::vector<std::string> vocabulary;  ///< the spelling of every token in tokenizer.json, by id
  /// Ids of the words behind a space.
  std::vector<std::vector<int64_t>> term_token;
  std::vector<int64_t> filler_token;
};

[[nodiscard]] Texts write_texts(const Options& options);

/// A byte-level BPE in the format of the Hugging Face library.
[[nodiscard]] std::string tokenizer_json(const Texts& texts);
/// JSON Lines with id, subject, group, text.
[[nodiscard]] std::string probes_json_lines(const Texts& texts);
/// Phrases of the subjects, made of their context words, and decoys, made of fillers.
[[nodiscard]] std::string subjects_json(const Texts& texts, const Plan& plan);

}  // namespace incipit::phantom
