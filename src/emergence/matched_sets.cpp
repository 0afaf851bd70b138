#include "emergence/matched_sets.hpp"

#include "error.hpp"

namespace incipit::emergence {

Matched matched_of(const match::Matches& matches) {
  Matched sets;
  for (int64_t c = 0; c < matches.subjects; ++c) {
    const auto latents = matches.of(c);
    sets.emplace_back(latents.begin(), latents.end());
  }
  return sets;
}

MatchedSets::MatchedSets(device::Device& device, const Matched& matched, int64_t latents_)
    : subjects(static_cast<int64_t>(matched.size())), latents(latents_) {
  std::vector<int64_t> starts{0}, latent_starts{0};
  std::vector<int32_t> members, sets;
  std::vector<std::vector<int32_t>> sets_of(static_cast<size_t>(latents));
  for (size_t c = 0; c < matched.size(); ++c) {
    if (matched[c].empty()) continue;
    for (const int32_t j : matched[c]) {
      if (j < 0 || j >= latents) throw Error(Exit::defect, "measures: a matched latent is none of the SAE's");
      members.push_back(j);
      sets_of[static_cast<size_t>(j)].push_back(static_cast<int32_t>(subject.size()));
    }
    subject.push_back(static_cast<int32_t>(c));
    count.push_back(static_cast<int64_t>(matched[c].size()));
    starts.push_back(static_cast<int64_t>(members.size()));
  }
  for (const auto& of : sets_of) {
    sets.insert(sets.end(), of.begin(), of.end());
    latent_starts.push_back(static_cast<int64_t>(sets.size()));
  }
  own = {device, std::span<const int32_t>(subject)};
  start = {device, std::span<const int64_t>(starts)};
  latent = {device, std::span<const int32_t>(members)};
  latent_start = {device, std::span<const int64_t>(latent_starts)};
  latent_set = {device, std::span<const int32_t>(sets)};
}

Matched match_at(std::span<const float> similarity, std::span<const int8_t> interpretable, int32_t subjects,
                 double tau) {
  Matched out(static_cast<size_t>(subjects));
  for (size_t j = 0; j < interpretable.size(); ++j) {
    if (interpretable[j] == 0) continue;
    for (size_t c = 0; c < out.size(); ++c)
      if (static_cast<double>(similarity[j * out.size() + c]) >= tau)
        out[c].push_back(static_cast<int32_t>(j));
  }
  return out;
}

std::vector<MatchedSets> sets_at(device::Device& device, std::span<const float> similarity,
                                 std::span<const int8_t> interpretable, int32_t subjects,
                                 std::span<const double> taus) {
  std::vector<MatchedSets> sets;
  for (const double tau : taus)
    sets.emplace_back(device, match_at(similarity, interpretable, subjects, tau),
                      static_cast<int64_t>(interpretable.size()));
  return sets;
}

}  // namespace incipit::emergence
