#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "interpret/answer_cache.hpp"
#include "interpret/language_model.hpp"
#include "interpret/prompts.hpp"
#include "interpret/teacher.hpp"

namespace incipit::interpret {

/// The label in what a model wrote: its first line that says something, without `Label:`, quotes and stars
/// around it, at most 80 characters; empty where there is none.
[[nodiscard]] std::string parse_label(std::string_view text);

/// By the log-odds where there are any, else by the text's first word; unparsed where that is neither yes
/// nor no, in whatever case.
[[nodiscard]] Verdict parse_choice(const Choice& choice);

/// A teacher that shows a language model the examples and asks it about each text. What `answers` holds is
/// not asked again, and of equal prompts one is asked. An empty label fits nothing that can be said: its
/// texts are not asked about, and count as unparsed.
class ReadingTeacher final : public Teacher {
 public:
  /// `identity` is the model's, under whose name answers are kept. Without `model` the answers there are must
  /// do: Error unavailable says how many are missing. `stop` says why to stop, or nothing; it is asked behind
  /// every answer, and then Error again. `note` hears behind every answer how many are there.
  ReadingTeacher(Identity identity, std::unique_ptr<LanguageModel> model, Prompts prompts,
                 std::unique_ptr<AnswerCache> answers, std::function<std::string()> stop,
                 std::function<void(const std::string&)> note);

  [[nodiscard]] std::string name() const override { return identity_.name; }
  [[nodiscard]] std::string model() const override { return identity_.model; }
  [[nodiscard]] std::string server() const override { return identity_.server; }
  /// Enough for many requests at once, in few enough prompts to hold.
  [[nodiscard]] int64_t slice() const override { return 256; }
  [[nodiscard]] std::vector<std::string> label(std::span<const Brief> briefs) override;
  [[nodiscard]] std::vector<std::vector<Verdict>> judge(std::span<const Question> questions) override;
  bool take_over() override;

 private:
  enum class Kind { label, judge };
  /// Answers to all prompts, in order.
  std::vector<Choice> answer(Kind kind, const std::vector<Prompt>& prompts);
  void ask(Kind kind, const std::vector<Prompt>& prompts, const std::vector<std::string>& keys);

  Identity identity_;
  std::unique_ptr<LanguageModel> model_;
  Prompts prompts_;
  std::unique_ptr<AnswerCache> answers_;
  std::function<std::string()> stop_;
  std::function<void(const std::string&)> note_;
};

}  // namespace incipit::interpret
