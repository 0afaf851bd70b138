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

/// The answers of another encoder, which was asked before: so one rank runs it and all have what it said, and
/// each text is embedded once.
class EmbeddedTexts final : public Encoder {
 public:
  /// The name and dimensions of the encoder whose answers it will hold.
  void set_encoder(std::string name, std::int64_t dimensions);
  /// Those of `texts` that have no answer yet, in their order.
  [[nodiscard]] std::vector<std::string> unknown(std::span<const std::string> texts) const;
  /// `rows` is [texts, dimensions], as the encoder's `embed` gave it. Error defect for another size.
  void add(std::span<const std::string> texts, std::span<const float> rows);

  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] int64_t dimensions() const override { return dimensions_; }
  /// Error defect for a text without an answer.
  [[nodiscard]] std::vector<float> embed(std::span<const std::string> texts) override;

 private:
  std::string name_;
  std::int64_t dimensions_ = 0;
  std::map<std::string, std::size_t, std::less<>> place_;  ///< where in rows_ a text's row begins
  std::vector<float> rows_;
};

/// Every text that `match_labels` asks an encoder for, each once, in a fixed order.
[[nodiscard]] std::vector<std::string> texts_to_embed(std::span<const std::string> labels,
                                                      const Subjects& subjects);

}  // namespace incipit::match
