#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "interpret/options.hpp"

namespace incipit::corpus {
struct Probes;
}

namespace incipit::interpret {

/// One fit probe shown to a teacher.
struct Shown {
  int64_t probe;      ///< index into Probes::all
  std::string text;   ///< the probe's text
  double activation;  ///< a_j of the latent, in units of the SAE's input; 0 for a negative
};

/// All that a teacher may know of a latent. It is made from the fit part alone: neither activations nor
/// texts of verify and judge probes are in it (science §3).
struct Brief {
  int64_t latent;
  std::vector<Shown> positives;  ///< at most 10, over the quantiles of activation, strongest first
  std::vector<Shown> negatives;  ///< at most 10: half random, half firing the nearest latents
  /// For teachers that fit a classifier instead of reading examples, indices into Probes::all, ascending.
  std::vector<int64_t> firing;  ///< every fit probe on which the latent fires
  std::vector<int64_t> near;    ///< fit probes that fire one of the nearest latents and not this one
};

/// Texts to judge against a label.
struct Question {
  const Brief* brief;
  std::string label;
  std::vector<std::string> texts;
};

enum class Answer : int8_t { no = 0, yes = 1, unparsed = 2 };

/// A teacher's answer for one text. `score` orders texts by how surely they fit the label; its scale is the
/// teacher's own (a log-odds where there is one), NaN when the answer is unparsed.
struct Verdict {
  Answer answer;
  double score;
};

/// Names latents and says which texts fit a name. Calls carry many latents at once, so that a teacher may
/// work on them side by side; an answer for one latent must not depend on which others are in the call.
class Teacher {
 public:
  Teacher() = default;
  Teacher(const Teacher&) = delete;
  Teacher& operator=(const Teacher&) = delete;
  virtual ~Teacher() = default;

  /// What is recorded in labels/ANCHOR.h5 and enters the fingerprint: kind, model, version.
  [[nodiscard]] virtual std::string name() const = 0;

  /// A short label per brief.
  [[nodiscard]] virtual std::vector<std::string> label(std::span<const Brief> briefs) = 0;

  /// One verdict per text of each question, in order.
  [[nodiscard]] virtual std::vector<std::vector<Verdict>> judge(std::span<const Question> questions) = 0;
};

/// The teacher a deck asks for. `threads` bounds its OpenMP threads and never shows in an answer.
/// Error usage when `options.teacher` names none there is.
std::unique_ptr<Teacher> make_teacher(const InterpretOptions& options, const corpus::Probes& probes,
                                      uint64_t seed, int threads);

/// Names that `make_teacher` knows.
std::vector<std::string> teacher_names();

}  // namespace incipit::interpret
