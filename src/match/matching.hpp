#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "device/device.hpp"
#include "match/encoder.hpp"
#include "match/options.hpp"
#include "match/subjects.hpp"

namespace incipit::match {

/// Labels against subjects (science §4). Rows are latents, columns subjects, row-major.
struct Matches {
  int64_t latents = 0, subjects = 0;
  std::string phrases = "max";    ///< how several phrases of a subject count, as MatchOptions::phrases
  std::vector<float> similarity;  ///< [latent, subject]: cosine with the subject's nearest phrase, or with
                                  ///< the unit vector along the mean of its phrases' vectors; NaN for a
                                  ///< latent without a label
  std::vector<int8_t> matched;    ///< [latent, subject]: 1 for interpretable latents with similarity ≥ tau
  double tau = 0;
  bool tau_auto = false;
  double decoy_rate = 0;  ///< share of (label, decoy phrase) pairs with cosine ≥ tau; NaN without decoys
  int64_t pairs = 0;      ///< number of such pairs
  struct Sweep {
    std::vector<double> tau;         ///< 0.10, 0.15, … 0.60, and on to 0.1 beyond the tau used
    std::vector<double> decoy_rate;  ///< at each
    std::vector<int64_t> matched;    ///< [tau, subject]: |M_c| at each
  } sweep;

  /// M_c, ascending.
  [[nodiscard]] std::vector<int64_t> of(int64_t subject) const;
  /// M_c at another tau; `interpretable` as given to `match_labels`.
  [[nodiscard]] std::vector<int64_t> of(int64_t subject, double other_tau,
                                        std::span<const int8_t> interpretable) const;
};

/// Error usage when `options.tau` is neither auto nor a cosine in (-1, 1].
void check(const MatchOptions& options);

/// `labels`: one per latent, empty for a latent without. `interpretable`: 1 where a latent may be matched.
/// With `tau = auto`, tau is the value at which 5 % of the (label, decoy phrase) pairs match, over the labels
/// of interpretable latents, or over all labels when none is interpretable. A decoy of which the encoder
/// knows nothing is no pair. Error usage as `check`; Error data when auto is asked and no decoy is left.
Matches match_labels(Encoder& encoder, std::span<const std::string> labels,
                     std::span<const int8_t> interpretable, const Subjects& subjects,
                     const MatchOptions& options);

/// The encoder a deck asks for. `device` must outlive it. Errors as read_sentence_folder and SentenceEncoder,
/// where `options.encoder` is not `lexical`.
std::unique_ptr<Encoder> make_encoder(const MatchOptions& options, const corpus::Probes& probes,
                                      const Subjects& subjects, uint64_t seed, int threads,
                                      device::Device& device);

/// The files that the encoder is made of; none for the lexical one. Errors as read_sentence_folder.
std::vector<std::filesystem::path> encoder_files(const MatchOptions& options);

}  // namespace incipit::match
