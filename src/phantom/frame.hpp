#pragma once

#include <cstdint>
#include <vector>

#include "phantom/plan.hpp"

namespace incipit::phantom {

using Direction = std::vector<double>;  ///< [d]

[[nodiscard]] double dot(const Direction& a, const Direction& b);

/// How strongly things lie in the residual stream, in its own unit.
namespace amplitude {
inline constexpr double constant =
    32;                            ///< in every token: keeps layer norm's scale steady, as real streams do
inline constexpr double code = 3;  ///< a term's own
inline constexpr double concept_ = 9;  ///< a subject's, on terms that are known
/// A term's nuisance: where nothing is known of it, where it is known, and where it outvotes what is known.
inline constexpr double nuisance = 7, nuisance_known = 1, nuisance_loud = 24;
inline constexpr double filler = 12;
inline constexpr double noise = 0.5;  ///< a term's, in each direction but code and constant: at most
inline constexpr double carried = 2;  ///< what attention brings from the fillers: at most
}  // namespace amplitude

/// Terms' codes are drawn until no two have a cosine above this, so that a unit that knows one is silent on
/// all others.
inline constexpr double most_alike = 0.6;

/// The orthonormal directions of a model's residual stream, all orthogonal to the vector of ones, which layer
/// norm takes away.
struct Frame {
  int64_t d = 0;
  Direction constant;
  std::vector<Direction> code, nuisance, filler;
  std::vector<Direction> concept_;  ///< [subject]; empty for subjects that exist nowhere
  std::vector<Direction> turned;    ///< [subject]; where a subject turns to; empty for those that never do
  std::vector<Direction> spare;     ///< the rest: noise alone
};

[[nodiscard]] Frame draw_frame(const Plan& plan, std::size_t model);

/// Unit vectors [subject * terms][code_dimensions], the same in every model. Error usage when so many cannot
/// be told apart.
[[nodiscard]] std::vector<std::vector<double>> draw_codes(const Options& options);

}  // namespace incipit::phantom
