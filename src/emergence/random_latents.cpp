#include "emergence/random_latents.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "emergence/axes.hpp"
#include "emergence/estimate.hpp"
#include "emergence/estimate_parts.hpp"
#include "emergence/gather_points.hpp"
#include "random.hpp"

namespace incipit::emergence {
namespace {

constexpr int measured = 2;  ///< probe_activation, contrast
constexpr int numbers = 3;   ///< mean, low, high

/// Takes the latent that stands in for one firing at `rate` from `pool`, which is ascending.
int32_t take_near(std::vector<int32_t>& pool, std::span<const double> fire_rate, double rate,
                  Random& random) {
  const auto far = [&](int32_t j) { return std::abs(fire_rate[static_cast<size_t>(j)] - rate); };
  const auto count = std::min(random_latent_choice, std::ssize(pool));
  std::vector<int32_t> near(static_cast<size_t>(count));
  std::partial_sort_copy(pool.begin(), pool.end(), near.begin(), near.end(), [&](int32_t a, int32_t b) {
    return far(a) < far(b) || (far(a) == far(b) && a < b);
  });
  const int32_t drawn = near[random.below(near.size())];
  pool.erase(std::lower_bound(pool.begin(), pool.end(), drawn));
  return drawn;
}

std::vector<int32_t> replaced(const std::vector<int32_t>& set, std::span<const double> fire_rate,
                              Random random) {
  std::vector<int32_t> pool, out;
  for (int32_t j = 0; j < static_cast<int32_t>(fire_rate.size()); ++j)
    if (fire_rate[static_cast<size_t>(j)] > 0 && std::find(set.begin(), set.end(), j) == set.end())
      pool.push_back(j);
  if (pool.size() < set.size()) return out;
  out.reserve(set.size());
  for (const int32_t j : set)
    out.push_back(take_near(pool, fire_rate, fire_rate[static_cast<size_t>(j)], random));
  std::sort(out.begin(), out.end());
  return out;
}

RandomLatents::Band band_of(std::span<const double> values) {
  return {mean(values), quantile(values, 0.025), quantile(values, 0.975)};
}

}  // namespace

std::vector<Matched> random_latents(const Matched& matched, std::span<const double> fire_rate, int64_t draws,
                                    uint64_t seed) {
  std::vector<Matched> out(static_cast<size_t>(draws), Matched(matched.size()));
  for (size_t r = 0; r < out.size(); ++r)
    for (size_t c = 0; c < matched.size(); ++c)
      out[r][c] = replaced(matched[c], fire_rate, Random(seed, Purpose::random_latents, c << 32U | r));
  return out;
}

std::vector<double> total_fire_rate(const Matched& matched, std::span<const double> fire_rate) {
  std::vector<double> out(matched.size(), nan);
  for (size_t c = 0; c < matched.size(); ++c) {
    if (matched[c].empty()) continue;
    out[c] = 0;
    for (const int32_t j : matched[c]) out[c] += fire_rate[static_cast<size_t>(j)];
  }
  return out;
}

std::vector<double> mean_fire_rate(std::span<const Matched> draws, std::span<const double> fire_rate) {
  std::vector<double> out;
  for (const Matched& draw : draws) {
    const auto total = total_fire_rate(draw, fire_rate);
    out.resize(total.size(), 0);
    for (size_t c = 0; c < total.size(); ++c) out[c] += total[c] / static_cast<double>(draws.size());
  }
  return out;
}

RandomLatents::RandomLatents(std::string curve, int64_t points, int32_t subjects,
                             std::vector<double> fire_rate)
    : curve_(std::move(curve)),
      points_(points),
      subjects_(subjects),
      fire_rate_(std::move(fire_rate)),
      cells_(static_cast<size_t>(points * rungs * subjects * measured * numbers), nan),
      touched_(static_cast<size_t>(points), 0) {}

size_t RandomLatents::at(int64_t point, Rung rung, int32_t subject, int measure) const {
  const int64_t row = (point * rungs + static_cast<int64_t>(rung)) * subjects_ + subject;
  return static_cast<size_t>((row * measured + measure) * numbers);
}

void RandomLatents::set(int64_t point, Rung rung, std::span<const BareShares> draws) {
  touched_.at(static_cast<size_t>(point)) = 1;
  for (int32_t c = 0; c < subjects_; ++c) {
    std::array<std::vector<double>, measured> values;
    for (const BareShares& draw : draws) {
      values[0].push_back(draw.probe_activation.at(static_cast<size_t>(c)));
      values[1].push_back(draw.contrast.at(static_cast<size_t>(c)));
    }
    for (int m = 0; m < measured; ++m) {
      const Band found = band_of(values[static_cast<size_t>(m)]);
      double* to = cells_.data() + at(point, rung, c, m);
      to[0] = found.mean;
      to[1] = found.low;
      to[2] = found.high;
    }
  }
}

std::vector<double> RandomLatents::packed() const {
  return packed_points(touched_, cells_);
}

bool RandomLatents::take(std::span<const double> packed) {
  return take_points(packed, touched_, cells_).has_value();
}

void RandomLatents::gather(const parallel::Communicator& comm) {
  gather_points(comm, "random latents along " + curve_, touched_, cells_);
}

RandomLatents::Band RandomLatents::band(int64_t point, Rung rung, int32_t subject, int measure) const {
  const double* from = cells_.data() + at(point, rung, subject, measure);
  return {from[0], from[1], from[2]};
}

RandomLatents::Band RandomLatents::probe_activation(Rung rung, int64_t point, int32_t subject) const {
  return band(point, rung, subject, 0);
}

RandomLatents::Band RandomLatents::contrast(Rung rung, int64_t point, int32_t subject) const {
  return band(point, rung, subject, 1);
}

void RandomLatents::write(store::Writer& writer, const std::string& group,
                          const std::vector<std::string>& subjects) const {
  write_rung_axis(writer, group, "the anchor's SAE");
  write_subject_axis(writer, group, subjects);
  write_point_axis(writer, group, points_);
  const std::array<std::pair<const char*, const char*>, numbers> parts = {
      {{"_mean", ", mean over draws of random latents"},
       {"_low", ", lower end of the 95 % band over draws of random latents"},
       {"_high", ", upper end of the 95 % band over draws of random latents"}}};
  for (int m = 0; m < measured; ++m)
    for (int part = 0; part < numbers; ++part) {
      std::vector<double> values;
      for (int r = 0; r < rungs; ++r)
        for (int64_t p = 0; p < points_; ++p)
          for (int32_t c = 0; c < subjects_; ++c)
            values.push_back(cells_[at(p, Rung{r}, c, m) + static_cast<size_t>(part)]);
      const auto& [suffix, meaning] = parts[static_cast<size_t>(part)];
      writer.write(group + "/" + std::string(measure_names[static_cast<size_t>(m)]) + suffix,
                   {rungs, points_, subjects_}, values,
                   {"1", measure_meanings[static_cast<size_t>(m)] + std::string(meaning)},
                   {"rung", "point", "subject"});
    }
}

}  // namespace incipit::emergence
