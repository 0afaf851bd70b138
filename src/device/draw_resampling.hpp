#pragma once

#include <cstdint>

namespace incipit::device {

/// Bootstrap of whole groups within subjects (science §5): resample b draws as many groups of each subject as
/// there are, with replacement. Its random numbers are the stream (seed, Purpose::bootstrap, b), one
/// `below(|G_c|)` after the other, so that every device draws the same.
/// All pointers are device memory, arrays row-major.
struct DrawBootstrap {
  std::int64_t groups = 0;    ///< G
  std::int64_t subjects = 0;  ///< C
  std::int64_t draws = 0;     ///< B
  std::uint64_t seed = 0;
  const std::int64_t* start = nullptr;  ///< C+1, into group
  const std::int32_t* group = nullptr;  ///< G, the groups of each subject
  std::int32_t* weight = nullptr;       ///< G×B, how often the group was drawn
};

/// Permuted subjects (science §5): permutation p puts the groups of each cell into random order (Fisher and
/// Yates, from the stream (seed, Purpose::permutation, p), cell after cell) and gives each group the subjects
/// of the one that comes to its place, probe by probe. The groups of a cell have equal numbers of probes. All
/// pointers are device memory, arrays row-major.
struct DrawPermutations {
  std::int64_t n = 0;       ///< probes
  std::int64_t groups = 0;  ///< G
  std::int64_t cells = 0;
  std::int64_t draws = 0;  ///< P
  std::uint64_t seed = 0;
  const std::int64_t* start = nullptr;          ///< cells+1, into group
  const std::int32_t* group = nullptr;          ///< G, the groups of each cell
  const std::int64_t* member_start = nullptr;   ///< G+1, into member
  const std::int32_t* member = nullptr;         ///< n, the probes of each group
  const std::int32_t* subject = nullptr;        ///< n, of each probe
  const std::int32_t* group_subject = nullptr;  ///< G
  std::int32_t* label = nullptr;                ///< n×P, the permuted subject of the probe
  std::int32_t* group_label = nullptr;          ///< G×P, the permuted subject of the group
};

}  // namespace incipit::device
