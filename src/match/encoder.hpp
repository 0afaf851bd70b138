#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace incipit::match {

/// Turns short texts into vectors whose cosine says how near their meanings are.
class Encoder {
 public:
  Encoder() = default;
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;
  virtual ~Encoder() = default;

  /// Recorded in match/ANCHOR.h5 and part of the fingerprint.
  [[nodiscard]] virtual std::string name() const = 0;

  /// Columns of `embed`.
  [[nodiscard]] virtual int64_t dimensions() const = 0;

  /// One row of `dimensions()` per text, row-major, of unit norm; a row of zeros for a text of which the
  /// encoder knows nothing (its similarity to everything is 0).
  [[nodiscard]] virtual std::vector<float> embed(std::span<const std::string> texts) = 0;
};

}  // namespace incipit::match
