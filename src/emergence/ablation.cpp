#include "emergence/ablation.hpp"

#include <array>
#include <utility>

#include "emergence/attribution.hpp"
#include "emergence/auc.hpp"
#include "emergence/axes.hpp"
#include "emergence/intervals.hpp"
#include "emergence/shares.hpp"

namespace incipit::emergence {
namespace {

/// As it is, and in each resample.
struct Resampled {
  double value = nan;
  std::vector<double> draws;
};

struct ResampledSite {
  std::vector<Resampled> contrast, auc;  ///< [sets]
};

ResampledSite resampled_site(const SiteCodes& site, const MatchedSets& sets, const JudgeSet& judge,
                             const Resampling& resampling) {
  const auto fired = firing_of(site.codes, sets, resampling, resampling.view()).fired;
  const auto areas = auc_draws(site.scores, sets.own, resampling);
  ResampledSite out;
  for (size_t s = 0; s < sets.size(); ++s) {
    auto shares = share_draws(fired, s, sets.subject[s], judge, resampling);
    out.contrast.push_back({shares.contrast, std::move(shares.bootstrap.contrast)});
    auto area = areas.row(s);
    out.auc.push_back({area.value.front(), std::move(area.bootstrap)});
  }
  return out;
}

Change change_of(const Resampled& before, const Resampled& after) {
  std::vector<double> difference;
  for (size_t b = 0; b < before.draws.size(); ++b) difference.push_back(after.draws[b] - before.draws[b]);
  return {estimate(before.value, before.draws, {}), estimate(after.value, after.draws, {}),
          estimate(after.value - before.value, difference, {})};
}

/// The three states of a change, as datasets name and explain them.
struct ChangePart {
  const char* suffix;
  const char* meaning;
  Estimate Change::*value;
};
constexpr std::array<ChangePart, 3> change_parts = {
    {{"_before", before_meaning, &Change::before},
     {"_after", after_meaning, &Change::after},
     {"_difference", difference_meaning, &Change::difference}}};

}  // namespace

SiteChange site_change(const SiteCodes& before, const SiteCodes& after, const MatchedSets& sets,
                       const JudgeSet& judge, const Resampling& resampling) {
  const auto was = resampled_site(before, sets, judge, resampling),
             is = resampled_site(after, sets, judge, resampling);
  SiteChange out;
  out.contrast.resize(static_cast<size_t>(judge.subjects));
  out.auc.resize(static_cast<size_t>(judge.subjects));
  for (size_t s = 0; s < sets.size(); ++s) {
    const auto c = static_cast<size_t>(sets.subject[s]);
    out.contrast[c] = change_of(was.contrast[s], is.contrast[s]);
    out.auc[c] = change_of(was.auc[s], is.auc[s]);
  }
  return out;
}

void write_ablation(store::Writer& writer, const Ablation& ablation) {
  const int64_t points = std::ssize(ablation.layer), subjects = std::ssize(ablation.subjects);
  writer.attribute("", "component", component_name(ablation.component));
  writer.write("layer", {points}, ablation.layer, {"1", "layer"}, {"layer"});
  write_subject_axis(writer, "", ablation.subjects);
  for (const auto& [name, changes] :
       {std::pair{"contrast", &ablation.contrast}, std::pair{"auc", &ablation.auc}})
    for (const ChangePart& part : change_parts) {
      std::vector<Estimate> values;
      for (const Change& one : *changes) values.push_back(one.*part.value);
      write_intervals(writer, {std::string(name) + part.suffix, {points, subjects}, {"layer", "subject"}},
                      std::string(name) + part.meaning, values);
    }
}

Ablation read_ablation(const std::filesystem::path& path, int64_t component) {
  const store::Reader file(path, "ablation");
  Ablation out;
  out.component = component;
  out.layer = file.read<int64_t>("layer");
  out.subjects = file.strings("subject");
  const std::vector<int64_t> shape{std::ssize(out.layer), std::ssize(out.subjects)};
  for (const auto& [name, changes] : {std::pair{"contrast", &out.contrast}, std::pair{"auc", &out.auc}}) {
    changes->resize(out.layer.size() * out.subjects.size());
    for (const ChangePart& part : change_parts) {
      const auto values = read_intervals(file, std::string(name) + part.suffix, shape);
      for (size_t i = 0; i < values.size(); ++i) (*changes)[i].*part.value = values[i];
    }
  }
  return out;
}

}  // namespace incipit::emergence
