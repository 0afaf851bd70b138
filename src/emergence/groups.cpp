#include "emergence/groups.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>

#include "corpus/utf8.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

void check(int32_t subjects, std::span<const int32_t> subject, std::span<const int32_t> group,
           std::span<const int32_t> group_subject, std::span<const int32_t> stratum) {
  const auto outside = [](std::span<const int32_t> values, int64_t limit) {
    return std::any_of(values.begin(), values.end(), [limit](int32_t v) { return v < 0 || v >= limit; });
  };
  if (subject.size() != group.size() || (!stratum.empty() && stratum.size() != subject.size()) ||
      outside(subject, subjects) || outside(group, static_cast<int64_t>(group_subject.size())) ||
      outside(group_subject, subjects))
    throw Error(Exit::defect, "judged probes: subjects, groups and strata do not fit together");
}

/// Offsets of a counting sort: start[k] … start[k+1] for key k.
std::vector<int64_t> offsets(std::span<const int32_t> keys, int64_t count) {
  std::vector<int64_t> start(static_cast<size_t>(count) + 1, 0);
  for (const int32_t key : keys) ++start[static_cast<size_t>(key) + 1];
  for (size_t k = 1; k < start.size(); ++k) start[k] += start[k - 1];
  return start;
}

int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char byte) { return !corpus::continues_character(byte); });
}

/// Letters, digits, what ends a question, a sentence, an introduction, a gap to fill, a bracket or quotation,
/// other punctuation, space, and what is not ASCII.
int32_t class_of_last(std::string_view text) {
  if (text.empty()) return 0;
  const char last = text.back();
  if ((last >= 'a' && last <= 'z') || (last >= 'A' && last <= 'Z')) return 1;
  if (last >= '0' && last <= '9') return 2;
  constexpr std::string_view single = "?.:_";
  if (const auto at = single.find(last); at != std::string_view::npos) return 3 + static_cast<int32_t>(at);
  if (std::string_view(")]}\"'").find(last) != std::string_view::npos) return 7;
  if (static_cast<unsigned char>(last) >= 0x80U) return 8;
  return last > ' ' ? 9 : 10;
}

size_t common_ending(std::span<const std::string> texts) {
  if (texts.size() < 2) return 0;
  const std::string& first = texts.front();
  size_t length = first.size();
  for (const std::string& text : texts) {
    length = std::min(length, text.size());
    size_t same = 0;
    while (same < length && text[text.size() - 1 - same] == first[first.size() - 1 - same]) ++same;
    length = same;
  }
  // Never cut inside a character.
  while (length > 0 && corpus::continues_character(first[first.size() - length])) --length;
  return length;
}

}  // namespace

JudgeSet make_judge_set(int32_t subjects, std::span<const int32_t> subject, std::span<const int32_t> group,
                        std::span<const int32_t> group_subject, std::span<const int32_t> stratum) {
  check(subjects, subject, group, group_subject, stratum);
  JudgeSet out;
  out.subjects = subjects;
  out.subject.assign(subject.begin(), subject.end());
  std::unordered_map<int32_t, int32_t> number;
  for (size_t i = 0; i < group.size(); ++i) {
    const auto [at, added] = number.emplace(group[i], static_cast<int32_t>(number.size()));
    out.group.push_back(at->second);
    if (!added) continue;
    out.group_subject.push_back(group_subject[static_cast<size_t>(group[i])]);
    out.group_stratum.push_back(stratum.empty() ? 0 : stratum[i]);
  }
  out.member_start = offsets(out.group, out.groups());
  out.member.resize(group.size());
  auto next = out.member_start;
  for (size_t i = 0; i < out.group.size(); ++i)
    out.member[static_cast<size_t>(next[static_cast<size_t>(out.group[i])]++)] = static_cast<int32_t>(i);
  out.probes_of.assign(static_cast<size_t>(subjects), 0);
  out.groups_of.assign(static_cast<size_t>(subjects), 0);
  for (const int32_t c : out.subject) ++out.probes_of[static_cast<size_t>(c)];
  for (const int32_t c : out.group_subject) ++out.groups_of[static_cast<size_t>(c)];
  return out;
}

std::vector<int32_t> question_strata(std::span<const std::string> texts) {
  const size_t ending = common_ending(texts);
  std::vector<int64_t> length;
  std::vector<int32_t> kind;
  for (const std::string& text : texts) {
    const std::string_view own = std::string_view(text).substr(0, text.size() - ending);
    length.push_back(characters(own));
    kind.push_back(class_of_last(own));
  }
  auto sorted = length;
  std::sort(sorted.begin(), sorted.end());
  std::array<int64_t, 4> bound{};
  for (size_t q = 0; q < bound.size(); ++q)
    if (!sorted.empty()) bound[q] = sorted[sorted.size() * (q + 1) / 5];
  std::vector<int32_t> stratum;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto quintile =
        std::count_if(bound.begin(), bound.end(), [&](int64_t b) { return b <= length[i]; });
    stratum.push_back(kind[i] * 5 + static_cast<int32_t>(quintile));
  }
  return stratum;
}

}  // namespace incipit::emergence
