#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "random.hpp"
#include "sae/encode.hpp"
#include "sae/sae.hpp"

namespace incipit::interpret::testing {

/// Probes, codes and an SAE made up so that it is known which latent fires on what.
struct Scene {
  corpus::Probes probes;
  sae::Codes codes;
  sae::Sae sae;
};

inline const std::vector<std::string>& made_up_words() {
  static const std::vector<std::string> words = [] {
    // 400 words of two syllables each; none is a function word.
    std::vector<std::string> all;
    const std::string first = "bdfgklmnprstvz", vowels = "aeiou";
    for (int i = 0; i < 400; ++i) {
      std::string word;
      for (int j = i * 7919 + 13, k = 0; k < 3; ++k, j = j / 5 + 31 * i) {
        word += first[static_cast<std::size_t>(j) % first.size()];
        word += vowels[static_cast<std::size_t>(j / 3) % vowels.size()];
      }
      all.push_back(word + std::to_string(i % 10));
    }
    return all;
  }();
  return words;
}

/// `groups` groups of `each` probes of eight random words in `subjects` subjects; a fifth of the groups say
/// "membrane" in all their probes, another fifth "equation", so that the words carry over between groups.
inline corpus::Probes make_probes(int64_t groups, int64_t each, int64_t subjects, uint64_t seed,
                                  bool split = true) {
  corpus::Probes probes;
  probes.split = split;
  for (int64_t c = 0; c < subjects; ++c) probes.subjects.push_back("subject" + std::to_string(c));
  for (int64_t g = 0; g < groups; ++g) {
    const auto subject = static_cast<int32_t>(g % subjects);
    probes.groups.push_back("group" + std::to_string(g));
    probes.group_subject.push_back(subject);
    Random random(seed, Purpose::test, static_cast<uint64_t>(g));
    for (int64_t i = 0; i < each; ++i) {
      std::string text;
      for (int w = 0; w < 8; ++w) text += made_up_words()[random.below(made_up_words().size())] + " ";
      text += g % 5 == 0 ? "membrane here" : g % 5 == 1 ? "equation here" : "something here";
      const auto number = std::to_string(probes.all.size());
      probes.all.push_back({number, probes.subjects[static_cast<std::size_t>(subject)], probes.groups.back(),
                            text, "made up:" + number});
      probes.subject.push_back(subject);
      probes.group.push_back(static_cast<int32_t>(g));
      const corpus::Part deal[] = {corpus::Part::fit, corpus::Part::verify, corpus::Part::fit,
                                   corpus::Part::judge};
      probes.part.push_back(deal[(g / 5) % 4]);
    }
  }
  return probes;
}

inline bool says(const corpus::Probe& probe, const char* word) {
  return probe.text.find(word) != std::string::npos;
}

/// An SAE of h latents with random decoder rows.
inline sae::Sae make_sae(int64_t h, int64_t d, uint64_t seed) {
  sae::Sae sae;
  sae.h = h;
  sae.d = d;
  sae.k = 1;
  Random random(seed, Purpose::test, 1u << 20);
  for (int64_t i = 0; i < h * d; ++i) sae.decoder.push_back(static_cast<float>(random.normal()));
  return sae;
}

/// One latent a probe, as `chooser` says (−1: none), with activations that differ.
inline sae::Codes make_codes(const corpus::Probes& probes,
                             const std::function<int32_t(std::size_t)>& chooser) {
  sae::Codes codes;
  codes.n = static_cast<int64_t>(probes.all.size());
  codes.k = 1;
  for (std::size_t i = 0; i < probes.all.size(); ++i) {
    codes.latent.push_back(chooser(i));
    codes.activation.push_back(codes.latent.back() < 0 ? 0.0F : 1.0F + 0.01F * static_cast<float>(i % 97));
  }
  return codes;
}

/// Latent 0 fires on "membrane", 1 on "equation", 2 never; the rest at random among 3 … h−1.
inline Scene make_scene(int64_t h = 8, bool split = true) {
  Scene scene{make_probes(200, 5, 4, 3, split), {}, make_sae(h, 16, 5)};
  scene.codes = make_codes(scene.probes, [&](std::size_t i) -> int32_t {
    if (says(scene.probes.all[i], "membrane")) return 0;
    if (says(scene.probes.all[i], "equation")) return 1;
    Random random(9, Purpose::test, i);
    return 3 + static_cast<int32_t>(random.below(static_cast<uint64_t>(h - 3)));
  });
  return scene;
}

}  // namespace incipit::interpret::testing
