#include "interpret/lexical.hpp"

#include <omp.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "device/host/blas.hpp"
#include "index.hpp"
#include "interpret/features.hpp"
#include "interpret/ridge.hpp"
#include "interpret/sample.hpp"
#include "interpret/terms.hpp"
#include "random.hpp"

namespace incipit::interpret {
namespace {

constexpr std::size_t label_terms = 5;
constexpr std::size_t most_positives = 256, most_negatives = 256;
constexpr std::array<double, 4> penalties = {0.1, 0.3, 1.0, 3.0};

std::vector<int64_t> ordered_sample(std::vector<int64_t> values, std::size_t count, Random& random) {
  values = sample(std::move(values), count, random);
  std::sort(values.begin(), values.end());
  return values;
}

std::vector<int64_t> difference(std::span<const int64_t> all, std::span<const int64_t> taken) {
  std::vector<int64_t> rest;
  std::set_difference(all.begin(), all.end(), taken.begin(), taken.end(), std::back_inserter(rest));
  return rest;
}

/// Runs f(i, thread) for all i; of several exceptions the one of the lowest i is thrown.
template <class F>
void for_each(std::size_t n, int threads, F&& f) {
  std::vector<std::exception_ptr> failed(n);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
  for (std::size_t i = 0; i < n; ++i) {
    try {
      f(i, static_cast<std::size_t>(omp_get_thread_num()));
    } catch (...) {
      failed[i] = std::current_exception();
    }
  }
  for (const std::exception_ptr& one : failed) {
    if (one) std::rethrow_exception(one);
  }
}

/// What a classifier is made from; weights make firing and silent probes count the same, and of the silent
/// ones near and random ones, as they do among the probes to judge.
struct Lesson {
  std::vector<int64_t> probes;
  std::vector<double> target, weight;

  void add(std::span<const int64_t> more, double sign, double share) {
    for (const int64_t probe : more) {
      probes.push_back(probe);
      target.push_back(sign);
      weight.push_back(share / static_cast<double>(more.size()));
    }
  }
};

}  // namespace

struct LexicalTeacher::State {
  State(const corpus::Probes& all, uint64_t the_seed, int the_threads)
      : probes(all),
        seed(the_seed),
        threads(std::max(the_threads, 1)),
        fit(all.of(corpus::Part::fit)),
        terms(all, fit),
        features(all, fit),
        rows(all.all.size()),
        scratch(at(threads), std::vector<float>(at(features.columns()))) {
    for_each(fit.size(), threads, [&](std::size_t i, std::size_t) {
      rows[at(fit[i])] = features.row(probes.all[at(fit[i])].text);
    });
  }

  [[nodiscard]] Lesson lesson(const Brief& brief) const;
  [[nodiscard]] std::vector<Verdict> judge(const Question& question, std::vector<float>& zeros) const;

  const corpus::Probes& probes;
  uint64_t seed;
  int threads;
  std::vector<int64_t> fit;
  TermTable terms;
  TextFeatures features;
  std::vector<SparseRow> rows;              // of fit probes, by index into Probes::all
  std::vector<std::vector<float>> scratch;  // per thread
};

Lesson LexicalTeacher::State::lesson(const Brief& brief) const {
  // The examples shown have the stream of the latent's own index; this one begins beyond all of them.
  Random random(seed, Purpose::label_examples, (uint64_t{1} << 32) + static_cast<uint64_t>(brief.latent));
  const std::vector<int64_t> yes = ordered_sample(brief.firing, most_positives, random);
  const std::vector<int64_t> near = ordered_sample(brief.near, most_negatives / 2, random);
  const std::vector<int64_t> silent = difference(fit, brief.firing);
  const std::vector<int64_t> other =
      ordered_sample(difference(silent, near), most_negatives - near.size(), random);
  const auto n = static_cast<double>(yes.size() + near.size() + other.size());
  Lesson lesson;
  lesson.add(yes, 1, n / 2);
  lesson.add(near, -1, other.empty() ? n / 2 : n / 4);
  lesson.add(other, -1, near.empty() ? n / 2 : n / 4);
  return lesson;
}

std::vector<Verdict> LexicalTeacher::State::judge(const Question& question, std::vector<float>& zeros) const {
  const Lesson lesson = this->lesson(*question.brief);
  std::vector<const SparseRow*> samples;
  std::vector<int32_t> groups;
  for (const int64_t probe : lesson.probes) {
    samples.push_back(&rows[at(probe)]);
    groups.push_back(probes.group[at(probe)]);
  }
  const Ridge ridge = fit_ridge(gram(samples, zeros), lesson.target, lesson.weight, groups, penalties);
  std::vector<Verdict> verdicts;
  for (const std::string& text : question.texts) {
    const std::vector<double> kernel = products(features.row(text), samples, zeros);
    double score = -ridge.threshold;
    for (std::size_t i = 0; i < kernel.size(); ++i) score += ridge.coefficient[i] * (kernel[i] + 1);
    verdicts.push_back({score > 0 ? Answer::yes : Answer::no, score});
  }
  return verdicts;
}

LexicalTeacher::LexicalTeacher(const corpus::Probes& probes, uint64_t seed, int threads) {
  // One latent is one thread's work; a BLAS that starts threads of its own below it only gets in the way.
  device::host::set_blas_single_threaded();
  state_ = std::make_unique<State>(probes, seed, threads);
}

LexicalTeacher::~LexicalTeacher() = default;

std::string LexicalTeacher::name() const {
  return "lexical 1";
}

std::vector<std::string> LexicalTeacher::label(std::span<const Brief> briefs) {
  std::vector<std::string> labels(briefs.size());
  for_each(briefs.size(), state_->threads, [&](std::size_t i, std::size_t) {
    labels[i] = state_->terms.name(briefs[i].firing, label_terms);
  });
  return labels;
}

std::vector<std::vector<Verdict>> LexicalTeacher::judge(std::span<const Question> questions) {
  std::vector<std::vector<Verdict>> verdicts(questions.size());
  for_each(questions.size(), state_->threads, [&](std::size_t i, std::size_t thread) {
    verdicts[i] = state_->judge(questions[i], state_->scratch[thread]);
  });
  return verdicts;
}

}  // namespace incipit::interpret
