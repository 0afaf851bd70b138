#include "interpret/kappa.hpp"

#include "nan.hpp"

namespace incipit::interpret {

Sums pair_item(bool first_yes, bool second_yes) {
  Sums sums{};
  sums[(first_yes ? 0U : 2U) + (second_yes ? 0U : 1U)] = 1;
  return sums;
}

double cohen_kappa(const Sums& pairs) {
  const auto [both_yes, first_only, second_only, both_no] = pairs;
  const double items = both_yes + first_only + second_only + both_no;
  const double first_yes = both_yes + first_only, second_yes = both_yes + second_only;
  // Times items²: whole numbers, so that a kappa that does not exist is an exact zero below.
  const double chance = first_yes * second_yes + (items - first_yes) * (items - second_yes);
  const double room = items * items - chance;
  return room > 0 ? (items * (both_yes + both_no) - chance) / room : nan;
}

Sums several_item(int yes, int no) {
  const double answers = yes + no, yes_ = yes, no_ = no;
  if (answers == 0) return {};
  const double share = yes_ / answers;
  if (answers == 1) return {0, 0, share, 1};
  return {(yes_ * (yes_ - 1) + no_ * (no_ - 1)) / (answers * (answers - 1)), 1, share, 1};
}

double fleiss_kappa(const Sums& items) {
  const auto [agreeing, with_pairs, yes, with_answers] = items;
  if (with_pairs == 0) return nan;
  const double share = yes / with_answers;
  const double disagreement_by_chance = 2 * share * (1 - share);
  return disagreement_by_chance > 0 ? 1 - (1 - agreeing / with_pairs) / disagreement_by_chance : nan;
}

}  // namespace incipit::interpret
