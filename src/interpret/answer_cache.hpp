#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <unordered_map>

#include "interpret/language_model.hpp"

namespace incipit::interpret {

/// The answers that one model has given, on disk, so that a killed run pays for none of them twice. A folder
/// holds journals of JSON Lines, one per process that asked; neither prompts nor texts stand in them.
class AnswerCache {
 public:
  /// Reads every journal of `folder`; the folder need not be there. Where two journals answer the same
  /// question the first by name counts. Error io. Error data naming file and line: a line that is no answer,
  /// unless it is the last and torn.
  explicit AnswerCache(std::filesystem::path folder);
  ~AnswerCache();
  AnswerCache(const AnswerCache&) = delete;
  AnswerCache& operator=(const AnswerCache&) = delete;

  /// What an answer is kept under: SHA-256 over the model's name, the kind of question and the prompt.
  static std::string key(std::string_view model, std::string_view kind, const Prompt& prompt);

  /// Null where it was never given. Valid until the next `add`.
  [[nodiscard]] const Choice* find(const std::string& key) const;

  /// Appends to this process's own journal in one write, which survives the death of the process; a second
  /// later at most, and at the end, it survives that of the machine too. Error io.
  void add(const std::string& key, const Choice& answer);

  /// What was added survives the death of the machine, and other processes can read it. Error io.
  void flush();

  /// Reads all journals anew, those of other processes among them. Errors as the constructor's.
  void reload();

  [[nodiscard]] std::size_t size() const { return known_.size(); }

 private:
  void read_journal(const std::filesystem::path& path);
  void open_journal();

  std::filesystem::path folder_;
  std::unordered_map<std::string, Choice> known_;
  int journal_ = -1;
  double synced_ = 0;
};

}  // namespace incipit::interpret
