#include "emergence/attribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "align/linear_algebra.hpp"
#include "emergence/axes.hpp"
#include "emergence/intervals.hpp"
#include "error.hpp"
#include "index.hpp"
#include "parallel/agree.hpp"
#include "sae/encode.hpp"

namespace incipit::emergence {
namespace {

/// Σ|terms| times this is what a sum of terms may differ from the forward pass by.
constexpr double sum_tolerance = 1e-4;

/// Probes whose latents are looked at together.
constexpr int64_t attribution_block = 1024;

/// Means over each subject's probes, with intervals from whole groups as the resamples drew them.
class SubjectMeans {
 public:
  SubjectMeans(const JudgeSet& judge, const Resampling& resampling) : resampling_(resampling) {
    const auto weight = resampling.weight.download();
    const int64_t draws = resampling.bootstrap;
    for (int32_t c = 0; c < judge.subjects; ++c) {
      OfSubject one;
      std::vector<int64_t> place(at(judge.groups()), -1);
      std::vector<double> weights;
      for (int64_t i = 0; i < judge.n(); ++i) {
        if (judge.subject[at(i)] != c) continue;
        const int32_t g = judge.group[at(i)];
        if (place[at(g)] < 0) {
          place[at(g)] = one.groups++;
          for (int64_t b = 0; b < draws; ++b) weights.push_back(weight[at(g * draws + b)]);
        }
        one.probe.push_back(i);
        one.group.push_back(place[at(g)]);
      }
      one.weight = {*resampling.device, std::span<const double>(weights)};
      subjects_.push_back(std::move(one));
    }
  }

  /// terms: [rows, n] → [rows, C]; NaN where a term of the subject's is.
  [[nodiscard]] std::vector<Estimate> operator()(const std::vector<double>& terms, int64_t rows) const {
    std::vector<Estimate> out(at(rows) * subjects_.size());
    for (size_t c = 0; c < subjects_.size(); ++c) {
      const auto draws = resampled(subjects_[c], c, terms, rows);
      const int64_t n = static_cast<int64_t>(terms.size()) / std::max<int64_t>(rows, 1);
      for (int64_t r = 0; r < rows; ++r) {
        double sum = 0;
        for (const int64_t i : subjects_[c].probe) sum += terms[at(r * n + i)];
        out[at(r) * subjects_.size() + c] =
            estimate(sum / static_cast<double>(subjects_[c].probe.size()),
                     std::span(draws).subspan(at(r * resampling_.bootstrap), at(resampling_.bootstrap)), {});
      }
    }
    return out;
  }

 private:
  struct OfSubject {
    int64_t groups = 0;
    std::vector<int64_t> probe, group;  ///< group: by its place among the subject's
    device::Buffer<double> weight;      ///< [groups, B]
  };

  /// [rows, B]
  [[nodiscard]] std::vector<double> resampled(const OfSubject& of, size_t subject,
                                              const std::vector<double>& terms, int64_t rows) const {
    const int64_t draws = resampling_.bootstrap;
    if (draws == 0 || rows == 0 || of.groups == 0) return std::vector<double>(at(rows * draws), nan);
    const int64_t n = static_cast<int64_t>(terms.size()) / rows;
    std::vector<double> sums(at(rows * of.groups));
    for (int64_t r = 0; r < rows; ++r)
      for (size_t i = 0; i < of.probe.size(); ++i)
        sums[at(r * of.groups + of.group[i])] += terms[at(r * n + of.probe[i])];
    device::Device& device = *resampling_.device;
    const device::Buffer<double> by_group(device, std::span<const double>(sums));
    device::Buffer<double> drawn(device, at(rows * draws));
    device.matmul(device::MatrixProduct<double>{.m = rows,
                                                .n = draws,
                                                .k = of.groups,
                                                .a = by_group.data(),
                                                .lda = of.groups,
                                                .b = of.weight.data(),
                                                .ldb = draws,
                                                .c = drawn.data(),
                                                .ldc = draws});
    auto out = drawn.download();
    const int32_t* size = resampling_.sizes.data() + static_cast<int64_t>(subject) * draws;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t b = 0; b < draws; ++b) out[at(r * draws + b)] /= size[b];
    return out;
  }

  const Resampling& resampling_;
  std::vector<OfSubject> subjects_;
};

/// Who leads among a probe's matched latents, and whom it must beat to be kept; −1: there is none.
struct Contest {
  int32_t leader = -1, rival = -1;
};

/// What the forward pass reads at a point.
struct Reading {
  std::vector<double> z, gap;  ///< [n]; NaN where there is none
  std::vector<double> centre;  ///< [C] mean of the subject's z over all judged probes
};

/// Σ of a probe's terms at a point, and Σ of their sizes.
struct TermSums {
  double z = 0, z_size = 0, gap = 0, gap_size = 0;
};

class Attributor {
 public:
  Attributor(const parallel::Communicator& comm, const AttributionInput& input, const JudgeSet& judge,
             const Resampling& resampling)
      : comm_(comm),
        input_(input),
        sae_(*input.sae),
        judge_(judge),
        device_(*resampling.device),
        means_(judge, resampling),
        n_(judge.n()),
        points_(std::ssize(input.layer)),
        components_(components_at(input.layer.back())),
        contest_(at(points_ * n_)),
        sums_(at(points_ * n_)),
        centre_(at(components_ * sae_.d)) {
    for (const auto& set : input.matched) {
      std::vector<char> flags(at(sae_.h), 0);
      for (const int32_t j : set) flags[at(j)] = 1;
      is_matched_.push_back(std::move(flags));
    }
  }

  Attribution run() {
    std::vector<Estimate> at_points, of_components;
    parallel::together(comm_, "attribution: what latents read", [&] {
      for (int64_t p = comm_.rank(); p < points_; p += comm_.size()) append(at_points, read_point(p));
    });
    share(contest_, points_, n_);
    parallel::together(comm_, "attribution: what components wrote", [&] {
      const device::Buffer<float> encoder(device_, std::span<const float>(sae_.encoder));
      for (int64_t k = comm_.rank(); k < components_; k += comm_.size())
        append(of_components, read_component(k, encoder));
    });
    share(centre_, components_, sae_.d);
    check_sums();
    return assemble(gathered(at_points), gathered(of_components));
  }

 private:
  static void append(std::vector<Estimate>& to, const std::vector<Estimate>& more) {
    to.insert(to.end(), more.begin(), more.end());
  }

  /// Rows i of `values`, [rows, width], are right on rank i mod ranks; then on all.
  template <class T>
  void share(std::vector<T>& values, int64_t rows, int64_t width) const {
    std::vector<T> mine;
    for (int64_t i = comm_.rank(); i < rows; i += comm_.size())
      mine.insert(mine.end(), values.begin() + i * width, values.begin() + (i + 1) * width);
    const auto all = comm_.all_gather(mine);
    auto from = all.begin();
    for (int rank = 0; rank < comm_.size(); ++rank)
      for (int64_t i = rank; i < rows; i += comm_.size(), from += width)
        std::copy_n(from, width, values.begin() + i * width);
  }

  [[nodiscard]] std::vector<Estimate> gathered(const std::vector<Estimate>& mine) const {
    return comm_.all_gather(mine);
  }

  [[nodiscard]] const std::vector<int32_t>& matched_of(int64_t probe) const {
    return input_.matched[at(judge_.subject[at(probe)])];
  }

  [[nodiscard]] static double mean_over(const std::vector<int32_t>& latents, const float* z) {
    double sum = 0;
    for (const int32_t j : latents) sum += static_cast<double>(z[j]);
    return sum / static_cast<double>(latents.size());
  }

  /// z: [h] of the probe.
  [[nodiscard]] Contest contest(int64_t probe, const float* z) const {
    Contest out;
    const auto stronger = [z](int32_t a, int32_t b) { return z[a] != z[b] ? z[a] > z[b] : a < b; };
    const auto& matched = matched_of(probe);
    if (matched.empty()) return out;
    out.leader = *std::min_element(matched.begin(), matched.end(), stronger);
    const auto& flags = is_matched_[at(judge_.subject[at(probe)])];
    std::vector<int32_t> others;
    for (int32_t j = 0; j < sae_.h; ++j)
      if (flags[at(j)] == 0) others.push_back(j);
    if (others.empty()) return out;
    const auto kth = others.begin() + std::min<int64_t>(sae_.k, std::ssize(others)) - 1;
    std::nth_element(others.begin(), kth, others.end(), stronger);
    out.rival = *kth;
    return out;
  }

  /// activation and gap at a point: [2, C].
  std::vector<Estimate> read_point(int64_t point) {
    auto u = input_.residual(input_.layer[at(point)]);
    sae::normalise(u, sae_.mean, sae_.scale, u);
    Reading& found = readings_.emplace_back();
    found.z.assign(at(n_), nan);
    found.gap.assign(at(n_), nan);
    std::vector<double> of_all(at(n_) * input_.matched.size());  // [n, C] each probe's z of every subject
    (void)sae::encode_on_device(
        device_, sae_, u, n_, [&](int64_t begin, int64_t rows, const float* on_device) {
          std::vector<float> z(at(rows * sae_.h));
          device_.download(z.data(), on_device, z.size() * sizeof(float));
#pragma omp parallel for schedule(static)
          for (int64_t i = 0; i < rows; ++i) {
            const float* row = z.data() + i * sae_.h;
            const int64_t probe = begin + i;
            for (size_t c = 0; c < input_.matched.size(); ++c)
              of_all[at(probe) * input_.matched.size() + c] = mean_over(input_.matched[c], row);
            const Contest one = contest(probe, row);
            contest_[at(point * n_ + probe)] = one;
            if (one.leader >= 0) found.z[at(probe)] = mean_over(matched_of(probe), row);
            if (one.rival >= 0)
              found.gap[at(probe)] =
                  static_cast<double>(row[one.leader]) - static_cast<double>(row[one.rival]);
          }
        });
    found.centre.assign(input_.matched.size(), 0);
    for (size_t i = 0; i < of_all.size(); ++i)
      found.centre[i % found.centre.size()] += of_all[i] / static_cast<double>(n_);
    std::vector<double> terms;
    for (int64_t i = 0; i < n_; ++i)
      terms.push_back(found.z[at(i)] - found.centre[at(judge_.subject[at(i)])]);
    terms.insert(terms.end(), found.gap.begin(), found.gap.end());
    return means_(terms, 2);
  }

  /// The first point whose residual holds the component.
  [[nodiscard]] int64_t first_point(int64_t component) const {
    return std::ranges::lower_bound(input_.layer, component_layer(component)) - input_.layer.begin();
  }

  /// Its contribution, and its margin at every point that holds it: [1 + points, C].
  std::vector<Estimate> read_component(int64_t component, const device::Buffer<float>& encoder) {
    const auto rows = input_.component(component);
    const auto mean = align::column_means({rows, n_, sae_.d});
    float* centre = centre_.data() + component * sae_.d;
    std::copy(mean.begin(), mean.end(), centre);
    const int64_t first = first_point(component), held = points_ - first;
    std::vector<double> terms(at((1 + held) * n_), nan);
    const device::Buffer<float> mean_row(device_, std::span<const float>(centre, at(sae_.d)));
    const int64_t room = std::min(n_, attribution_block);
    device::Buffer<float> given(device_, at(room * sae_.d)), centred(device_, at(room * sae_.d)),
        product(device_, at(room * sae_.h));
    std::vector<float> z(at(room * sae_.h));
    for (int64_t begin = 0; begin < n_; begin += room) {
      const int64_t count = std::min(room, n_ - begin);
      given.upload(std::span(rows).subspan(at(begin * sae_.d), at(count * sae_.d)));
      device_.gather_centred(device::GatherCentred<float>{
          .n = count, .d = sae_.d, .rows = given.data(), .centre = mean_row.data(), .out = centred.data()});
      device_.matmul(device::Matmul{.transpose_b = true,
                                    .m = count,
                                    .n = sae_.h,
                                    .k = sae_.d,
                                    .a = centred.data(),
                                    .lda = sae_.d,
                                    .b = encoder.data(),
                                    .ldb = sae_.d,
                                    .c = product.data(),
                                    .ldc = sae_.h});
      product.download(std::span(z).first(at(count * sae_.h)));
#pragma omp parallel for schedule(static)
      for (int64_t i = 0; i < count; ++i) take_terms(begin + i, z.data() + i * sae_.h, first, held, terms);
    }
    return means_(terms, 1 + held);
  }

  /// The terms of one probe, from what a component adds to all pre-activations before scaling.
  void take_terms(int64_t probe, const float* z, int64_t first, int64_t held, std::vector<double>& terms) {
    const auto& matched = matched_of(probe);
    if (matched.empty()) return;
    const double scale = static_cast<double>(sae_.scale);
    const double term = mean_over(matched, z) / scale;
    terms[at(probe)] = term;
    for (int64_t p = 0; p < held; ++p) {
      TermSums& sums = sums_[at((first + p) * n_ + probe)];
      sums.z += term;
      sums.z_size += std::abs(term);
      const Contest& one = contest_[at((first + p) * n_ + probe)];
      if (one.rival < 0) continue;
      const double margin = (static_cast<double>(z[one.leader]) - static_cast<double>(z[one.rival])) / scale;
      terms[at((1 + p) * n_ + probe)] = margin;
      sums.gap += margin;
      sums.gap_size += std::abs(margin);
    }
  }

  /// Over the components of all ranks: [points of this rank, n].
  [[nodiscard]] std::vector<TermSums> sums_at_own_points() const {
    std::vector<TermSums> send;
    std::vector<int64_t> counts;
    for (int rank = 0; rank < comm_.size(); ++rank) {
      const size_t before = send.size();
      for (int64_t p = rank; p < points_; p += comm_.size())
        send.insert(send.end(), sums_.begin() + p * n_, sums_.begin() + (p + 1) * n_);
      counts.push_back(static_cast<int64_t>(send.size() - before));
    }
    const auto received = comm_.all_to_all(std::span<const TermSums>(send), std::span<const int64_t>(counts));
    const auto own = at(counts[at(comm_.rank())]);
    std::vector<TermSums> total(own);
    for (size_t i = 0; i < received.size(); ++i) {
      TermSums& to = total[i % own];
      to.z += received[i].z;
      to.z_size += received[i].z_size;
      to.gap += received[i].gap;
      to.gap_size += received[i].gap_size;
    }
    return total;
  }

  /// z_j where every component of the layer adds its mean: [h].
  [[nodiscard]] std::vector<double> constants(int64_t layer) const {
    std::vector<double> centre(at(sae_.d));
    for (int64_t k = 0; k < components_at(layer); ++k)
      for (int64_t c = 0; c < sae_.d; ++c) centre[at(c)] += static_cast<double>(centre_[at(k * sae_.d + c)]);
    for (size_t c = 0; c < centre.size(); ++c)
      centre[c] = (centre[c] - static_cast<double>(sae_.mean[c])) / static_cast<double>(sae_.scale) -
                  static_cast<double>(sae_.pre_bias[c]);
    std::vector<double> out(at(sae_.h));
#pragma omp parallel for schedule(static)
    for (int64_t j = 0; j < sae_.h; ++j) {
      double sum = sae_.encoder_bias[at(j)];
      for (int64_t c = 0; c < sae_.d; ++c)
        sum += static_cast<double>(sae_.encoder[at(j * sae_.d + c)]) * centre[at(c)];
      out[at(j)] = sum;
    }
    return out;
  }

  /// Refuses the first point whose sums are off, whichever rank it is on. Collective.
  void check_sums() const {
    const auto sums = sums_at_own_points();
    std::string fault;
    int64_t first = points_;
    parallel::together(comm_, "attribution: sums", [&] {
      for (int64_t p = comm_.rank(), own = 0; p < points_ && fault.empty(); p += comm_.size(), ++own) {
        fault = fault_at(p, sums.data() + own * n_);
        if (!fault.empty()) first = p;
      }
    });
    const int64_t first_of_all = comm_.min(first);
    parallel::together(comm_, "attribution", [&] {
      if (first == first_of_all && !fault.empty()) throw Error(Exit::numbers, fault);
    });
  }

  /// What is wrong with the first sum at a point that is; empty where all are right.
  [[nodiscard]] std::string fault_at(int64_t point, const TermSums* sums) const {
    const int64_t layer = input_.layer[at(point)];
    const Reading& found = readings_[at(point / comm_.size())];
    const auto constant = constants(layer);
    for (int64_t i = 0; i < n_; ++i) {
      const Contest& one = contest_[at(point * n_ + i)];
      if (one.leader < 0) continue;
      double still = 0;
      for (const int32_t j : matched_of(i)) still += constant[at(j)];
      still /= static_cast<double>(matched_of(i).size());
      const Sum z{still, sums[i].z, sums[i].z_size, found.z[at(i)]};
      if (!z.right()) return fault_of(z, "the mean pre-activation of its latents", layer, i);
      if (one.rival < 0) continue;
      const Sum gap{constant[at(one.leader)] - constant[at(one.rival)], sums[i].gap, sums[i].gap_size,
                    found.gap[at(i)]};
      if (!gap.right()) return fault_of(gap, "the margin of its latents", layer, i);
    }
    return {};
  }

  /// A constant and the sum of terms, which should be what was found.
  struct Sum {
    double constant, terms, size, expected;
    [[nodiscard]] double allowed() const { return sum_tolerance * (std::abs(constant) + size); }
    [[nodiscard]] bool right() const { return std::abs(constant + terms - expected) <= allowed(); }
  };

  [[nodiscard]] std::string fault_of(const Sum& sum, const char* what, int64_t layer, int64_t probe) const {
    return fmt::format(
        "{} layer {}, subject {}, judged probe {}: the embedding and what attention and MLP of {} blocks "
        "wrote sum "
        "up to {:.9g}, but the forward pass has {:.9g} for {}; they may differ by {:.1g}. attention_out and "
        "mlp_out in "
        "the activation file are not those of its residual: remove the file and run `incipit extract` again",
        input_.where, layer, input_.subjects[at(judge_.subject[at(probe)])], probe, layer,
        sum.constant + sum.terms, sum.expected, what, sum.allowed());
  }

  [[nodiscard]] Attribution assemble(const std::vector<Estimate>& at_points,
                                     const std::vector<Estimate>& of_components) const {
    Attribution out;
    out.layer = input_.layer;
    out.subjects = input_.subjects;
    const int64_t subjects = std::ssize(input_.subjects);
    out.contribution.resize(at(points_ * components_ * subjects));
    out.margin = out.contribution;
    out.activation.resize(at(points_ * subjects));
    out.gap = out.activation;
    auto from = at_points.begin();
    for (int rank = 0; rank < comm_.size(); ++rank)
      for (int64_t p = rank; p < points_; p += comm_.size()) {
        from = take(from, subjects, out.activation.begin() + p * subjects);
        from = take(from, subjects, out.gap.begin() + p * subjects);
      }
    from = of_components.begin();
    for (int rank = 0; rank < comm_.size(); ++rank)
      for (int64_t k = rank; k < components_; k += comm_.size()) {
        const auto contribution = from;
        from += subjects;
        for (int64_t p = first_point(k); p < points_; ++p) {
          const auto place = static_cast<std::ptrdiff_t>(out.at(p, k, 0));
          take(contribution, subjects, out.contribution.begin() + place);
          from = take(from, subjects, out.margin.begin() + place);
        }
      }
    return out;
  }

  using From = std::vector<Estimate>::const_iterator;
  static From take(From from, int64_t count, std::vector<Estimate>::iterator to) {
    std::copy_n(from, count, to);
    return from + count;
  }

  const parallel::Communicator& comm_;
  const AttributionInput& input_;
  const sae::Sae& sae_;
  const JudgeSet& judge_;
  device::Device& device_;
  SubjectMeans means_;
  int64_t n_, points_, components_;
  std::vector<std::vector<char>> is_matched_;  ///< [subject][h]
  std::vector<Contest> contest_;               ///< [point, n]
  std::vector<Reading> readings_;              ///< of this rank's points
  std::vector<TermSums> sums_;                 ///< [point, n] of this rank's components
  std::vector<float> centre_;                  ///< [component, d] mean of what each adds
};

void check_input(const AttributionInput& input, const JudgeSet& judge, const Resampling& resampling) {
  if (input.layer.empty() || !std::ranges::is_sorted(input.layer) ||
      std::ssize(input.matched) != judge.subjects || input.matched.size() != input.subjects.size() ||
      resampling.n() != judge.n())
    throw Error(Exit::defect, "attribution: layers, matches or resamples do not fit the judged probes");
}

bool wrote(const Estimate& contribution, bool against) {
  const double sign = against ? -1 : 1;
  const double near = against ? contribution.high : contribution.low;
  return sign * (std::isnan(near) ? contribution.value : near) > 0;
}

}  // namespace

std::string component_name(int64_t component) {
  if (component == 0) return "embedding";
  return fmt::format("{} {}", is_attention(component) ? "attention" : "mlp", component_layer(component));
}

Attribution attribute(const parallel::Communicator& comm, const AttributionInput& input,
                      const JudgeSet& judge, const Resampling& resampling) {
  check_input(input, judge, resampling);
  return Attributor(comm, input, judge, resampling).run();
}

std::vector<int64_t> writers_between(const Attribution& attribution, int64_t from, int64_t to,
                                     int64_t subject, bool against) {
  std::vector<int64_t> found;
  const auto value = [&](int64_t k) {
    return attribution.contribution[attribution.at(to, k, subject)].value;
  };
  const int64_t begin = from < 0 ? 0 : components_at(attribution.layer[at(from)]);
  for (int64_t k = begin; k < components_at(attribution.layer[at(to)]); ++k)
    if (wrote(attribution.contribution[attribution.at(to, k, subject)], against)) found.push_back(k);
  std::stable_sort(found.begin(), found.end(),
                   [&](int64_t a, int64_t b) { return against ? value(a) < value(b) : value(a) > value(b); });
  return found;
}

std::vector<Fall> deepest_falls(const Attribution& attribution) {
  std::vector<Fall> falls;
  for (int64_t c = 0; c < std::ssize(attribution.subjects); ++c) {
    Fall deepest;
    deepest.subject = c;
    for (int64_t p = 1; p < std::ssize(attribution.layer); ++p) {
      const double by = attribution.activation[attribution.at(p, c)].value -
                        attribution.activation[attribution.at(p - 1, c)].value;
      if (!(by < deepest.by)) continue;
      deepest.from = p - 1;
      deepest.to = p;
      deepest.by = by;
    }
    if (!(deepest.by < 0)) continue;
    deepest.erasers = writers_between(attribution, deepest.from, deepest.to, c, true);
    falls.push_back(std::move(deepest));
  }
  return falls;
}

void write_attribution(store::Writer& writer, const std::string& group, const Attribution& attribution) {
  const std::string below = group.empty() ? "" : group + "/";
  const int64_t points = std::ssize(attribution.layer), subjects = std::ssize(attribution.subjects),
                components = attribution.components();
  std::vector<std::string> names;
  for (int64_t k = 0; k < components; ++k) names.push_back(component_name(k));
  writer.strings(below + "component", {components}, names, {"1", "embedding, attention or MLP of a block"},
                 {"component"});
  write_subject_axis(writer, group, attribution.subjects);
  write_point_axis(writer, group, points);
  writer.write(below + "layer", {points}, attribution.layer, {"1", "layer; 0 is the embedding output"},
               {"point"});
  const std::vector<int64_t> all{points, components, subjects}, totals{points, subjects};
  const std::vector<std::string> axes{"point", "component", "subject"}, total_axes{"point", "subject"};
  write_intervals(writer, {below + "contribution", all, axes}, contribution_meaning,
                  attribution.contribution);
  write_intervals(writer, {below + "margin", all, axes}, margin_meaning, attribution.margin);
  write_intervals(writer, {below + "activation", totals, total_axes}, activation_meaning,
                  attribution.activation);
  write_intervals(writer, {below + "gap", totals, total_axes}, gap_meaning, attribution.gap);
}

Attribution read_attribution(const std::filesystem::path& path) {
  const store::Reader file(path, "attribution");
  Attribution out;
  out.layer = file.read<int64_t>("layer");
  out.subjects = file.strings("subject");
  if (out.layer.empty()) throw Error(Exit::data, path.string() + ": holds no layers");
  const int64_t points = std::ssize(out.layer), subjects = std::ssize(out.subjects);
  const std::vector<int64_t> all{points, out.components(), subjects}, totals{points, subjects};
  out.contribution = read_intervals(file, "contribution", all);
  out.margin = read_intervals(file, "margin", all);
  out.activation = read_intervals(file, "activation", totals);
  out.gap = read_intervals(file, "gap", totals);
  return out;
}

}  // namespace incipit::emergence
