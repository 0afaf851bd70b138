#include "deck/nearest.hpp"

#include <algorithm>
#include <tuple>

#include "edit_distance.hpp"

namespace incipit::deck {

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
