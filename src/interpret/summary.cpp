#include "interpret/summary.hpp"

#include <fmt/format.h>

#include "nan.hpp"

namespace incipit::interpret {
namespace {

constexpr double almost_all = 0.95, most = 0.5;

double ratio(double part, int64_t whole) {
  return whole > 0 ? part / static_cast<double>(whole) : nan;
}

}  // namespace

Summary summarize(std::span<const LatentLabel> labels) {
  Summary sum;
  int64_t yes = 0;
  for (const LatentLabel& label : labels) {
    ++sum.latents[static_cast<std::size_t>(label.status)];
    if (label.judgements.empty()) continue;
    ++sum.judged;
    sum.answers += static_cast<int64_t>(label.judgements.size());
    sum.unparsed += label.unparsed;
    for (const Judgement& j : label.judgements) yes += j.verdict.answer == Answer::yes;
    sum.f1 += label.f1;
    sum.f1_always_yes += label.f1_always_yes;
    sum.f1_coin += label.f1_coin;
  }
  for (double* mean : {&sum.f1, &sum.f1_always_yes, &sum.f1_coin}) *mean = ratio(*mean, sum.judged);
  sum.yes = ratio(static_cast<double>(yes), sum.answers - sum.unparsed);
  return sum;
}

std::vector<std::string> warnings(const Summary& summary) {
  std::vector<std::string> found;
  constexpr const char* useless =
      "the labels say nothing about what the latents fire on; take a stronger teacher";
  if (summary.yes >= almost_all)
    found.push_back(fmt::format("the teacher said yes to {:.0f} % of the texts, of which half fire: {}",
                                100 * summary.yes, useless));
  if (summary.yes <= 1 - almost_all)
    found.push_back(fmt::format("the teacher said no to {:.0f} % of the texts, of which half fire: {}",
                                100 * (1 - summary.yes), useless));
  if (ratio(static_cast<double>(summary.unparsed), summary.answers) > most)
    found.push_back(
        fmt::format("{} of {} answers were neither yes nor no, and count as wrong: the teacher "
                    "does not follow the prompts, or answers in another language, or is no chat "
                    "model; remove its answers below teacher/ to ask again",
                    summary.unparsed, summary.answers));
  return found;
}

}  // namespace incipit::interpret
