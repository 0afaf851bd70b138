#pragma once

#include <algorithm>

#include "sae_checks.hpp"

/// Made-up codes, probes and draws for the tests of the statistics.
namespace incipit::device {

/// Numbers in {0 … below−1}; a function of the stream.
inline std::vector<std::int32_t> integers(std::int64_t count, std::int64_t below, std::uint64_t stream) {
  Random random(2, Purpose::test, stream);
  std::vector<std::int32_t> values(static_cast<std::size_t>(count));
  for (std::int32_t& value : values)
    value = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(below)));
  return values;
}

/// Lists of numbers in {0 … below−1}: list l is item[start[l]] … item[start[l+1]−1]. Some are empty.
struct TestLists {
  std::vector<std::int64_t> start{0};
  std::vector<std::int32_t> item;

  [[nodiscard]] std::vector<std::int32_t> of(std::int64_t list) const {
    return {item.begin() + start[list], item.begin() + start[list + 1]};
  }
};

/// Each number is in each list with probability `share`.
inline TestLists random_lists(std::int64_t lists, std::int64_t below, double share, std::uint64_t stream) {
  Random random(3, Purpose::test, stream);
  TestLists out;
  for (std::int64_t l = 0; l < lists; ++l) {
    for (std::int64_t i = 0; i < below; ++i)
      if (random.uniform() < share) out.item.push_back(static_cast<std::int32_t>(i));
    out.start.push_back(std::ssize(out.item));
  }
  return out;
}

/// Distinct latents on each probe, with values of which a third is not above 0.
struct TestCodes {
  TestCodes(std::int64_t n_, std::int64_t keep_, std::int64_t h, std::uint64_t stream)
      : n(n_), keep(keep_), value(normals(static_cast<std::size_t>(n_ * keep_), stream)) {
    Random random(4, Purpose::test, stream);
    for (float& v : value) v = v < -0.4F ? std::min(v, 0.0F) : std::abs(v);
    if (!value.empty()) value.front() = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      const auto order = permutation(h, random);
      for (std::int64_t t = 0; t < keep; ++t) index.push_back(static_cast<std::int32_t>(order[t]));
    }
  }

  /// The activation of a latent on a probe, 0 where it does not fire.
  [[nodiscard]] double activation(std::int64_t i, std::int64_t latent) const {
    for (std::int64_t place = i * keep; place < (i + 1) * keep; ++place)
      if (index[place] == latent && value[place] > 0) return static_cast<double>(value[place]);
    return 0;
  }

  std::int64_t n, keep;
  std::vector<std::int32_t> index;
  std::vector<float> value;
};

/// n probes in `groups` groups of C subjects, with draws that need not be anything's resamples.
struct TestResamples {
  TestResamples(std::int64_t n_, std::int64_t groups_, std::int64_t subjects_, std::int64_t bootstrap_,
                std::int64_t permutations_)
      : n(n_),
        groups(groups_),
        subjects(subjects_),
        bootstrap(bootstrap_),
        permutations(permutations_),
        subject(integers(n, subjects, 1)),
        group(integers(n, groups, 2)),
        group_subject(integers(groups, subjects, 3)),
        weight(integers(groups * bootstrap, 4, 4)),
        label(integers(n * permutations, subjects, 5)),
        group_label(integers(groups * permutations, subjects, 6)) {}

  std::int64_t n, groups, subjects, bootstrap, permutations;
  std::vector<std::int32_t> subject, group, group_subject, weight, label, group_label;

  /// How often draw r counts a probe or group, and the subject it gives it: draw −1 is what is, then come B
  /// resamples and P permutations.
  [[nodiscard]] std::int64_t draws() const { return bootstrap + permutations; }
  [[nodiscard]] std::int32_t group_weight_in(std::int64_t r, std::int64_t g) const {
    return r < 0 || r >= bootstrap ? 1 : weight[g * bootstrap + r];
  }
  [[nodiscard]] std::int32_t weight_in(std::int64_t r, std::int64_t i) const {
    return group_weight_in(r, group[i]);
  }
  [[nodiscard]] std::int32_t subject_in(std::int64_t r, std::int64_t i) const {
    return r < bootstrap ? subject[i] : label[i * permutations + r - bootstrap];
  }
  [[nodiscard]] std::int32_t group_subject_in(std::int64_t r, std::int64_t g) const {
    return r < bootstrap ? group_subject[g] : group_label[g * permutations + r - bootstrap];
  }
};

/// The same on a device.
class ResamplesOn {
 public:
  ResamplesOn(Device& device, const TestResamples& given)
      : given_(given),
        subject_(on(device, given.subject)),
        group_(on(device, given.group)),
        group_subject_(on(device, given.group_subject)),
        weight_(on(device, given.weight)),
        label_(on(device, given.label)),
        group_label_(on(device, given.group_label)) {}

  [[nodiscard]] Resamples view() const {
    return {.n = given_.n,
            .subjects = given_.subjects,
            .bootstrap = given_.bootstrap,
            .permutations = given_.permutations,
            .subject = subject_.data(),
            .group = group_.data(),
            .group_subject = group_subject_.data(),
            .weight = weight_.data(),
            .label = label_.data(),
            .group_label = group_label_.data()};
  }

 private:
  const TestResamples& given_;
  Buffer<std::int32_t> subject_, group_, group_subject_, weight_, label_, group_label_;
};

/// Room for `rows` numbers as they are and in every draw.
template <class T>
class ResampledOn {
 public:
  ResampledOn(Device& device, std::int64_t rows, const TestResamples& given)
      : rows_(rows),
        given_(given),
        value_(device, rows),
        bootstrap_(device, rows * given.bootstrap),
        permutation_(device, rows * given.permutations) {}

  [[nodiscard]] Resampled<T> view() {
    return {.value = value_.data(), .bootstrap = bootstrap_.data(), .permutation = permutation_.data()};
  }
  /// [rows, 1 + B + P]: each row's number in draws −1, 0, 1, ….
  [[nodiscard]] std::vector<T> all() const {
    const auto value = value_.download(), bootstrap = bootstrap_.download(),
               permutation = permutation_.download();
    std::vector<T> out;
    for (std::int64_t row = 0; row < rows_; ++row) {
      out.push_back(value[row]);
      const auto append = [&](const std::vector<T>& from, std::int64_t draws) {
        out.insert(out.end(), from.begin() + row * draws, from.begin() + (row + 1) * draws);
      };
      append(bootstrap, given_.bootstrap);
      append(permutation, given_.permutations);
    }
    return out;
  }

 private:
  std::int64_t rows_;
  const TestResamples& given_;
  Buffer<T> value_, bootstrap_, permutation_;
};

/// What each set stands for: subjects in turn.
inline std::vector<std::int32_t> own_subjects(std::int64_t sets, std::int64_t subjects) {
  std::vector<std::int32_t> own;
  for (std::int64_t s = 0; s < sets; ++s) own.push_back(static_cast<std::int32_t>((s + 1) % subjects));
  return own;
}

}  // namespace incipit::device
