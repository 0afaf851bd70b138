#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "match/encoder.hpp"
#include "match/subjects.hpp"

namespace incipit::match {

/// The embedded encoder that needs no download: latent semantic analysis (truncated SVD of a TF-IDF
/// term–document matrix) over the deck's own texts.
///
/// Documents are the fit probes and, for each subject, one document made of its phrases and of the words that
/// its fit probes say more often than those of the average subject. The latter ties the words of a subject's
/// phrases to the words of its probes, so the encoder knows the subject labels of the fit part; it never
/// reads a verify or a judge probe. Function words are left out and plurals folded where the singular occurs.
///
/// embed(text) is the text's TF-IDF vector folded into the space, Uᵀx / ‖Uᵀx‖.
class LexicalEncoder final : public Encoder {
 public:
  /// `rank` bounds the number of singular vectors kept; 0: two more than there are subjects. The result
  /// depends on (probes, subjects, rank, seed) alone, not on threads.
  LexicalEncoder(const corpus::Probes& probes, const Subjects& subjects, uint64_t seed, int threads,
                 int64_t rank = 0);
  ~LexicalEncoder() override;

  [[nodiscard]] std::string name() const override;
  [[nodiscard]] int64_t dimensions() const override;
  [[nodiscard]] std::vector<float> embed(std::span<const std::string> texts) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace incipit::match
