#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "interpret/options.hpp"
#include "interpret/scores.hpp"
#include "interpret/teacher.hpp"
#include "parallel/communicator.hpp"
#include "parallel/work.hpp"
#include "sae/encode.hpp"
#include "sae/sae.hpp"

namespace incipit::interpret {

enum class Status : int8_t {
  interpretable = 0,    ///< F1 reached the asked bound on verify probes
  uninterpretable = 1,  ///< it did not
  unsupported = 2,      ///< too few firing verify probes or groups to say; not judged
  dead = 3,             ///< fires on no fit probe; neither labelled nor judged
};

/// A fit probe that was shown to the teacher.
struct Example {
  int64_t probe;      ///< index into Probes::all
  double activation;  ///< 0 for a negative
};

/// A verify probe that was judged.
struct Judgement {
  int64_t probe;
  bool fires;
  bool near;  ///< fires one of the nearest latents, and not this one
  Verdict verdict;
};

/// Science §3 for one latent. Measures are NaN where the latent was not judged.
struct LatentLabel {
  int64_t latent = 0;
  std::string label;  ///< empty when dead
  Status status = Status::dead;
  double f1 = 0, f1_low = 0, precision = 0, precision_at_rate = 0, recall = 0, balanced_accuracy = 0;
  int64_t support = 0;   ///< verify probes on which the latent fires
  int64_t groups = 0;    ///< groups among them
  int64_t unparsed = 0;  ///< answers that could not be read, counted as wrong
  double f1_always_yes = 0, f1_coin = 0;
  double fire_rate = 0;                      ///< share of fit probes on which it fires
  std::vector<double> fire_rate_by_subject;  ///< the same per subject; NaN for one without fit probes
  std::vector<Example> examples;             ///< positives, strongest first, then negatives
  std::vector<Judgement> judgements;
};

/// Hears of the latents that are done, after each call of a teacher; what it throws ends the work.
using Done = std::function<void(int64_t latents)>;

/// Labels and verifies the latents `range` of an SAE, in order. `codes` are those of all probes in the deck's
/// order, at the anchor. Random choices depend on (seed, latent) alone, so any split into ranges gives the
/// same answers. Errors as the teacher's and those of `done`; Error defect when shapes disagree.
std::vector<LatentLabel> interpret(Teacher& teacher, const corpus::Probes& probes, const sae::Codes& codes,
                                   const sae::Sae& sae, const InterpretOptions& options, uint64_t seed,
                                   parallel::BlockRange range, const Done& done = {});

/// This rank's share of the latents.
[[nodiscard]] parallel::BlockRange latents_of(const parallel::Communicator& comm,
                                              const InterpretOptions& options, int64_t latents);

/// All latents of an SAE, the work shared out over the ranks of `comm`; every rank returns all of them. Two
/// ranks may put the same question to a teacher whose answers are kept, and get two answers: what counts is
/// what is kept, so that a replay gives the same labels.
std::vector<LatentLabel> interpret_all(const parallel::Communicator& comm, Teacher& teacher,
                                       const corpus::Probes& probes, const sae::Codes& codes,
                                       const sae::Sae& sae, const InterpretOptions& options, uint64_t seed,
                                       const Done& done = {});

/// For handing labels from rank to rank.
std::string pack_labels(std::span<const LatentLabel> labels);
std::vector<LatentLabel> unpack_labels(std::string_view bytes);

/// Which latents may be matched, for match/: 1 where interpretable.
std::vector<int8_t> interpretable(std::span<const LatentLabel> labels);

const char* status_name(Status status);

}  // namespace incipit::interpret
