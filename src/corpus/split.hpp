#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// The three parts of the probes (science §1): fit makes things, verify chooses, judge measures.
enum class Part : int8_t { fit = 0, verify = 1, judge = 2 };

/// Parses `probes.split`: three positive whole numbers fit:verify:judge, or none. Error usage otherwise.
[[nodiscard]] std::optional<std::array<int64_t, 3>> parse_split(std::string_view text);

/// The order in which groups are dealt, cyclically: fit spread evenly, verify spread evenly over what fit
/// leaves. 2:1:1 gives fit, verify, fit, judge.
[[nodiscard]] std::vector<Part> dealing(const std::array<int64_t, 3>& ratio);

/// The part of every group (science §1): within each subject, groups sorted by the first eight bytes of
/// SHA-256("SEED:GROUP"), big-endian, ties by name, are dealt out. `group_subject` is [group].
[[nodiscard]] std::vector<Part> split_groups(std::span<const std::string> groups,
                                             std::span<const int32_t> group_subject, uint64_t seed,
                                             const std::array<int64_t, 3>& ratio);

}  // namespace incipit::corpus
