#pragma once

#include <array>

/// Agreement beyond chance on yes and no, from sums over items: such sums add up over any clusters of items,
/// which is what a bootstrap of clusters needs.
namespace incipit::interpret {

using Sums = std::array<double, 4>;

/// One item that two raters answered: its share of {both yes, first alone yes, second alone yes, both no}.
[[nodiscard]] Sums pair_item(bool first_yes, bool second_yes);

/// Cohen's kappa (p_o − p_e) / (1 − p_e), where p_o is the share of items with equal answers and p_e the same
/// under independence with each rater's own share of yes (J. Cohen, "A coefficient of agreement for nominal
/// scales", Educational and Psychological Measurement 20, 1960). NaN without items, and where p_e = 1: both
/// gave one and the same answer to everything.
[[nodiscard]] double cohen_kappa(const Sums& pairs);

/// One item that `yes` + `no` raters answered: {agreeing share of its pairs of answers, 1 if it has such
/// pairs, its share of yes, 1 if it has answers}.
[[nodiscard]] Sums several_item(int yes, int no);

/// Fleiss' kappa (P − P_e) / (1 − P_e): P is the mean over items with two or more answers of the share of
/// pairs of answers that agree, P_e = Σ p_k² with p_k the mean over items with answers of the share of answer
/// k. With equally many answers for every item this is J. Fleiss, "Measuring nominal scale agreement among
/// many raters", Psychological Bulletin 76, 1971; for items with different numbers of answers it is the
/// generalisation of K. Gwet, Handbook of Inter-Rater Reliability, 4th ed., 2014, ch. 2. NaN without an item
/// with two answers, and where all answers are the same.
[[nodiscard]] double fleiss_kappa(const Sums& items);

}  // namespace incipit::interpret
