#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "device/device.hpp"
#include "device/upload_numbers.hpp"
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

  /// What is recorded in labels/ANCHOR.h5: kind, version, and the model where there is one.
  [[nodiscard]] virtual std::string name() const = 0;
  /// The model that answers, and the server it runs at; empty where there is none.
  [[nodiscard]] virtual std::string model() const { return {}; }
  [[nodiscard]] virtual std::string server() const { return {}; }

  /// How many latents to hand over in one call.
  [[nodiscard]] virtual int64_t slice() const { return 32; }

  /// A short label per brief.
  [[nodiscard]] virtual std::vector<std::string> label(std::span<const Brief> briefs) = 0;

  /// One verdict per text of each question, in order.
  [[nodiscard]] virtual std::vector<std::vector<Verdict>> judge(std::span<const Question> questions) = 0;

  /// Takes over what was answered on other ranks. True where that may change an answer of this one's: where
  /// two ranks put one question, one of the answers counts for both.
  virtual bool take_over() { return false; }
};

/// What a teacher is made from, and what it does while it works.
struct TeacherContext {
  const InterpretOptions& options;
  const corpus::Probes& probes;  ///< must outlive the teacher
  uint64_t seed = 1;
  int threads = 1;                   ///< bounds its OpenMP threads; never shows in an answer
  device::Device* device = nullptr;  ///< what a teacher of our own forward pass runs on, which needs one
  device::NumberType precision = device::NumberType::f32;  ///< of that forward pass
  std::size_t memory = 0;                                  ///< bytes of the device that it may use
  std::filesystem::path output = {};                       ///< answers are kept in its folder `teacher`
  int rank = 0, ranks = 1;                                 ///< those that share the work
  /// Why to stop, empty where nothing asks for it; seen to behind every answer.
  std::function<std::string()> stop = [] { return std::string(); };
  /// Hears how far a call is, in words.
  std::function<void(const std::string&)> note = [](const std::string&) {};
  /// Hears what the user should know.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

/// Error again where `stop` gives a reason to.
void leave_if_asked(const std::function<std::string()>& stop);

/// The teacher a deck asks for. Error usage when `options.teacher` names none there is, or answers of one
/// that left none; otherwise as Prompts, AnswerCache and the model behind it.
std::unique_ptr<Teacher> make_teacher(const TeacherContext& context);

/// Refuses what is wrong with a teacher's options before hours are spent. Errors as make_teacher's.
void check_teacher(const InterpretOptions& options, const std::filesystem::path& output);

/// Names that `make_teacher` knows.
std::vector<std::string> teacher_names();

/// Whether the teacher is a language model, or the answers of one.
[[nodiscard]] bool reads(const InterpretOptions& options);

/// The files behind the answers, beside the probes.
[[nodiscard]] std::vector<std::filesystem::path> teacher_files(const InterpretOptions& options);

/// How many of `ranks` have latents to ask about; the others have none.
[[nodiscard]] int asking_ranks(const InterpretOptions& options, int ranks);

}  // namespace incipit::interpret
