#include "emergence/seeds.hpp"

#include <algorithm>
#include <cmath>

#include "emergence/axes.hpp"
#include "emergence/estimate_parts.hpp"

namespace incipit::emergence {

Spread spread(std::span<const double> values) {
  Spread out;
  for (const double v : values) {  // of a number and NaN these take the number
    out.low = std::fmin(out.low, v);
    out.high = std::fmax(out.high, v);
  }
  // Rounding must not carry the mean of equal numbers away from them.
  if (!std::isnan(out.low)) out.mean = std::clamp(mean(values), out.low, out.high);
  return out;
}

void write_seeds(store::Writer& writer, const std::string& group, std::span<const SeedView> seeds,
                 const std::vector<std::string>& subjects) {
  const auto count = std::ssize(seeds), points = std::ssize(seeds.front().curve->points()),
             width = std::ssize(subjects);
  std::vector<int64_t> seed, matched;
  for (const SeedView& one : seeds) {
    seed.push_back(one.seed);
    matched.insert(matched.end(), one.matched.begin(), one.matched.end());
  }
  writer.write(group + "/seed", {count}, seed, {"1", "seed of the SAE; the anchor's own first"}, {"seed"});
  write_rung_axis(writer, group, "the SAE");
  write_point_axis(writer, group, points);
  write_subject_axis(writer, group, subjects);
  writer.write(group + "/matched", {count, width}, matched, {"1", "number of matched latents"},
               {"seed", "subject"});
  const auto cells = static_cast<size_t>(rungs * points * width);
  for (int m = 0; m < measures; ++m) {
    std::vector<double> all;
    for (const SeedView& one : seeds)
      for (int r = 0; r < rungs; ++r)
        for (int64_t p = 0; p < points; ++p)
          for (int32_t c = 0; c < width; ++c)
            all.push_back(one.curve->estimate(Measure{m}, Rung{r}, p, c).value);
    std::vector<double> mean, low, high, values(seeds.size());
    for (size_t i = 0; i < cells; ++i) {
      for (size_t s = 0; s < values.size(); ++s) values[s] = all[s * cells + i];
      const Spread found = spread(values);
      mean.push_back(found.mean);
      low.push_back(found.low);
      high.push_back(found.high);
    }
    const std::string name = group + "/" + std::string(measure_names[static_cast<size_t>(m)]);
    const std::string meaning = measure_meanings[static_cast<size_t>(m)];
    const std::vector<std::string> axes = {"rung", "point", "subject"};
    writer.write(name, {count, rungs, points, width}, all, {"1", meaning + ", of each seed"},
                 {"seed", "rung", "point", "subject"});
    writer.write(name + "_mean", {rungs, points, width}, mean, {"1", meaning + ", mean over seeds"}, axes);
    writer.write(name + "_min", {rungs, points, width}, low, {"1", meaning + ", least over seeds"}, axes);
    writer.write(name + "_max", {rungs, points, width}, high, {"1", meaning + ", most over seeds"}, axes);
  }
}

}  // namespace incipit::emergence
