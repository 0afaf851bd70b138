#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace incipit::emergence {

/// The probes that are judged, and how they hang together. n probes, G groups, C subjects.
struct JudgeSet {
  int32_t subjects = 0;                ///< C
  std::vector<int32_t> subject;        ///< [n] of each probe
  std::vector<int32_t> group;          ///< [n] 0 … G−1, numbered by first appearance
  std::vector<int32_t> group_subject;  ///< [G] that of the group's first probe (science §1)
  std::vector<int32_t> group_stratum;  ///< [G] groups are exchanged under the null only within a stratum
  std::vector<int64_t> member_start;   ///< [G+1] into member
  std::vector<int32_t> member;         ///< [n] probes by group, in their order
  std::vector<int64_t> probes_of;      ///< [C] |P_c|
  std::vector<int64_t> groups_of;      ///< [C] |G_c|

  [[nodiscard]] int64_t n() const { return static_cast<int64_t>(subject.size()); }
  [[nodiscard]] int64_t groups() const { return static_cast<int64_t>(group_subject.size()); }
};

/// `subject`, `group`: of each judged probe, groups numbered as the caller likes; `group_subject`: indexed
/// by the caller's group number; `stratum`: of each probe (a group has that of its first), or empty for one
/// stratum.
/// Errors: defect, if the sizes do not fit or a number is out of range.
JudgeSet make_judge_set(int32_t subjects, std::span<const int32_t> subject, std::span<const int32_t> group,
                        std::span<const int32_t> group_subject, std::span<const int32_t> stratum = {});

/// Strata of question sets: (class of the last character, quintile of the length) of each text (science
/// §5). The ending that all texts share, which the template put there, is taken off first: a constant tells
/// nothing, the character before it may.
std::vector<int32_t> question_strata(std::span<const std::string> texts);

}  // namespace incipit::emergence
