#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace incipit::interpret {

/// A question to an instruction model: what it is told beforehand, and what is asked.
struct Prompt {
  std::string system;
  std::string user;
};

/// Who answers.
struct Identity {
  std::string name;    ///< all that decides answers: kind, its version, the model; part of every answer's key
  std::string kind;    ///< http, neox
  std::string model;   ///< as the deck or the server calls it
  std::string server;  ///< its address; empty where there is none
};

/// How a model chose between yes and no.
struct Choice {
  double log_odds;   ///< ln p(yes) − ln p(no); NaN where the model does not tell its probabilities
  std::string text;  ///< what it wrote; empty where it was not let write
};

/// A model that follows instructions, wherever it runs: behind a server, or in this process. Answers are
/// deterministic as far as the model can (temperature 0, fixed seed), and an answer does not depend on what
/// else is asked in the same call.
class LanguageModel {
 public:
  LanguageModel() = default;
  LanguageModel(const LanguageModel&) = delete;
  LanguageModel& operator=(const LanguageModel&) = delete;
  virtual ~LanguageModel() = default;

  /// Recorded with the labels.
  [[nodiscard]] virtual Identity identity() const = 0;

  /// Called once per prompt, as soon as its answer is there, in any order, from the calling thread: what was
  /// answered before an error is kept.
  template <class Answer>
  using Keep = std::function<void(std::size_t prompt, const Answer& answer)>;

  /// Has the model write at most `tokens` tokens for each prompt. Error unavailable where it cannot be had.
  virtual void write(std::span<const Prompt> prompts, int tokens, const Keep<std::string>& keep) = 0;

  /// Has the model answer each prompt with yes or no. Errors as `write`.
  virtual void choose(std::span<const Prompt> prompts, const Keep<Choice>& keep) = 0;
};

}  // namespace incipit::interpret
