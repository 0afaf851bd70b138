#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emergence/conclusions.hpp"
#include "emergence/curve.hpp"
#include "store/writer.hpp"

/// A sweep over where the dictionary is made: one at each point of a curve, and each carried along all of it,
/// so that what is said of a birth does not hang on one of them.
namespace incipit::emergence {

/// What one of the dictionaries reads along the curve, on the curve's reading rung.
struct PlacedDictionary {
  std::int64_t home = 0;              ///< the point at which it was made
  std::int64_t interpretable = 0;     ///< latents whose label holds
  std::vector<std::int64_t> matched;  ///< [C] |M_c|
  std::vector<double> probe_activation, contrast, contrast_low, contrast_high;  ///< [point, C]
  std::vector<std::int8_t> status;                                              ///< [point, C]
  std::vector<double> concluded;  ///< [conclusion_columns and present, C], as packed() gives them
};

struct AnchorSweep {
  std::string curve;  ///< time, space or scale
  std::vector<Point> points;
  std::vector<std::string> subjects;
  std::vector<PlacedDictionary> of;  ///< by home

  /// A column of the conclusions of one of the dictionaries. Error(defect) where there is no such column.
  [[nodiscard]] double concluded(std::size_t dictionary, std::string_view column, std::size_t subject) const;
  [[nodiscard]] bool present(std::size_t dictionary, std::size_t subject) const;
};

/// What the dictionaries say of one subject together.
struct Agreement {
  std::int64_t matched = 0;                      ///< dictionaries with a latent for it
  std::int64_t present = 0;                      ///< of them, those that call it
  double first = nan, middle = nan, last = nan;  ///< earliest, median and latest onset_high of these
};
[[nodiscard]] Agreement agreement(const AnchorSweep& sweep, std::size_t subject);

/// The numbers of all subjects' conclusions in a row, as ranks exchange them.
[[nodiscard]] std::vector<double> packed(const Conclusions& found);

/// The numbers of a gathered curve: all of `to` but home, latents and conclusions.
void read_along(const Curve& curve, PlacedDictionary& to);

/// A file of kind "anchor_sweep" (docs/schema.md). Collective; does not commit.
void write_anchor_sweep(store::Writer& writer, const AnchorSweep& sweep);

/// What a dictionary reads as its file names it: [dictionary, point, subject].
struct PlacedColumn {
  const char* name;
  const char* meaning;
  std::vector<double> PlacedDictionary::*values;
};
inline constexpr PlacedColumn placed_columns[] = {
    {"probe_activation", "share of the subject's judge probes on which a matched latent fires",
     &PlacedDictionary::probe_activation},
    {"contrast", "probe_activation less the mean over the other subjects", &PlacedDictionary::contrast},
    {"contrast_low", "lower end of its 95 % interval", &PlacedDictionary::contrast_low},
    {"contrast_high", "upper end of its 95 % interval", &PlacedDictionary::contrast_high},
};

inline constexpr const char* matched_by_meaning = "dictionaries with a latent for the subject";
inline constexpr const char* present_by_meaning = "dictionaries that call the subject";

/// A number of each subject over the dictionaries as its file names it.
struct AgreementColumn {
  const char* name;
  const char* meaning;
  double (*value)(const Agreement&);
};
inline constexpr AgreementColumn agreement_columns[] = {
    {"onset_first", "earliest upper end of the onset's bracket over the dictionaries that call the subject",
     [](const Agreement& a) { return a.first; }},
    {"onset_median", "the median over them", [](const Agreement& a) { return a.middle; }},
    {"onset_last", "the latest over them", [](const Agreement& a) { return a.last; }},
};

}  // namespace incipit::emergence
