#include "emergence/curve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

#include "emergence/axes.hpp"
#include "emergence/drift_columns.hpp"
#include "emergence/estimate_parts.hpp"
#include "emergence/gather_points.hpp"
#include "error.hpp"
#include "index.hpp"

namespace incipit::emergence {
namespace {

constexpr double lowest = -std::numeric_limits<double>::infinity();
constexpr auto parts = static_cast<int64_t>(estimate_parts.size());

/// What is said about a site once, in the order of its cells.
struct SiteColumn {
  const char* name;
  const char* units;
  const char* long_name;
  enum { real, count, flag } kind;
};

constexpr std::array<SiteColumn, 4> fact_columns = {{
    {"distinct", "1", "bitwise distinct vectors among the judge probes", SiteColumn::count},
    {"norm", "1", "mean norm of the residuals", SiteColumn::real},
    {"perplexity", "1", "usage perplexity of the latents, on the first rung the site has", SiteColumn::real},
    {"silent", "1", "share of probes on which no latent fires, on the first rung the site has",
     SiteColumn::real},
}};

constexpr std::array<SiteColumn, 13> alignment_columns = {{
    {"alignment_rank", "1", "rank of the map to the anchor; 0 without one", SiteColumn::count},
    {"alignment_scale", "1", "scale of the map to the anchor", SiteColumn::real},
    {"alignment_projected", "1", "1 where the site has more dimensions than the anchor", SiteColumn::flag},
    {"alignment_residual", "1", "residual on the judge part, relative to the anchor's spread",
     SiteColumn::real},
    {"alignment_residual_floor", "1",
     "residual of the anchor on its own top principal components, as many as the site has dimensions",
     SiteColumn::real},
    {"alignment_residual_shuffled", "1", "5th percentile of the residual over shuffled correspondences",
     SiteColumn::real},
    {"alignment_outside", "1", "share of the site's variance outside the map's span", SiteColumn::real},
    {"alignment_retrieval", "1", "share of probes mapped nearest to their own vector at the anchor",
     SiteColumn::real},
    {"alignment_cka", "1", "linear CKA, unbiased HSIC", SiteColumn::real},
    {"alignment_cka_biased", "1", "linear CKA, biased HSIC", SiteColumn::real},
    {"alignment_cosine_correlation", "1", "correlation of pairwise cosines between site and anchor",
     SiteColumn::real},
    {"alignment_effective_rank", "1", "effective rank of the cross-covariance with the anchor",
     SiteColumn::real},
    {"alignment_reliable", "1", "1 where the map passes the signatures of failure", SiteColumn::flag},
}};
constexpr int64_t reliable_column = 12;

std::array<double, alignment_columns.size()> alignment_values(const align::Alignment& a) {
  const auto& j = a.judgement;
  return {static_cast<double>(a.rank),
          a.scale,
          a.projected ? 1.0 : 0.0,
          j.residual,
          j.residual_floor,
          j.residual_shuffled,
          j.outside,
          j.retrieval,
          j.cka,
          j.cka_biased,
          j.cosine_correlation,
          j.effective_rank,
          j.reliable ? 1.0 : 0.0};
}

template <class T>
std::vector<T> converted(const std::vector<double>& values) {
  std::vector<T> out;
  out.reserve(values.size());
  // A count that was never set is 0: there was nothing to count.
  for (const double v : values) out.push_back(std::isnan(v) ? T{0} : static_cast<T>(v));
  return out;
}

void write_site_column(store::Writer& writer, const std::string& group, const SiteColumn& column,
                       const std::vector<double>& values) {
  const std::vector<int64_t> shape = {static_cast<int64_t>(values.size())};
  const store::About about{column.units, column.long_name};
  const std::string path = group + "/" + column.name;
  if (column.kind == SiteColumn::real) writer.write(path, shape, values, about, {"point"});
  if (column.kind == SiteColumn::count)
    writer.write(path, shape, converted<int64_t>(values), about, {"point"});
  if (column.kind == SiteColumn::flag) writer.write(path, shape, converted<int8_t>(values), about, {"point"});
}

}  // namespace

Curve::Curve(std::string name, std::vector<Point> points, int32_t subjects, int64_t permutations,
             std::vector<double> tau, int64_t latents, bool concludes)
    : name_(std::move(name)),
      points_(std::move(points)),
      subjects_(subjects),
      permutations_(permutations),
      tau_(std::move(tau)),
      latents_(latents),
      concludes_(concludes && has_neighbours(name_)) {
  const int64_t per_rung = rungs * int64_t{subjects};
  facts_offset_ = (measures * per_rung + subjects) * parts + per_rung;
  alignment_offset_ = facts_offset_ + static_cast<int64_t>(fact_columns.size());
  drift_offset_ = alignment_offset_ + static_cast<int64_t>(alignment_columns.size());
  loss_offset_ = drift_offset_ + static_cast<int64_t>(drift_columns.size());
  tau_offset_ = loss_offset_ + 1;
  fire_offset_ = tau_offset_ + static_cast<int64_t>(tau_.size()) * subjects;
  length_ = fire_offset_ + rungs * latents_;
  cells_.assign(points_.size() * at(length_), nan);
  touched_.assign(points_.size(), 0);
  draws_.resize(points_.size());
  middles_.resize(at(subjects));
  for (size_t p = 0; p < points_.size(); ++p)
    for (int64_t s = 0; s < per_rung; ++s)
      cells_[p * at(length_) + at(facts_offset_ - per_rung + s)] = static_cast<double>(Status::no_site);
  for (size_t m = 0; m < maxima_.size(); ++m)
    maxima_[m].assign(at((m < measures ? per_rung : subjects) * permutations), lowest);
}

double* Curve::cell(int64_t point, int64_t offset) {
  touched_.at(at(point)) = 1;
  return cells_.data() + point * length_ + offset;
}

const double* Curve::cell(int64_t point, int64_t offset) const {
  return cells_.data() + point * length_ + offset;
}

int64_t Curve::estimate_offset(int measure, int rung, int32_t subject) const {
  return ((int64_t{measure} * rungs + rung) * subjects_ + subject) * parts;
}

int64_t Curve::probe_auc_offset(int32_t subject) const {
  return (int64_t{measures} * rungs * subjects_ + subject) * parts;
}

int64_t Curve::status_offset(int rung, int32_t subject) const {
  return facts_offset_ - rungs * int64_t{subjects_} + rung * int64_t{subjects_} + subject;
}

void Curve::keep(int64_t point, int64_t offset, const Estimate& estimate) {
  double* to = cell(point, offset);
  for (const EstimatePart& part : estimate_parts) *to++ = estimate.*part.value;
}

Estimate Curve::read(int64_t point, int64_t offset) const {
  const double* from = cell(point, offset);
  Estimate out;
  for (const EstimatePart& part : estimate_parts) out.*part.value = *from++;
  return out;
}

void Curve::raise(Maxima& maxima, int64_t slot, const Estimates& estimates) const {
  const int64_t begin = slot * subjects_ * permutations_;
  for (size_t i = 0; i < estimates.null.size(); ++i) {
    double& most = maxima[at(begin) + i];
    if (estimates.null[i] > most) most = estimates.null[i];  // false for NaN
  }
}

double Curve::level(const Maxima& maxima, int64_t slot) const {
  return quantile(std::span(maxima).subspan(at(slot * permutations_), at(permutations_)), 0.95);
}

void Curve::set(int64_t point, Rung rung, const SiteMeasures& found) {
  const int r = static_cast<int>(rung);
  for (int m = 0; m < measures; ++m) {
    const Estimates& estimates = found.measure[at(m)];
    for (int32_t c = 0; c < subjects_; ++c)
      keep(point, estimate_offset(m, r, c), estimates.subject.at(at(c)));
    raise(maxima_[at(m)], r, estimates);
  }
  for (int32_t c = 0; c < subjects_; ++c)
    *cell(point, status_offset(r, c)) = static_cast<double>(found.status.at(at(c)));
  if (rung == reading_rung(name_) && concludes_) keep_draws(point, found);
}

void Curve::keep_draws(int64_t point, const SiteMeasures& found) {
  bootstrap_ = static_cast<int64_t>(found.contrast_draws.size()) / subjects_;
  auto& kept = draws_.at(at(point));
  kept = found.contrast_draws;
  const auto& null = found[Measure::contrast].null;
  kept.insert(kept.end(), null.begin(), null.end());
}

void Curve::leave_out(int64_t point, Status reason) {
  for (int r = 0; r < rungs; ++r)
    for (int32_t c = 0; c < subjects_; ++c) *cell(point, status_offset(r, c)) = static_cast<double>(reason);
}

void Curve::set_facts(int64_t point, const SiteFacts& facts) {
  double* to = cell(point, facts_offset_);
  to[0] = static_cast<double>(facts.distinct);
  to[1] = facts.norm;
}

void Curve::set_usage(int64_t point, Rung rung, const Usage& usage) {
  if (static_cast<int64_t>(usage.fire_rate.size()) != latents_)
    throw Error(Exit::defect, "fire rates do not fit their curve");
  std::copy(usage.fire_rate.begin(), usage.fire_rate.end(),
            cell(point, fire_offset_ + static_cast<int64_t>(rung) * latents_));
  double* to = cell(point, facts_offset_);
  if (!std::isnan(to[3])) return;
  to[2] = usage.perplexity;
  to[3] = usage.silent;
}

void Curve::set_probe_auc(int64_t point, const Estimates& estimates) {
  for (int32_t c = 0; c < subjects_; ++c) keep(point, probe_auc_offset(c), estimates.subject.at(at(c)));
  raise(maxima_.back(), 0, estimates);
}

void Curve::set_alignment(int64_t point, const align::Alignment& alignment) {
  const auto values = alignment_values(alignment);
  std::copy(values.begin(), values.end(), cell(point, alignment_offset_));
}

void Curve::set_drift(int64_t point, const align::Drift& drift) {
  double* to = cell(point, drift_offset_);
  for (const DriftColumn& column : drift_columns) *to++ = drift.*column.value;
}

void Curve::set_loss(int64_t point, double loss) {
  *cell(point, loss_offset_) = loss;
}

void Curve::set_tau(int64_t point, std::span<const double> probe_activation) {
  if (probe_activation.size() != tau_.size() * at(subjects_))
    throw Error(Exit::defect, "a sweep over tau does not fit its curve");
  std::copy(probe_activation.begin(), probe_activation.end(), cell(point, tau_offset_));
}

std::vector<double> Curve::tau_sweep() const {
  std::vector<double> values;
  for (int64_t t = 0; t < static_cast<int64_t>(tau_.size()); ++t)
    for (int64_t p = 0; p < static_cast<int64_t>(points_.size()); ++p)
      for (int32_t c = 0; c < subjects_; ++c) values.push_back(*cell(p, tau_offset_ + t * subjects_ + c));
  return values;
}

std::vector<double> Curve::packed() const {
  std::vector<double> out = packed_points(touched_, cells_);
  out.push_back(static_cast<double>(bootstrap_));
  for (const Maxima& maxima : maxima_) out.insert(out.end(), maxima.begin(), maxima.end());
  for (const auto& draws : draws_) {
    out.push_back(static_cast<double>(draws.size()));
    out.insert(out.end(), draws.begin(), draws.end());
  }
  return out;
}

bool Curve::take(std::span<const double> packed) {
  auto touched = touched_;
  auto cells = cells_;
  const auto behind = take_points(packed, touched, cells);
  if (!behind) return false;
  auto rest = *behind;
  const auto next = [&](size_t count) {
    const auto values = rest.first(std::min(count, rest.size()));
    rest = rest.subspan(values.size());
    return values;
  };
  const auto number = [&] {
    const auto one = next(1);
    return one.empty() ? -1 : static_cast<int64_t>(one.front());
  };
  const int64_t bootstrap = number();
  auto maxima = maxima_;
  for (Maxima& all : maxima) {
    const auto theirs = next(all.size());
    if (theirs.size() != all.size()) return false;
    for (size_t i = 0; i < all.size(); ++i) all[i] = std::max(all[i], theirs[i]);
  }
  auto draws = draws_;
  for (size_t p = 0; p < draws.size(); ++p) {
    const int64_t count = number();
    const bool fits = count == 0 || count == subjects_ * (bootstrap + permutations_);
    if (!fits || std::ssize(rest) < count) return false;
    const auto theirs = next(at(count));
    if (touched_[p] == 0) draws[p].assign(theirs.begin(), theirs.end());
  }
  if (!rest.empty()) return false;
  bootstrap_ = std::max(bootstrap_, bootstrap);
  std::tie(touched_, cells_, maxima_, draws_) = std::tie(touched, cells, maxima, draws);
  return true;
}

void Curve::gather(const parallel::Communicator& comm) {
  gather_points(comm, "curve " + name_, touched_, cells_);
  gather_draws(comm);
  for (Maxima& maxima : maxima_) {
    const auto of_ranks = comm.all_gather(maxima);
    for (size_t i = 0; i < of_ranks.size(); ++i)
      maxima[i % maxima.size()] = std::max(maxima[i % maxima.size()], of_ranks[i]);
  }
}

void Curve::gather_draws(const parallel::Communicator& comm) {
  std::vector<int64_t> held;
  std::vector<double> sent;
  for (int64_t p = 0; p < std::ssize(points_); ++p) {
    if (draws_[at(p)].empty()) continue;
    held.push_back(p);
    sent.insert(sent.end(), draws_[at(p)].begin(), draws_[at(p)].end());
  }
  const auto which = comm.all_gather(held);
  const auto all = comm.all_gather(sent);
  bootstrap_ = comm.max(bootstrap_);
  const int64_t length = subjects_ * (bootstrap_ + permutations_);
  for (size_t i = 0; i < which.size(); ++i) {
    const auto from = all.begin() + static_cast<int64_t>(i) * length;
    draws_[at(which[i])].assign(from, from + length);
  }
}

std::span<const double> Curve::draws(int64_t point, int64_t begin, int64_t count) const {
  const auto& kept = draws_.at(at(point));
  return kept.empty() ? std::span<const double>() : std::span(kept).subspan(at(begin), at(count));
}

void Curve::set_middles(int32_t subject, std::vector<double> middles) {
  middles_.at(at(subject)) = std::move(middles);
}

void Curve::gather_middles(const parallel::Communicator& comm) {
  std::vector<int64_t> lengths;
  std::vector<double> sent;
  for (const auto& middles : middles_) {
    lengths.push_back(std::ssize(middles));
    sent.insert(sent.end(), middles.begin(), middles.end());
  }
  const auto of_ranks = comm.all_gather(lengths);
  const auto all = comm.all_gather(sent);
  auto from = all.begin();
  for (size_t i = 0; i < of_ranks.size(); ++i) {
    if (of_ranks[i] == 0) continue;
    middles_[i % middles_.size()].assign(from, from + of_ranks[i]);
    from += of_ranks[i];
  }
}

std::span<const double> Curve::contrast_draws(int64_t point, int32_t subject) const {
  return draws(point, subject * bootstrap_, bootstrap_);
}

std::span<const double> Curve::contrast_null(int64_t point, int32_t subject) const {
  return draws(point, subjects_ * bootstrap_ + subject * permutations_, permutations_);
}

Estimate Curve::estimate(Measure measure, Rung rung, int64_t point, int32_t subject) const {
  return read(point, estimate_offset(static_cast<int>(measure), static_cast<int>(rung), subject));
}

Estimate Curve::probe_auc(int64_t point, int32_t subject) const {
  return read(point, probe_auc_offset(subject));
}

Status Curve::status(Rung rung, int64_t point, int32_t subject) const {
  const auto found = static_cast<Status>(*cell(point, status_offset(static_cast<int>(rung), subject)));
  // NaN (no alignment known) is not 0.
  const bool unreliable = rung == Rung::aligned && *cell(point, alignment_offset_ + reliable_column) == 0.0;
  return unreliable && (found == Status::ok || found == Status::silent) ? Status::unreliable : found;
}

double Curve::null_max(Measure measure, Rung rung, int32_t subject) const {
  return level(maxima_[static_cast<size_t>(measure)], static_cast<int64_t>(rung) * subjects_ + subject);
}

double Curve::probe_auc_null_max(int32_t subject) const {
  return level(maxima_.back(), subject);
}

double Curve::fire_rate(Rung rung, int64_t point, int64_t latent) const {
  return *cell(point, fire_offset_ + static_cast<int64_t>(rung) * latents_ + latent);
}

std::vector<double> Curve::column(int64_t offset) const {
  std::vector<double> out;
  for (int64_t p = 0; p < static_cast<int64_t>(points_.size()); ++p) out.push_back(*cell(p, offset));
  return out;
}

void Curve::write_points(store::Writer& writer, const std::string& group) const {
  const auto count = static_cast<int64_t>(points_.size());
  std::vector<std::string> model;
  std::vector<int64_t> params, params_non_embedding, step, layer;
  std::vector<double> depth;
  for (const Point& point : points_) {
    model.push_back(point.model);
    params.push_back(point.params);
    params_non_embedding.push_back(point.params_non_embedding);
    step.push_back(point.step);
    layer.push_back(point.layer);
    depth.push_back(point.depth);
  }
  write_point_axis(writer, group, count);
  writer.strings(group + "/model", {count}, model, {"1", "model"}, {"point"});
  writer.write(group + "/params", {count}, params, {"1", "parameters of the model"}, {"point"});
  writer.write(group + "/params_non_embedding", {count}, params_non_embedding,
               {"1", "parameters of the model without its embeddings"}, {"point"});
  writer.write(group + "/step", {count}, step, {"step", "training step"}, {"point"});
  writer.write(group + "/layer", {count}, layer, {"1", "layer; 0 is the embedding output"}, {"point"});
  writer.write(group + "/depth", {count}, depth, {"1", "layer by number of blocks"}, {"point"});
}

void Curve::write_estimates(store::Writer& writer, const std::string& group) const {
  const auto count = static_cast<int64_t>(points_.size());
  for (int m = 0; m < measures; ++m) {
    const std::string name = group + "/" + std::string(measure_names[at(m)]);
    const std::string meaning = measure_meanings[at(m)];
    for (const EstimatePart& part : estimate_parts) {
      std::vector<double> values;
      for (int r = 0; r < rungs; ++r)
        for (int64_t p = 0; p < count; ++p)
          for (int32_t c = 0; c < subjects_; ++c)
            values.push_back(read(p, estimate_offset(m, r, c)).*part.value);
      writer.write(name + part.suffix, {rungs, count, subjects_}, values, {"1", meaning + part.meaning},
                   {"rung", "point", "subject"});
    }
    std::vector<double> most;
    for (int r = 0; r < rungs; ++r)
      for (int32_t c = 0; c < subjects_; ++c)
        most.push_back(null_max(static_cast<Measure>(m), static_cast<Rung>(r), c));
    writer.write(name + "_null_max", {rungs, subjects_}, most, {"1", meaning + null_max_meaning},
                 {"rung", "subject"});
  }
  const std::string meaning = probe_auc_meaning;
  for (const EstimatePart& part : estimate_parts) {
    std::vector<double> values;
    for (int64_t p = 0; p < count; ++p)
      for (int32_t c = 0; c < subjects_; ++c) values.push_back(probe_auc(p, c).*part.value);
    writer.write(group + "/probe_auc" + part.suffix, {count, subjects_}, values,
                 {"1", meaning + part.meaning}, {"point", "subject"});
  }
  std::vector<double> most;
  most.reserve(at(subjects_));
  for (int32_t c = 0; c < subjects_; ++c) most.push_back(probe_auc_null_max(c));
  writer.write(group + "/probe_auc_null_max", {subjects_}, most, {"1", meaning + null_max_meaning},
               {"subject"});
}

void Curve::write_site(store::Writer& writer, const std::string& group) const {
  const auto count = static_cast<int64_t>(points_.size());
  std::vector<int8_t> states;
  for (int r = 0; r < rungs; ++r)
    for (int64_t p = 0; p < count; ++p)
      for (int32_t c = 0; c < subjects_; ++c)
        states.push_back(static_cast<int8_t>(status(static_cast<Rung>(r), p, c)));
  writer.write(group + "/status", {rungs, count, subjects_}, states, {"1", status_meaning},
               {"rung", "point", "subject"});
  for (size_t i = 0; i < fact_columns.size(); ++i)
    write_site_column(writer, group, fact_columns[i], column(facts_offset_ + static_cast<int64_t>(i)));
  for (size_t i = 0; i < alignment_columns.size(); ++i)
    write_site_column(writer, group, alignment_columns[i],
                      column(alignment_offset_ + static_cast<int64_t>(i)));
}

void Curve::write_drift(store::Writer& writer, const std::string& group) const {
  const auto count = static_cast<int64_t>(points_.size());
  write_point_axis(writer, group, count);
  for (size_t i = 0; i < drift_columns.size(); ++i)
    writer.write(group + "/" + drift_columns[i].name, {count},
                 column(drift_offset_ + static_cast<int64_t>(i)), {"1", drift_columns[i].meaning}, {"point"});
  if (!has_losses()) return;
  std::vector<double> change = column(loss_offset_);
  std::adjacent_difference(change.begin(), change.end(), change.begin());
  change.front() = nan;
  writer.write(group + "/loss", {count}, change, {"nat", loss_drift_meaning}, {"point"});
}

bool Curve::has_losses() const {
  return !std::ranges::all_of(column(loss_offset_), [](double loss) { return std::isnan(loss); });
}

void Curve::write_loss(store::Writer& writer, const std::string& group) const {
  if (has_losses())
    writer.write(group + "/loss", {static_cast<int64_t>(points_.size())}, column(loss_offset_),
                 {"nat", loss_meaning}, {"point"});
}

void Curve::write_fire_rate(store::Writer& writer, const std::string& group) const {
  if (latents_ == 0) return;
  const auto count = static_cast<int64_t>(points_.size());
  std::vector<int64_t> latent;
  for (int64_t j = 0; j < latents_; ++j) latent.push_back(j);
  std::vector<float> rates;
  for (int r = 0; r < rungs; ++r)
    for (int64_t p = 0; p < count; ++p)
      for (const int64_t j : latent) rates.push_back(static_cast<float>(fire_rate(Rung{r}, p, j)));
  writer.write(group + "/latent", {latents_}, latent, {"1", "latent of the anchor's SAE"}, {"latent"});
  writer.write(group + "/fire_rate", {rungs, count, latents_}, rates,
               {"1", "share of the judge probes on which the latent fires"}, {"rung", "point", "latent"});
}

void Curve::write(store::Writer& writer, const std::string& group,
                  const std::vector<std::string>& subjects) const {
  write_rung_axis(writer, group, "the anchor's SAE");
  write_subject_axis(writer, group, subjects);
  write_points(writer, group);
  write_estimates(writer, group);
  write_site(writer, group);
  write_loss(writer, group);
  write_fire_rate(writer, group);
}

void Curve::write_tau(store::Writer& writer, const std::string& group,
                      const std::vector<std::string>& subjects) const {
  const auto thresholds = static_cast<int64_t>(tau_.size()), count = static_cast<int64_t>(points_.size());
  writer.write(group + "/tau", {thresholds}, tau_, {"1", "matching threshold"}, {"tau"});
  write_point_axis(writer, group, count);
  write_subject_axis(writer, group, subjects);
  writer.write(group + "/probe_activation", {thresholds, count, subjects_}, tau_sweep(),
               {"1", std::string(measure_meanings[0]) + ", on the first rung the site has"},
               {"tau", "point", "subject"});
}

}  // namespace incipit::emergence
