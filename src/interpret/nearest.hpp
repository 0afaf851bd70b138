#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "corpus/probes.hpp"
#include "parallel/communicator.hpp"

namespace incipit::interpret {

enum class Side : int8_t {
  strongest = 0,  ///< fires, and strongly
  weakest = 1,    ///< fires, and hardly
  silent = 2,     ///< does not, and nearly would
};

/// A verify probe that shows where a latent's concept is at its clearest, or where it ends.
struct Nearest {
  int64_t probe = 0;  ///< index into Probes::all
  Side side = Side::strongest;
  double activation = 0;  ///< 0 where silent
  /// z_j less what it would take to fire: the largest z of the other latents (the k-th largest of a top-k
  /// SAE) or 0, if that is more. Not below 0 where the latent fires, not above 0 where it is silent.
  double margin = 0;
};

/// Finds the verify probes nearest to each latent while the probes are being encoded. They are neither what
/// the dictionary and the labels were made from nor what curves are drawn over. Each side shows one probe of
/// a group at most, in the order of its nearness.
class NearestProbes {
 public:
  static constexpr std::size_t most_strongest = 10;
  static constexpr std::size_t most_weakest = 5;  ///< and at most a third of the groups that fire
  static constexpr std::size_t most_silent = 5;

  /// For an SAE of h latents that keeps k. `probes` must outlive it.
  NearestProbes(const corpus::Probes& probes, int64_t h, int64_t k);

  /// z of all latents on the probes begin, begin + 1, … of the deck's order: rows×h. Probes come once each,
  /// in ascending order on each rank.
  void see(int64_t begin, std::span<const float> z);

  /// What all ranks saw, by latent: the strongest by falling activation, the weakest by rising and the silent
  /// by falling margin; ties to the lower probe. Collective.
  [[nodiscard]] std::vector<std::vector<Nearest>> gather(const parallel::Communicator& comm) const;

 private:
  struct Candidate {
    int64_t latent, probe;
    double activation, margin;
  };

  [[nodiscard]] int32_t group_of(const Candidate& c) const;
  void keep_silent(std::vector<Candidate>& nearest, const Candidate& candidate) const;
  [[nodiscard]] std::vector<Candidate> one_of_a_group(const std::vector<Candidate>& sorted,
                                                      std::size_t most) const;
  [[nodiscard]] std::vector<Nearest> choose(std::vector<Candidate> firing,
                                            const std::vector<Candidate>& silent) const;

  const corpus::Probes& probes_;
  int64_t h_, k_;
  std::vector<char> verify_;                    ///< [probe]
  std::vector<Candidate> firing_;               ///< on this rank
  std::vector<std::vector<Candidate>> silent_;  ///< [latent] the nearest on this rank, by falling margin
};

}  // namespace incipit::interpret
