#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nan.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// What a dictionary of one size and seed comes to, at the site it was made from.
struct SizedDictionary {
  double fvu = nan;                                ///< fraction of variance unexplained on the verify part
  double f1 = nan;                                 ///< mean over the judged latents
  std::vector<std::int64_t> status;                ///< [4] latents by interpret::Status
  std::vector<std::int64_t> matched;               ///< [C] |M_c|
  std::vector<double> probe_activation, contrast;  ///< [C]; NaN where M_c is empty
};

/// A sweep over k and the number of latents of an anchor's dictionary.
struct SizeSweep {
  std::string model;
  std::int64_t step = 0, layer = 0;
  std::vector<std::string> subjects;
  std::vector<std::int64_t> k, latents;  ///< [size]
  std::vector<std::int64_t> seed;        ///< [seed]
  std::vector<SizedDictionary> of;       ///< [size, seed]

  [[nodiscard]] const SizedDictionary& at(std::size_t size, std::size_t s) const {
    return of[size * seed.size() + s];
  }
};

/// A file of kind "sweep" (docs/schema.md). Collective; does not commit.
void write_size_sweep(store::Writer& writer, const SizeSweep& sweep);

/// A measure of each dictionary as its file names it.
struct SizedColumn {
  const char* name;
  const char* meaning;
  double (*value)(const SizedDictionary&);
};
inline constexpr SizedColumn sized_columns[] = {
    {"fvu", "fraction of variance unexplained on the verify part",
     [](const SizedDictionary& d) { return d.fvu; }},
    {"f1", "mean F1 of the judged latents", [](const SizedDictionary& d) { return d.f1; }},
};
struct SizedCount {
  const char* name;
  const char* meaning;
};
/// In the order of interpret::Status.
inline constexpr SizedCount sized_counts[] = {
    {"interpretable", "latents whose label holds"},
    {"uninterpretable", "latents whose label does not"},
    {"unsupported", "latents that fire on too few verify probes to say"},
    {"dead", "latents that fire on no fit probe"},
};

}  // namespace incipit::emergence
