#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "emergence/curve.hpp"
#include "store/writer.hpp"

/// The control by seeds (science §6): how far the measures move when nothing but the SAE's seed does.
namespace incipit::emergence {

/// A curve of an anchor as the SAE of one seed reads it, gathered.
struct SeedCurve {
  int64_t seed = 0;
  Curve curve;
  std::vector<int64_t> matched;  ///< [C] |M_c|
};

/// A number over the seeds that have one; NaN where none has.
struct Spread {
  double mean = nan, low = nan, high = nan;  ///< mean, least and most
};
Spread spread(std::span<const double> values);

/// A seed's curve where it lies.
struct SeedView {
  int64_t seed;
  const Curve* curve;
  std::vector<int64_t> matched;  ///< [C] |M_c|
};

/// What the seeds' curves, all of one name and of equal points, say below `group`
/// ("anchors/time/controls/seeds/spread/time"): every seed's measures, and their spread. Collective.
void write_seeds(store::Writer& writer, const std::string& group, std::span<const SeedView> seeds,
                 const std::vector<std::string>& subjects);

}  // namespace incipit::emergence
