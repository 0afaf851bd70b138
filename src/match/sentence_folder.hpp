#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "corpus/wordpiece.hpp"
#include "model/text_encoder.hpp"

namespace incipit::match {

/// A sentence encoder as it lies on disk: a BERT or MPNet with its tokenizer, and what is done with the
/// hidden states. In the layout of sentence-transformers modules.json names Transformer, Pooling and,
/// perhaps, Normalize; a Hugging Face folder without one is read as mean pooling, which is what that library
/// does.
struct SentenceFolder {
  std::string name;             ///< of the folder, without those above it
  std::filesystem::path model;  ///< folder of config.json, weights and tokenizer
  model::EncoderConfig config;
  corpus::WordPiece tokenizer;
  model::Pooling pooling = model::Pooling::mean;
  std::int64_t max_length = 0;  ///< tokens of a text, special ones included; what is longer is cut
  std::string prompt;           ///< put before every text
  std::vector<std::filesystem::path> weights;
  std::vector<std::filesystem::path> files;  ///< all that an embedding depends on, weights included
};

/// Error usage when there is no such folder; Error data, naming the file, what was expected and what was
/// found, when one is missing or malformed, or asks for modules or a pooling that are not known here.
[[nodiscard]] SentenceFolder read_sentence_folder(const std::filesystem::path& folder);

}  // namespace incipit::match
