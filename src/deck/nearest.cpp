#include "deck/nearest.hpp"

#include <algorithm>
#include <tuple>

namespace incipit::deck {

int edit_distance(std::string_view a, std::string_view b) {
  std::vector<int> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int substitute = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitute});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

namespace {

std::string_view last_part(std::string_view name) {
  const auto dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  constexpr int other_section = 2;
  std::string best;
  // Ties go to the smaller distance of the whole names, then to the earlier name.
  auto least = std::tuple(static_cast<int>(word.size()) / 2 + 1, 0);
  for (const std::string& name : known) {
    const int whole = edit_distance(word, name);
    const int part = other_section + edit_distance(last_part(word), last_part(name));
    const auto score = std::tuple(std::min(whole, part), whole);
    if (score < least) {
      least = score;
      best = name;
    }
  }
  return best;
}

}  // namespace incipit::deck
