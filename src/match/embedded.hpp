#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "match/encoder.hpp"
#include "match/subjects.hpp"

namespace incipit::match {

/// The answers of another encoder, which was asked before: so one rank runs it and all have what it said.
class EmbeddedTexts final : public Encoder {
 public:
  /// `rows` is [texts, dimensions], as `embed` of the encoder of that name gave it.
  EmbeddedTexts(std::string name, std::int64_t dimensions, std::span<const std::string> texts,
                std::vector<float> rows);

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] int64_t dimensions() const override { return dimensions_; }
  /// Error defect for a text that was not among those embedded.
  [[nodiscard]] std::vector<float> embed(std::span<const std::string> texts) override;

 private:
  std::string name_;
  std::int64_t dimensions_;
  std::map<std::string, std::size_t, std::less<>> place_;
  std::vector<float> rows_;
};

/// Every text that `match_labels` asks an encoder for, each once, in a fixed order.
[[nodiscard]] std::vector<std::string> texts_to_embed(std::span<const std::string> labels,
                                                      const Subjects& subjects);

}  // namespace incipit::match
