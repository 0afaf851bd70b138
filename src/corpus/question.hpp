#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// A question with its options.
struct Question {
  std::string text;
  std::vector<std::string> options;
  int64_t answer = -1;  ///< index into options, -1: not told
};

/// `probes.template`: text with {question}, {options} and {answer} in it, and \n, \t, \\, \{ and \}.
class QuestionTemplate {
 public:
  /// Error usage for an unknown name or escape, and for a brace that is not closed.
  explicit QuestionTemplate(std::string_view text);

  /// Error data, beginning with `where`, when the question lacks what the template asks for.
  [[nodiscard]] std::string fill(const Question& question, const std::string& where) const;

 private:
  enum class Slot : uint8_t { none, question, options, answer };
  struct Part {
    std::string text;  // put before what the slot stands for
    Slot slot = Slot::none;
  };

  std::vector<Part> parts_;
};

}  // namespace incipit::corpus
