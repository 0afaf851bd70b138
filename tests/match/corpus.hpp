#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "match/subjects.hpp"
#include "random.hpp"

namespace incipit::match::testing {

inline const std::vector<std::vector<std::string>>& vocabulary() {
  static const std::vector<std::vector<std::string>> words = {
      {"cell", "membrane", "enzyme", "plant", "gene", "bacteria", "organism", "tissue", "protein", "species"},
      {"contract", "court", "judge", "crime", "statute", "liability", "jury", "tort", "appeal", "evidence"},
      {"equation", "theorem", "integral", "matrix", "prime", "triangle", "vector", "proof", "polynomial",
       "limit"}};
  return words;
}

/// Probes of three subjects, each a template with three words of its subject; the words of a text change.
inline corpus::Probes make_probes(int64_t n) {
  corpus::Probes probes;
  probes.subjects = {"biology", "law", "math"};
  const char* templates[] = {"look in the glossary under ", "the next chapter treats ",
                             "students ask about "};
  for (int64_t i = 0; i < n; ++i) {
    const auto c = static_cast<std::size_t>(i % 3);
    Random random(1, Purpose::test, static_cast<uint64_t>(i));
    std::string text = templates[random.below(3)];
    for (int w = 0; w < 3; ++w) text += vocabulary()[c][random.below(10)] + " ";
    const std::string number = std::to_string(i);
    probes.all.push_back({number, probes.subjects[c], number, text, "made up:" + number});
    probes.subject.push_back(static_cast<int32_t>(c));
    probes.group.push_back(static_cast<int32_t>(i));
    probes.groups.push_back(number);
    probes.group_subject.push_back(static_cast<int32_t>(c));
    const corpus::Part deal[] = {corpus::Part::fit, corpus::Part::verify, corpus::Part::fit,
                                 corpus::Part::judge};
    probes.part.push_back(deal[(i / 3) % 4]);
  }
  return probes;
}

inline Subjects make_subjects() {
  return {{{"biology", {"the science of life", "cells"}, true},
           {"law", {"rules that courts enforce"}, false},
           {"math", {"numbers and shapes", "proofs of theorems"}, true}},
          {"a cup of tea", "the court of the king", "a plant in a pot", "a limit of patience",
           "under the next bus"}};
}

}  // namespace incipit::match::testing
