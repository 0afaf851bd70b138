#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "interpret/teacher.hpp"

namespace incipit::interpret {

/// The embedded teacher that needs no model and no download. It is a classifier, not a reader.
///
/// Label: the terms (words and pairs of neighbouring words) of the firing fit probes that are best by
/// class-based TF-IDF, at most 5, joined by ", ".
///
/// Judgement: a weighted kernel ridge classifier of the text (words, word pairs, characters within words, and
/// how the text ends), made anew for each latent from fit probes alone: those on which it fires against those
/// on which its nearest latents fire and random ones. So it learns from more fit probes than the twenty a
/// reading teacher is shown, and the label itself takes no part in the judgement. Penalty and threshold are
/// chosen by leaving out one group at a time inside fit. Scores are distances from the threshold.
class LexicalTeacher final : public Teacher {
 public:
  /// Learns the vocabulary and document frequencies of the fit part of `probes`, which must outlive this.
  LexicalTeacher(const corpus::Probes& probes, uint64_t seed, int threads);
  ~LexicalTeacher() override;

  [[nodiscard]] std::string name() const override;
  [[nodiscard]] std::vector<std::string> label(std::span<const Brief> briefs) override;
  [[nodiscard]] std::vector<std::vector<Verdict>> judge(std::span<const Question> questions) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace incipit::interpret
