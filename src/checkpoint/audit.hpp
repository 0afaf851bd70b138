#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/fingerprints.hpp"

namespace incipit::checkpoint {

/// One step of a model's ladder, as it was read.
struct LadderStep {
  int64_t step = 0;
  Fingerprint print;
  std::string trouble;  ///< why it could not be read; then there is no fingerprint
};

/// What the audit says of one step.
struct Verdict {
  int64_t step = 0;
  /// "ok", "duplicate of step143000", "shard 1 of step143000", "12 of 64 matrices of step143000",
  /// "out of line", "not finite" or "unreadable".
  std::string status = "ok";
  std::string reason;        ///< the evidence; empty when ok
  double norm = 0;           ///< of all weights together; NaN when unreadable
  int64_t nonfinite = 0;     ///< elements that are NaN or infinite
  double cosine_first = 0;   ///< with the first step of the ladder; NaN where there is nothing to compare
  double cosine_before = 0;  ///< with the step before
  double cosine_after = 0;   ///< with the step after

  [[nodiscard]] bool ok() const { return status == "ok"; }
};

/// Compares the steps of one model, in ascending order, with each other. Looks at fingerprints alone. Found:
/// steps with equal weights, checkpoints mixed of two steps, checkpoints whose weights lie elsewhere on the
/// path of training than their name says, and elements that are not finite. Of steps that share weights the
/// one in line with the rest of the ladder is ok; of two equal steps alone the audit keeps the lower if its
/// weights look untrained (all vectors constant), else the higher.
///
/// What it cannot see: a wrong step without twin whose weights lie where the path goes on anyway (step 3000's
/// content as step 2000 of a ladder that ends there), and the truth of a ladder most of which is wrong.
[[nodiscard]] std::vector<Verdict> audit_ladder(std::span<const LadderStep> ladder);

/// A step that is not there though it should be.
struct MissingStep {
  std::string model;
  int64_t step = 0;
  std::string reason;
};

/// The steps that are there of one model, ascending.
struct ModelSteps {
  std::string model;
  std::vector<int64_t> steps;
};

/// Steps that most other ladders of the family have, and steps that a regular ladder (0, powers of two, then
/// even spacing, as Pythia's) would have where a model follows that pattern nearly everywhere.
[[nodiscard]] std::vector<MissingStep> missing_steps(std::span<const ModelSteps> family);

}  // namespace incipit::checkpoint
