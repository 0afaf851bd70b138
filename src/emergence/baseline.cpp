#include "emergence/baseline.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>

#include "align/folds.hpp"
#include "corpus/utf8.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

constexpr std::array<double, 5> smoothings = {0.01, 0.03, 0.1, 0.3, 1.0};
/// Where there are too few groups to choose by.
constexpr size_t usual_smoothing = 2;

using Words = std::vector<std::string>;
/// A text's features by number, each once.
using Features = std::vector<int32_t>;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c;
}
/// Everything beyond ASCII counts as a letter: enough for a baseline in any language that writes spaces.
bool in_word(char c) {
  return is_digit(c) || is_upper(c) || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80U;
}

std::string last_word(std::string_view text) {
  size_t end = text.size();
  while (end > 0 && is_space(text[end - 1])) --end;
  size_t begin = end;
  while (begin > 0 && !is_space(text[begin - 1])) --begin;
  return std::string(text.substr(begin, end - begin));
}

/// Character 1- to 4-grams of ^word$, in lower case, and what the case folding loses.
Words last_word_features(const std::string& text) {
  const std::string word = last_word(text);
  Words out;
  std::vector<size_t> starts;
  std::string marked = "^";
  for (const char c : word) marked += lower(c);
  marked += '$';
  for (size_t at = 0; at < marked.size(); ++at)
    if (!corpus::continues_character(marked[at])) starts.push_back(at);
  starts.push_back(marked.size());
  for (size_t length = 1; length <= 4; ++length)
    for (size_t at = 0; at + length < starts.size(); ++at)
      out.push_back(marked.substr(starts[at], starts[at + length] - starts[at]));
  if (!word.empty() && is_upper(word.front())) out.emplace_back(" capital");
  if (std::any_of(word.begin(), word.end(), is_digit)) out.emplace_back(" digit");
  out.push_back(" length " + std::to_string(std::min<size_t>(starts.size(), 16)));
  return out;
}

/// Words in lower case, and every other visible character.
Words bag_features(const std::string& text) {
  Words out;
  std::string word;
  for (const char c : text) {
    if (in_word(c)) {
      word += lower(c);
      continue;
    }
    if (!word.empty()) out.push_back(std::move(word));
    word.clear();
    if (!is_space(c)) out.emplace_back(1, c);
  }
  if (!word.empty()) out.push_back(std::move(word));
  return out;
}

class Vocabulary {
 public:
  /// Numbers new features when `grow`, leaves them out otherwise.
  Features number(const Words& words, bool grow) {
    Features out;
    for (const std::string& word : words) {
      if (grow) {
        out.push_back(number_.emplace(word, static_cast<int32_t>(number_.size())).first->second);
      } else if (const auto at = number_.find(word); at != number_.end()) {
        out.push_back(at->second);
      }
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    return out;
  }
  [[nodiscard]] int64_t size() const { return static_cast<int64_t>(number_.size()); }

 private:
  std::unordered_map<std::string, int32_t> number_;
};

/// Multinomial naive Bayes over features that count once a text, equal priors.
class NaiveBayes {
 public:
  NaiveBayes(const std::vector<Features>& texts, std::span<const int32_t> subject,
             const std::vector<char>& use, int32_t subjects, int64_t features)
      : subjects_(static_cast<size_t>(subjects)),
        features_(features),
        total_(subjects_, 0.0),
        texts_(subjects_, 0),
        count_(static_cast<size_t>(features) * subjects_, 0.0) {
    for (size_t i = 0; i < texts.size(); ++i) {
      if (use[i] == 0) continue;
      const auto c = static_cast<size_t>(subject[i]);
      ++texts_[c];
      total_[c] += static_cast<double>(texts[i].size());
      for (const int32_t f : texts[i]) count_[static_cast<size_t>(f) * subjects_ + c] += 1;
    }
  }

  /// log P(f | c) for every feature and subject.
  void smooth(double alpha) {
    log_.resize(count_.size());
    std::vector<double> norm;
    for (const double total : total_)
      norm.push_back(std::log(total + alpha * static_cast<double>(features_)));
    for (size_t at = 0; at < count_.size(); ++at)
      log_[at] = std::log(count_[at] + alpha) - norm[at % subjects_];
  }

  /// log P(text | c); NaN for a subject never seen.
  [[nodiscard]] std::vector<double> log_likelihood(const Features& text) const {
    std::vector<double> out(subjects_, 0.0);
    for (size_t c = 0; c < subjects_; ++c)
      if (texts_[c] == 0) out[c] = nan;
    for (const int32_t f : text)
      for (size_t c = 0; c < subjects_; ++c) out[c] += log_[static_cast<size_t>(f) * subjects_ + c];
    return out;
  }

 private:
  size_t subjects_;
  int64_t features_;
  std::vector<double> total_;
  std::vector<int64_t> texts_;
  std::vector<double> count_, log_;
};

int32_t most_likely(const std::vector<double>& log_likelihood) {
  int32_t best = 0;
  double most = -std::numeric_limits<double>::infinity();
  for (size_t c = 0; c < log_likelihood.size(); ++c) {
    if (!(log_likelihood[c] > most)) continue;
    most = log_likelihood[c];
    best = static_cast<int32_t>(c);
  }
  return best;
}

/// log odds of subject c against all others, which keeps its resolution where probabilities saturate.
double log_odds(const std::vector<double>& log_likelihood, size_t c) {
  double most = -std::numeric_limits<double>::infinity();
  for (size_t o = 0; o < log_likelihood.size(); ++o)
    if (o != c && log_likelihood[o] > most) most = log_likelihood[o];
  double sum = 0;
  for (size_t o = 0; o < log_likelihood.size(); ++o)
    if (o != c && !std::isnan(log_likelihood[o])) sum += std::exp(log_likelihood[o] - most);
  return sum > 0 ? log_likelihood[c] - most - std::log(sum) : nan;
}

double balanced_accuracy(std::span<const int32_t> predicted, std::span<const int32_t> subject,
                         int32_t subjects) {
  std::vector<int64_t> right(static_cast<size_t>(subjects), 0), all(static_cast<size_t>(subjects), 0);
  for (size_t i = 0; i < subject.size(); ++i) {
    if (predicted[i] < 0) continue;
    ++all[static_cast<size_t>(subject[i])];
    right[static_cast<size_t>(subject[i])] += predicted[i] == subject[i] ? 1 : 0;
  }
  double total = 0;
  int64_t present = 0;
  for (size_t c = 0; c < all.size(); ++c) {
    if (all[c] == 0) continue;
    total += static_cast<double>(right[c]) / static_cast<double>(all[c]);
    ++present;
  }
  return present > 0 ? total / static_cast<double>(present) : nan;
}

double choose_smoothing(const std::vector<Features>& texts, std::span<const int32_t> subject,
                        const std::vector<int32_t>& fold, int32_t subjects, int64_t features) {
  std::vector<std::vector<int32_t>> predicted(smoothings.size(), std::vector<int32_t>(texts.size(), -1));
  for (int f = 0; f < align::folds; ++f) {
    std::vector<char> use;
    use.reserve(fold.size());
    for (const int32_t part : fold) use.push_back(part == f ? 0 : 1);
    if (std::all_of(use.begin(), use.end(), [](char u) { return u == 0; })) continue;
    NaiveBayes classifier(texts, subject, use, subjects, features);
    for (size_t s = 0; s < smoothings.size(); ++s) {
      classifier.smooth(smoothings[s]);
      for (size_t i = 0; i < texts.size(); ++i)
        if (use[i] == 0) predicted[s][i] = most_likely(classifier.log_likelihood(texts[i]));
    }
  }
  size_t best = usual_smoothing;
  double most = -1;
  for (size_t s = 0; s < smoothings.size(); ++s) {
    const double accuracy = balanced_accuracy(predicted[s], subject, subjects);
    if (accuracy >= most) {
      most = accuracy;
      best = s;
    }
  }
  return smoothings[best];
}

struct Verdicts {
  std::vector<int32_t> predicted;  ///< [n]
  std::vector<double> scores;      ///< [n, C]
};

Verdicts classify(Words (*features_of)(const std::string&), std::span<const std::string> fit,
                  std::span<const int32_t> fit_subject, const std::vector<int32_t>& fold,
                  std::span<const std::string> judge, int32_t subjects) {
  Vocabulary vocabulary;
  std::vector<Features> train;
  for (const std::string& text : fit) train.push_back(vocabulary.number(features_of(text), true));
  NaiveBayes classifier(train, fit_subject, std::vector<char>(train.size(), 1), subjects, vocabulary.size());
  classifier.smooth(choose_smoothing(train, fit_subject, fold, subjects, vocabulary.size()));
  Verdicts out;
  for (const std::string& text : judge) {
    const auto likelihood = classifier.log_likelihood(vocabulary.number(features_of(text), false));
    out.predicted.push_back(most_likely(likelihood));
    for (size_t c = 0; c < likelihood.size(); ++c) out.scores.push_back(log_odds(likelihood, c));
  }
  return out;
}

}  // namespace

TokenBaseline token_baseline(std::span<const std::string> fit, std::span<const int32_t> fit_subject,
                             std::span<const int32_t> fit_group, std::span<const std::string> judge_texts,
                             const JudgeSet& judge, const Resampling& resampling, uint64_t seed) {
  if (fit.size() != fit_subject.size() || fit.size() != fit_group.size() ||
      judge_texts.size() != judge.subject.size())
    throw Error(Exit::defect, "token baseline: texts, subjects and groups do not fit together");
  const auto fold = align::group_folds(fit_group, align::folds, seed);
  constexpr std::array<Words (*)(const std::string&), 2> features = {last_word_features, bag_features};
  TokenBaseline out;
  for (size_t b = 0; b < features.size(); ++b) {
    const Verdicts verdicts = classify(features[b], fit, fit_subject, fold, judge_texts, judge.subjects);
    out.accuracy[b] = balanced_accuracy(verdicts.predicted, judge.subject, judge.subjects);
    out.contrast[b] = measure_contrast(verdicts.predicted, judge, resampling);
    out.auc[b] = measure_auc(verdicts.scores, judge, resampling);
  }
  return out;
}

}  // namespace incipit::emergence
