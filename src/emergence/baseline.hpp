#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emergence/measures.hpp"

namespace incipit::emergence {

/// What the text alone gives away (science §6.6): classifiers of the subject that never see an activation.
inline constexpr std::array<std::string_view, 2> baseline_names = {"last_word", "bag_of_words"};

struct TokenBaseline {
  std::array<Estimates, 2> contrast;  ///< in the order of baseline_names; "M_c fires" is "c is predicted"
  std::array<Estimates, 2> auc;
  std::array<double, 2> accuracy = {nan, nan};  ///< class-balanced: mean over subjects of the share right
};

/// Naive Bayes with equal priors, trained on the fit texts, judged on the judge texts: on the last word's
/// character 1- to 4-grams and shape, and on the words and punctuation of the whole text (each counted once).
/// The smoothing, one of 0.01, 0.03, 0.1, 0.3, 1, is the one with the best balanced accuracy on held-out
/// group folds of the fit part.
TokenBaseline token_baseline(std::span<const std::string> fit, std::span<const int32_t> fit_subject,
                             std::span<const int32_t> fit_group, std::span<const std::string> judge_texts,
                             const JudgeSet& judge, const Resampling& resampling, uint64_t seed);

}  // namespace incipit::emergence
