#include "corpus/split.hpp"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "error.hpp"
#include "store/hash.hpp"

namespace incipit::corpus {
namespace {

constexpr int64_t largest_share = 1000;

[[noreturn]] void refuse_split(std::string_view text) {
  throw Error(Exit::usage, "probes.split: expected fit:verify:judge, whole numbers from 1 to " +
                               std::to_string(largest_share) + " such as 2:1:1, or none; found '" +
                               std::string(text) + "'");
}

/// Whether the t-th of a sequence goes to a part that takes `share` of every `of`, spread evenly.
bool falls(int64_t t, int64_t share, int64_t of) {
  const auto taken = [&](int64_t count) { return (count * share + of - 1) / of; };
  return taken(t + 1) > taken(t);
}

}  // namespace

std::optional<std::array<int64_t, 3>> parse_split(std::string_view text) {
  if (text == "none") return std::nullopt;
  std::array<int64_t, 3> ratio{};
  const char* position = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < ratio.size(); ++i) {
    if (i > 0 && (position == end || *position++ != ':')) refuse_split(text);
    const auto [after, error] = std::from_chars(position, end, ratio[i]);
    if (error != std::errc() || ratio[i] < 1 || ratio[i] > largest_share) refuse_split(text);
    position = after;
  }
  if (position != end) refuse_split(text);
  return ratio;
}

std::vector<Part> dealing(const std::array<int64_t, 3>& ratio) {
  const auto [fit, verify, judge] = ratio;
  const int64_t total = fit + verify + judge;
  std::vector<Part> order;
  int64_t others = 0;
  for (int64_t t = 0; t < total; ++t) {
    if (falls(t, fit, total)) {
      order.push_back(Part::fit);
    } else {
      order.push_back(falls(others++, verify, verify + judge) ? Part::verify : Part::judge);
    }
  }
  return order;
}

std::vector<Part> split_groups(std::span<const std::string> groups, std::span<const int32_t> group_subject,
                               uint64_t seed, const std::array<int64_t, 3>& ratio) {
  // The first eight bytes of a digest, big-endian, sort as their 16 hexadecimal digits do.
  constexpr std::size_t key_digits = 16;
  std::vector<std::string> key(groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    key[g] = store::sha256(std::to_string(seed) + ":" + groups[g]).substr(0, key_digits);
  }
  std::vector<std::size_t> order(groups.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::tie(group_subject[a], key[a], groups[a]) < std::tie(group_subject[b], key[b], groups[b]);
  });
  const std::vector<Part> parts = dealing(ratio);
  std::vector<Part> part(groups.size());
  std::size_t dealt = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && group_subject[order[i]] != group_subject[order[i - 1]]) dealt = 0;
    part[order[i]] = parts[dealt++ % parts.size()];
  }
  return part;
}

}  // namespace incipit::corpus
