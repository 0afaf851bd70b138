#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace incipit::phantom {

/// How large a phantom is; what is planted where follows from the seed.
struct Options {
  uint64_t seed = 1;
  int64_t models = 4;    ///< the last is the reference, with all steps; the others have the last step alone
  int64_t width = 64;    ///< of the reference; each smaller model is 8 narrower than the next
  int64_t layers = 7;    ///< of the reference; each smaller model has one less, 3 at least
  int64_t steps = 16;    ///< checkpoints of the reference, even in log2(1 + step)
  int64_t last = 16000;  ///< the last of them
  int64_t subjects = 14;
  int64_t never = 7;      ///< of them, those that exist nowhere
  int64_t terms = 40;     ///< per subject; a term is a group of probes
  int64_t probes = 2;     ///< per term
  int64_t nuisances = 4;  ///< directions that terms carry whatever their subject
};

/// The sizes by name.
struct Size {
  const char* name;
  int64_t Options::*value;
  const char* meaning;
};
inline constexpr Size sizes[] = {
    {"models", &Options::models, "models; the largest is the reference and has all steps"},
    {"width", &Options::width, "dimensions of the reference; the others are 8 narrower each"},
    {"layers", &Options::layers, "blocks of the reference; the others have one less each"},
    {"steps", &Options::steps, "checkpoints of the reference, even in log2(1 + step)"},
    {"last", &Options::last, "the last of them"},
    {"subjects", &Options::subjects, "subjects, with those that exist nowhere"},
    {"never", &Options::never, "subjects that exist nowhere"},
    {"terms", &Options::terms, "terms per subject; a term is a group of probes"},
    {"probes", &Options::probes, "probes per term"},
    {"nuisances", &Options::nuisances, "directions that terms carry whatever their subject"},
};

/// What the residual stream holds at a site on the probes of a subject's known terms.
enum class State : int8_t {
  absent,    ///< the term's nuisance alone
  plain,     ///< the subject's direction, and little of the nuisance
  rescaled,  ///< the same, but the mean of all probes has moved against it by as much
  turned,    ///< as much in another direction that holds nothing else
  outvoted,  ///< the subject's direction, and far more of the term's nuisance
};

/// The points, in order, at which a subject is not as it was before and is again behind.
struct Dip {
  State state;          ///< absent: lost
  int64_t first, last;  ///< places among the steps, or layers of the reference
};

struct SubjectPlan {
  bool exists = false;
  bool sudden = false;             ///< all terms are known from the first step on that knows any
  int64_t model = 0;               ///< the smallest that knows it
  int64_t layer = 0;               ///< of the reference, from which on it is written
  std::vector<int64_t> known;      ///< [step] terms known; never fewer than before
  std::optional<Dip> time, space;  ///< where both are, that over time counts
};

struct ModelPlan {
  std::string name;
  int64_t d = 0, layers = 0;
};

/// What is planted where.
struct Plan {
  Options options;
  std::vector<int64_t> step;
  std::vector<ModelPlan> model;
  std::vector<SubjectPlan> subject;

  /// Terms of a subject that the weights of a checkpoint know; `step` is a place among the steps.
  [[nodiscard]] int64_t known(std::size_t model, std::size_t step, std::size_t subject) const;
  /// The state after a layer of a model, 0 being the embedding.
  [[nodiscard]] State state(std::size_t model, std::size_t step, int64_t layer, std::size_t subject) const;
  /// Share of a subject's terms whose probes hold its direction and nothing stronger at the anchor's mean:
  /// what `contrast` and `probe_activation` are on the raw rung for a dictionary with a latent for it.
  [[nodiscard]] double share(std::size_t model, std::size_t step, int64_t layer, std::size_t subject) const;
  /// The place of the first step at which at least half of the final share is known.
  [[nodiscard]] std::size_t onset(std::size_t subject) const;
};

/// Draws a plan. Every kind of dip is given to a subject over time and to one over layers, as far as there
/// are subjects. Error usage for sizes that do not go together, naming what would.
[[nodiscard]] Plan draw_plan(const Options& options);

/// Width that the smallest model needs beside its terms' codes, and dimensions of these codes.
inline constexpr int64_t code_dimensions = 22, filler_dimensions = 3;

}  // namespace incipit::phantom
