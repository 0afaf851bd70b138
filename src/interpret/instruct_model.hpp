#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "corpus/tokenizer.hpp"
#include "device/device.hpp"
#include "device/upload_numbers.hpp"
#include "interpret/language_model.hpp"
#include "interpret/prompts.hpp"
#include "model/generator.hpp"

namespace incipit::interpret {

/// A GPT-NeoX instruction model (such as Dolly-v2) in a folder of Hugging Face's layout: config.json,
/// weights, and tokenizer.json there or, as in a family, in one of the two folders above.
struct InstructFolder {
  /// Errors name the deck's key interpret.model. Error data: another architecture, no weights or not all, no
  /// tokenizer, one with more tokens than the model; Error io.
  explicit InstructFolder(const std::filesystem::path& folder);

  std::filesystem::path folder;
  std::filesystem::path tokenizer_file;
  checkpoint::Config config;
  corpus::Tokenizer tokenizer;
  checkpoint::Weights weights;

  /// All files that decide answers.
  [[nodiscard]] std::vector<std::filesystem::path> files() const;
};

/// What stands around an instruction, with {system} and {user} for the two parts of a prompt.
class InstructFrame {
 public:
  /// The file's text counts to its last byte: models tell a line's end from none. Error data where it has no
  /// {user}.
  explicit InstructFrame(const PromptFile& file);
  [[nodiscard]] std::string filled(const Prompt& prompt) const;
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// An instruction model run by our own forward pass, without any network.
///
/// Writing ends at a token that is no text, or at a line's end behind text. A choice is made without writing:
/// log_odds compares the probabilities of the first token of yes and of no behind the prompt, each summed
/// over its spellings (with and without a blank, capitals) that are one token, or over the first tokens of
/// all spellings where none is. Of a prompt that is longer than the model's context the middle is left out,
/// and `warn` hears of the first one. An answer is, to the last bit, a function of the prompt, files,
/// precision and device.
class InstructModel final : public LanguageModel {
 public:
  struct Options {
    device::NumberType precision = device::NumberType::f32;
    std::size_t memory = 0;  ///< bytes that may be used, as model::Generator::Options has it
    std::function<void(const std::string&)> warn;
  };

  /// The device must outlive the model. Errors as InstructFolder, InstructFrame and model::make_generator;
  /// Error data where yes and no begin alike.
  InstructModel(device::Device& device, const std::filesystem::path& folder, const PromptFile& frame,
                Options options);

  /// `name`: the kind, its version, and a hash of config, tokenizer, frame, precision, kind of device, and of
  /// the weights their names, shapes, types and some of their rows. `model`: the folder's name.
  [[nodiscard]] Identity identity() const override { return identity_; }
  void write(std::span<const Prompt> prompts, int tokens, const Keep<std::string>& keep) override;
  void choose(std::span<const Prompt> prompts, const Keep<Choice>& keep) override;

 private:
  /// A prompt's tokens, where so many more must fit the context.
  [[nodiscard]] std::vector<std::int32_t> tokens_of(const Prompt& prompt, int more);
  [[nodiscard]] std::vector<std::vector<std::int32_t>> tokens_of(std::span<const Prompt> prompts, int more);

  InstructFolder folder_;
  InstructFrame frame_;
  Options options_;
  Identity identity_;
  std::vector<std::int32_t> yes_, no_;  ///< tokens with which they begin
  bool warned_ = false;
  std::unique_ptr<model::Generator> generator_;
};

}  // namespace incipit::interpret
