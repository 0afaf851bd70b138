#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device/device.hpp"
#include "match/encoder.hpp"
#include "match/sentence_folder.hpp"

namespace incipit::match {

/// A neural sentence encoder: tokens, the model's last hidden states, their pooling, and unit norm.
class SentenceEncoder final : public Encoder {
 public:
  /// Takes the model's weights into the device's memory, in fp32; the device must outlive the encoder. Errors
  /// as model::TextEncoder: data for weights that do not fit the config, machine where memory is short.
  SentenceEncoder(device::Device& device, SentenceFolder folder);

  /// The folder's name and the beginning of the SHA-256 of its weights: "all-mpnet-base-v2 78c0197b6159".
  [[nodiscard]] std::string name() const override { return name_; }
  [[nodiscard]] int64_t dimensions() const override { return folder_.config.d; }
  /// Never a row of zeros: the tokens around a text say something even of an empty one.
  [[nodiscard]] std::vector<float> embed(std::span<const std::string> texts) override;

 private:
  SentenceFolder folder_;
  std::string name_;
  model::TextEncoder encoder_;
};

}  // namespace incipit::match
