#include "interpret/features.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "corpus/words.hpp"

namespace incipit::interpret {
namespace {

constexpr std::size_t shortest_piece = 3, longest_piece = 5, longest_ending = 8;

/// FNV-1a, begun anew for each kind of feature. Among some 10^6 features of 64 bits a collision is a matter
/// of 10^-7, and would only merge two of them.
class Hash {
 public:
  explicit Hash(char kind) { add(std::string_view(&kind, 1)); }
  Hash& add(std::string_view bytes) {
    for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
    return *this;
  }
  [[nodiscard]] uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0xCBF29CE484222325ULL;
};

using Hashes = std::vector<uint64_t>;

Hashes word_features(const std::vector<std::string>& words) {
  Hashes found;
  for (std::size_t i = 0; i < words.size(); ++i) {
    found.push_back(Hash('w').add(words[i]).value());
    if (i > 0) found.push_back(Hash('p').add(words[i - 1]).add(" ").add(words[i]).value());
  }
  return found;
}

Hashes piece_features(const std::vector<std::string>& words) {
  Hashes found;
  for (const std::string& word : words) {
    const std::string padded = "<" + word + ">";
    const std::vector<std::size_t> starts = corpus::code_points(padded);
    const std::string_view view = padded;
    for (std::size_t length = shortest_piece; length <= longest_piece; ++length) {
      for (std::size_t i = 0; i + length < starts.size(); ++i) {
        const std::string_view piece = view.substr(starts[i], starts[i + length] - starts[i]);
        found.push_back(Hash('c').add(piece).value());
      }
    }
  }
  return found;
}

Hashes edge_features(std::string_view text, const std::vector<std::string>& words) {
  Hashes found;
  const std::string lower = corpus::lower_case(text);
  const std::vector<std::size_t> starts = corpus::code_points(lower);
  for (std::size_t length = 1; length <= longest_ending && length < starts.size(); ++length) {
    const std::size_t begin = starts[starts.size() - 1 - length];
    found.push_back(Hash('e').add(std::string_view(lower).substr(begin)).value());
  }
  Hash last('l'), first('f');
  for (std::size_t i = 0; i < std::min<std::size_t>(3, words.size()); ++i) {
    found.push_back(last.add(" ").add(words[words.size() - 1 - i]).value());
    if (i < 2) found.push_back(first.add(" ").add(words[i]).value());
  }
  return found;
}

/// Distinct hashes with how often each occurs, ascending.
std::vector<std::pair<uint64_t, int32_t>> counted(Hashes hashes) {
  std::sort(hashes.begin(), hashes.end());
  std::vector<std::pair<uint64_t, int32_t>> counts;
  for (const uint64_t hash : hashes) {
    if (counts.empty() || counts.back().first != hash) counts.emplace_back(hash, 0);
    ++counts.back().second;
  }
  return counts;
}

std::array<Hashes, 3> features_of(std::string_view text) {
  const std::vector<std::string> words = corpus::words(text);
  return {word_features(words), piece_features(words), edge_features(text, words)};
}

struct Count {
  int32_t texts = 0, groups = 0, last_group = -1;
};

}  // namespace

std::string common_ending(const corpus::Probes& probes, std::span<const int64_t> chosen) {
  if (chosen.size() < 2) return "";
  std::string_view ending = probes.all[static_cast<std::size_t>(chosen.front())].text;
  for (const int64_t probe : chosen) {
    const std::string_view text = probes.all[static_cast<std::size_t>(probe)].text;
    std::size_t same = 0;
    while (same < std::min(ending.size(), text.size()) &&
           ending[ending.size() - 1 - same] == text[text.size() - 1 - same]) {
      ++same;
    }
    ending.remove_prefix(ending.size() - same);
  }
  // Not in the middle of a character.
  while (!ending.empty() && (static_cast<unsigned char>(ending.front()) & 0xC0) == 0x80)
    ending.remove_prefix(1);
  return std::string(ending);
}

std::string_view without_ending(std::string_view text, std::string_view ending) {
  if (text.ends_with(ending)) text.remove_suffix(ending.size());
  return text;
}

TextFeatures::TextFeatures(const corpus::Probes& probes, std::span<const int64_t> chosen)
    : ending_(common_ending(probes, chosen)) {
  std::vector<int64_t> by_group(chosen.begin(), chosen.end());
  const auto group = [&](int64_t probe) { return probes.group[static_cast<std::size_t>(probe)]; };
  std::stable_sort(by_group.begin(), by_group.end(),
                   [&](int64_t a, int64_t b) { return group(a) < group(b); });
  std::unordered_map<uint64_t, Count> counts;
  std::vector<uint64_t> order;  // of first appearance, so that columns do not hang on the map's order
  for (const int64_t probe : by_group) {
    for (Hashes& block :
         features_of(without_ending(probes.all[static_cast<std::size_t>(probe)].text, ending_))) {
      for (const auto& [hash, times] : counted(std::move(block))) {
        Count& count = counts[hash];
        if (count.texts == 0) order.push_back(hash);
        ++count.texts;
        count.groups += count.last_group != group(probe);
        count.last_group = group(probe);
      }
    }
  }
  const auto all = static_cast<double>(chosen.size());
  for (const uint64_t hash : order) {
    const Count& count = counts[hash];
    if (count.groups < 2 || 2.0 * count.texts > all) continue;
    column_.emplace(hash, static_cast<int32_t>(idf_.size()));
    idf_.push_back(static_cast<float>(std::log((1 + all) / (1 + count.texts))));
  }
}

SparseRow TextFeatures::row(std::string_view text) const {
  std::vector<std::pair<int32_t, float>> entries;
  for (Hashes& block : features_of(without_ending(text, ending_))) {
    const std::size_t begin = entries.size();
    double squares = 0;
    for (const auto& [hash, times] : counted(std::move(block))) {
      const auto column = column_.find(hash);
      if (column == column_.end()) continue;
      const double value =
          (1 + std::log(static_cast<double>(times))) * idf_[static_cast<std::size_t>(column->second)];
      entries.emplace_back(column->second, static_cast<float>(value));
      squares += value * value;
    }
    const auto scale = static_cast<float>(squares > 0 ? 1 / std::sqrt(squares) : 0);
    for (std::size_t i = begin; i < entries.size(); ++i) entries[i].second *= scale;
  }
  std::sort(entries.begin(), entries.end());
  SparseRow sparse;
  for (const auto& [column, value] : entries) {
    sparse.column.push_back(column);
    sparse.value.push_back(value);
  }
  return sparse;
}

namespace {

void scatter(const SparseRow& row, std::vector<float>& scratch) {
  for (std::size_t i = 0; i < row.column.size(); ++i) {
    scratch[static_cast<std::size_t>(row.column[i])] = row.value[i];
  }
}

void clear(const SparseRow& row, std::vector<float>& scratch) {
  for (const int32_t column : row.column) scratch[static_cast<std::size_t>(column)] = 0;
}

double gather(const SparseRow& row, const std::vector<float>& scratch) {
  // Four sums of fixed membership let the additions overlap.
  std::array<float, 4> sums{};
  const std::size_t n = row.column.size();
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    for (std::size_t j = 0; j < 4; ++j) {
      sums[j] += row.value[i + j] * scratch[static_cast<std::size_t>(row.column[i + j])];
    }
  }
  for (; i < n; ++i) sums[0] += row.value[i] * scratch[static_cast<std::size_t>(row.column[i])];
  return static_cast<double>((sums[0] + sums[1]) + (sums[2] + sums[3]));
}

}  // namespace

std::vector<double> gram(std::span<const SparseRow* const> rows, std::vector<float>& scratch) {
  const std::size_t n = rows.size();
  std::vector<double> out(n * n);
  for (std::size_t i = 0; i < n; ++i) {
    scatter(*rows[i], scratch);
    for (std::size_t j = i; j < n; ++j) out[i * n + j] = out[j * n + i] = gather(*rows[j], scratch);
    clear(*rows[i], scratch);
  }
  return out;
}

std::vector<double> products(const SparseRow& row, std::span<const SparseRow* const> others,
                             std::vector<float>& scratch) {
  std::vector<double> out;
  out.reserve(others.size());
  scatter(row, scratch);
  for (const SparseRow* other : others) out.push_back(gather(*other, scratch));
  clear(row, scratch);
  return out;
}

}  // namespace incipit::interpret
