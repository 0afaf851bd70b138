#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device/device.hpp"
#include "emergence/groups.hpp"
#include "emergence/options.hpp"

namespace incipit::emergence {

/// The resamples and permutations of a run, with the judged probes, on the device that counts over them:
/// drawn once, used at every site, so that differences between sites have intervals too (science §5).
struct Resampling {
  device::Device* device = nullptr;
  int64_t subjects = 0;        ///< C
  int64_t bootstrap = 0;       ///< B
  int64_t permutations = 0;    ///< P
  double exchangeable = 0;     ///< share of probes whose group can be exchanged for one of another subject
  std::vector<int32_t> sizes;  ///< [C, B] weighted number of probes of each subject in each resample

  // On the device.
  device::Buffer<int32_t> subject, group;  ///< [n] as in JudgeSet
  device::Buffer<int32_t> member;          ///< [n]
  device::Buffer<int32_t> group_subject;   ///< [G]
  device::Buffer<int32_t> weight;  ///< [G, B] how often the group was drawn; within each subject |G_c| draws
  device::Buffer<int32_t> label;   ///< [n, P] the permuted subject of the probe
  device::Buffer<int32_t> group_label;  ///< [G, P] the permuted subject of the group

  [[nodiscard]] int64_t n() const { return static_cast<int64_t>(subject.size()); }
  [[nodiscard]] device::Resamples view() const;
  /// The probes alone: B = P = 0.
  [[nodiscard]] device::Resamples view_without_draws() const;
};

/// A permutation gives every group the subjects of another (or the same) one of equal size in its stratum,
/// probe by probe, so that the number of probes and of groups of each subject never changes. Resample b and
/// permutation p depend on (seed, b) and (seed, p) alone, and are the same on every device.
/// Errors: usage, if a count is negative.
Resampling make_resampling(device::Device& device, const JudgeSet& judge, const TrackOptions& options,
                           uint64_t seed);

/// A number of each of some rows as it is, in each resample and under each permutation, on the host.
template <class T>
struct Draws {
  std::vector<T> value;        ///< [rows]
  std::vector<T> bootstrap;    ///< [rows, B]
  std::vector<T> permutation;  ///< [rows, P]

  /// The numbers of one row.
  [[nodiscard]] Draws row(size_t i) const {
    const auto part = [&](const std::vector<T>& all) {
      const auto draws = static_cast<int64_t>(all.size() / value.size()),
                 begin = static_cast<int64_t>(i) * draws;
      return std::vector<T>(all.begin() + begin, all.begin() + begin + draws);
    };
    return {{value[i]}, part(bootstrap), part(permutation)};
  }
};

/// Room for them on a device.
template <class T>
class DrawsOnDevice {
 public:
  DrawsOnDevice(device::Device& device, size_t rows, const device::Resamples& of)
      : value_(device, rows),
        bootstrap_(device, rows * static_cast<size_t>(of.bootstrap)),
        permutation_(device, rows * static_cast<size_t>(of.permutations)) {}

  [[nodiscard]] device::Resampled<T> view() {
    return {.value = value_.data(), .bootstrap = bootstrap_.data(), .permutation = permutation_.data()};
  }
  [[nodiscard]] Draws<T> download() const {
    return {value_.download(), bootstrap_.download(), permutation_.download()};
  }

 private:
  device::Buffer<T> value_, bootstrap_, permutation_;
};

}  // namespace incipit::emergence
