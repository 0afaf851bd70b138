#include "interpret/terms.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "corpus/words.hpp"
#include "interpret/features.hpp"

namespace incipit::interpret {
namespace {

bool is_number(std::string_view word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// A term is named if its score is at least this share of the best one's.
constexpr double weakest = 0.15;

/// A single Latin letter is a variable or an option's name.
bool says_something(const std::string& word) {
  return !corpus::is_function_word(word) && !is_number(word) && word.size() > 1;
}

}  // namespace

TermTable::TermTable(const corpus::Probes& probes, std::span<const int64_t> chosen) {
  std::unordered_map<std::string, int32_t> index;
  const auto number_of = [&](const std::string& first, const std::string& second, bool plain) {
    const auto [place, is_new] =
        index.emplace(second.empty() ? first : first + " " + second, static_cast<int32_t>(terms_.size()));
    if (is_new) terms_.push_back({first, second, plain, 0});
    return place->second;
  };
  const std::string ending = common_ending(probes, chosen);
  for (const int64_t probe : chosen) {
    const std::string_view text = without_ending(probes.all[static_cast<std::size_t>(probe)].text, ending);
    const std::vector<std::string> words = corpus::words(text);
    std::vector<int32_t>& found = of_probe_[probe];
    for (std::size_t i = 0; i < words.size(); ++i) {
      const bool plain = says_something(words[i]);
      found.push_back(number_of(words[i], "", plain));
      if (plain && i > 0 && says_something(words[i - 1])) {
        found.push_back(number_of(words[i - 1], words[i], true));
      }
    }
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    for (const int32_t term : found) ++terms_[static_cast<std::size_t>(term)].texts;
  }
}

std::string TermTable::name(std::span<const int64_t> members, std::size_t count) const {
  std::map<int32_t, int32_t> inside;
  for (const int64_t probe : members) {
    for (const int32_t term : of_probe_.at(probe)) ++inside[term];
  }
  const auto in = static_cast<double>(members.size()), all = static_cast<double>(of_probe_.size());
  using Key = std::tuple<bool, double, bool, std::string, int32_t>;
  std::vector<Key> keys;
  for (const auto& [number, times] : inside) {
    const Term& term = terms_[static_cast<std::size_t>(number)];
    if (times * all <= term.texts * in && in < all) continue;
    const double score = in < all ? times / in * std::log(times / in * all / term.texts) : times / in;
    const std::string spelling = term.second.empty() ? term.first : term.first + " " + term.second;
    keys.emplace_back(!term.plain, -score, term.second.empty(), spelling, number);
  }
  std::sort(keys.begin(), keys.end());
  std::string label;
  std::set<std::string> used;
  std::size_t taken = 0;
  bool plain = false;  // whether a term that says something was taken
  const double best = keys.empty() ? 0 : std::get<1>(keys.front());
  for (const auto& [poor, score, word, spelling, number] : keys) {
    if (taken == count || (poor && plain)) break;
    if (taken > 0 && score > weakest * best) break;
    const Term& term = terms_[static_cast<std::size_t>(number)];
    if (used.contains(term.first) || used.contains(term.second)) continue;
    label += (taken > 0 ? ", " : "") + spelling;
    used.insert(term.first);
    if (!term.second.empty()) used.insert(term.second);
    ++taken;
    plain = plain || !poor;
  }
  return label.empty() ? "texts without words of their own" : label;
}

}  // namespace incipit::interpret
