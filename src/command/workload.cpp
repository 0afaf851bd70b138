#include "command/workload.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "command/pass_cost.hpp"
#include "command/reading_cost.hpp"
#include "command/result_bytes.hpp"
#include "command/visits.hpp"
#include "interpret/teacher.hpp"
#include "match/sentence_folder.hpp"
#include "match/subjects.hpp"
#include "sae/train.hpp"

namespace incipit::command {
namespace {

using plan::Sharing;

/// Of a latent's label, with those around it: a few words.
constexpr double tokens_of_label = 10;

class Counter {
 public:
  Counter(const Study& study, const deck::Deck& deck, const plan::Rates& rates, std::uint64_t memory,
          int ranks)
      : study_(study), deck_(deck), rates_(rates), reading_(study, deck), memory_(memory), ranks_(ranks) {
    const auto count = [&](corpus::Part part) { return static_cast<double>(study.probes.of(part).size()); };
    all_ = static_cast<double>(study.probes.all.size());
    fit_ = count(corpus::Part::fit);
    verify_ = count(corpus::Part::verify);
    judge_ = count(corpus::Part::judge);
    for (const auto& probe : study.probes.all) letters_ += static_cast<double>(probe.text.size()) / all_;
  }

  plan::Workload count() {
    plan::Workload stages;
    stages.push_back({"set up", Sharing::replicated, {{{.units = all_}}}});
    if (deck_.run.audit != "ignore") stages.push_back(audit());
    stages.push_back(forward([&](const Checkpoint& one) { return extraction_cost(study_, one, deck_); }));
    if (deck_.extract.loss)
      stages.push_back(forward([&](const Checkpoint& one) { return loss_cost(study_, one, deck_.run); }));
    stages.push_back(activations());
    stages.push_back(train());
    if (!interpret::reads(deck_.interpret)) stages.push_back(interpret());
    stages.push_back({"match", Sharing::replicated, {{{.units = dictionaries()}}}});
    if (deck_.match.encoder != "lexical") stages.push_back(embed());
    stages.push_back(align());
    if (deck_.extract.components) stages.push_back(attribute());
    stages.push_back({"token baseline", Sharing::whole, {{{.units = fit_ + judge_}}}});
    stages.push_back(track());
    stages.push_back(drift());
    stages.push_back(results());
    return stages;
  }

 private:
  [[nodiscard]] double dictionaries() const { return static_cast<double>(study_.dictionaries.size()); }
  [[nodiscard]] double width(const Site& site) const {
    return static_cast<double>(study_.model(site).config.d);
  }
  [[nodiscard]] double rows_bytes(const Site& site, double rows) const {
    return rows * width(site) * sizeof(float);
  }

  /// Every byte of every checkpoint is hashed.
  [[nodiscard]] plan::Stage audit() const {
    plan::Stage stage{"audit", Sharing::whole, {{}}};
    for (const auto& checkpoint : study_.checkpoints) {
      if (checkpoint.random()) continue;
      const auto& config = study_.model(checkpoint).config;
      const double bytes = bytes_of_number(config) * static_cast<double>(config.params());
      stage.rounds.front().push_back({.units = bytes, .bytes_read = bytes});
    }
    return stage;
  }

  template <class Cost>
  [[nodiscard]] plan::Stage forward(const Cost& cost) const {
    plan::Stage stage{"forward", Sharing::teams, {{}}};
    const auto limits = WaveLimits::of(deck_.run, memory_);
    PassMaker make(study_, rates_, limits, ranks_);
    std::set<int> models;
    for (const auto& checkpoint : study_.checkpoints) {
      const PassCost of = cost(checkpoint);
      const auto& packs = text_of(study_, checkpoint).packs;
      const auto pass = make(of, checkpoint);
      if (models.insert(checkpoint.model).second) {
        const auto end = wave_end(limits, of, rates_, packs, 0, packs.size());
        const auto held = of.bytes_held + of.wave_bytes({packs.data(), end});
        stage.memory = std::max(stage.memory, static_cast<double>(held));
      }
      const bool drawn = checkpoint.random();  // its weights are read nowhere
      stage.rounds.front().push_back({.flops = of.flops_per_token * tokens_of(packs),
                                      .width = of.width,
                                      .bytes_read = drawn ? 0 : of.bytes_read * pass.waves});
      stage.passes.push_back(pass);
    }
    return stage;
  }

  [[nodiscard]] plan::Stage activations() const {
    plan::Stage stage{"write", Sharing::whole, {{}}};
    for (const auto& checkpoint : study_.checkpoints)
      stage.rounds.front().push_back(
          {.bytes_written = activation_bytes(deck_, study_, checkpoint), .files = 1});
    return stage;
  }

  [[nodiscard]] plan::Stage train() const {
    plan::Stage stage{"train", Sharing::whole, {{}}};
    for (std::size_t i = 0; i < study_.dictionaries.size(); ++i) {
      const auto& dictionary = study_.dictionaries[i];
      if (dictionary.trained != i) continue;
      const auto options = sae_options(deck_, dictionary);
      const auto n = static_cast<std::int64_t>(fit_);
      const auto d = static_cast<std::int64_t>(width(dictionary.site));
      const double flops = training_flops(options, n, d);
      const double size = std::sqrt(static_cast<double>(options.latents * d));
      for (std::int64_t s = 0; s < dictionary.seeds; ++s)
        stage.rounds.front().push_back(
            {.flops = flops, .width = size, .bytes_read = rows_bytes(dictionary.site, fit_ + verify_)});
      stage.memory = std::max(stage.memory, static_cast<double>(sae::training_bytes(n, d, options)));
    }
    return stage;
  }

  [[nodiscard]] plan::Stage interpret() const {
    plan::Stage stage{"interpret", Sharing::divided, {}};
    for (const auto& dictionary : study_.dictionaries) {
      // For each latent a kernel classifier of the probes that fire it and as many as 256 that do not.
      const auto latents = static_cast<double>(sae_options(deck_, dictionary).latents);
      const double samples = std::min(fit_, std::min(256.0, fit_ / latents) + 256);
      stage.rounds.push_back({{.units = latents * samples * samples * letters_,
                               .bytes_read = rows_bytes(dictionary.site, all_)}});
    }
    return stage;
  }

  /// The sentence encoder, on rank 0: a forward pass over each text once, if every latent has a label of its
  /// own. The rate is that of a forward pass of its width.
  [[nodiscard]] plan::Stage embed() const {
    const auto folder = match::read_sentence_folder(deck_.match.encoder);
    const auto subjects = match::load_subjects(deck_.match.subjects, study_.probes.subjects);
    double tokens = 0;
    const auto count = [&](const std::vector<std::string>& phrases) {
      for (const auto& text : phrases)
        tokens +=
            static_cast<double>(folder.tokenizer.encode(folder.prompt + text, folder.max_length).size());
    };
    for (const auto& subject : subjects.all) count(subject.phrases);
    count(subjects.decoys);
    for (const auto& dictionary : study_.dictionaries)
      tokens += tokens_of_label * static_cast<double>(sae_options(deck_, dictionary).latents);
    const auto& config = folder.config;
    const auto d = static_cast<double>(config.d);
    const double of_token =
        2 * static_cast<double>(config.layers) * (4 * d * d + 2 * d * static_cast<double>(config.mlp));
    double bytes = 0;
    for (const auto& file : folder.weights) bytes += static_cast<double>(std::filesystem::file_size(file));
    return {"match", Sharing::whole, {{{.flops = of_token * tokens, .width = d, .bytes_read = bytes}}}};
  }

  [[nodiscard]] plan::Stage align() const {
    plan::Stage stage{"align", Sharing::whole, {}};
    for (const auto& maps : study_.maps) {
      auto& round = stage.rounds.emplace_back();
      const double home = width(maps.home);
      for (const auto& site : maps.sites) {
        round.push_back(
            {.units = reading_.map_flops(width(site), home), .bytes_read = rows_bytes(site, all_)});
        stage.memory = std::max(stage.memory, 8 * (fit_ + judge_) * (width(site) + home));
      }
    }
    return stage;
  }

  /// Every judged probe is encoded at every point, and what each component added there; the terms of a
  /// component at the points behind it, half of all on average, are averaged for each subject in every
  /// resample.
  [[nodiscard]] plan::Stage attribute() const {
    plan::Stage stage{"attribute", Sharing::divided, {}};
    const auto draws = static_cast<double>(deck_.track.bootstrap) + 1;
    const auto subjects = static_cast<double>(study_.probes.subjects.size());
    for (const auto& anchor : study_.anchors) {
      const Curve* space = space_curve(anchor);
      if (space == nullptr) continue;
      const double points = static_cast<double>(space->points.size()), components = 2 * points;
      const double d = width(anchor.site), latents = static_cast<double>(deck_.sae.latents);
      stage.rounds.push_back({{.flops = 2 * (points + components) * judge_ * d * latents,
                               .width = d,
                               .units = (points + components * points / 2) * (judge_ + subjects * draws),
                               .bytes_read = (points + components) * rows_bytes(anchor.site, all_)}});
    }
    return stage;
  }

  /// Points are dealt by site; how many subjects a dictionary has latents for is not known before.
  [[nodiscard]] plan::Stage track() const {
    plan::Stage stage{"track", Sharing::whole, {{}}};
    const double draws = static_cast<double>(deck_.track.bootstrap + deck_.track.permutations) + 1;
    const auto subjects = static_cast<double>(study_.probes.subjects.size());
    std::map<Site, bool> probed;
    std::map<Site, double> units;
    for (const auto& trail : study_.trails)
      for (std::size_t p = 0; p < trail.readings.size(); ++p) {
        const Site& site = trail.readings[p].site;
        probed[site] = probed[site] || trail.with_linear_probe;
        units[site] += reading_.reading(trail, p, subjects).units;
        stage.memory = std::max(stage.memory, 4 * (fit_ + judge_) * (draws + 3 * width(site)));
      }
    for (const auto& [site, linear_probe] : probed) {
      auto task = reading_.site(site, linear_probe);
      task.units += units[site];
      stage.rounds.front().push_back(task);
    }
    return stage;
  }

  [[nodiscard]] plan::Stage drift() const {
    plan::Stage stage{"drift", Sharing::whole, {{}}};
    for (std::size_t t = 0; t < study_.trails.size(); ++t)
      for (std::size_t p = 0; p < study_.trails[t].readings.size(); ++p)
        if (const Site* before = compared_with(study_, {t, p}))
          stage.rounds.front().push_back(reading_.drift(*before, study_.trails[t].readings[p].site));
    return stage;
  }

  /// Of all stages but extraction: a file each, made by all ranks together.
  [[nodiscard]] plan::Stage results() const {
    plan::Stage stage{"write", Sharing::divided, {{}}};
    auto& round = stage.rounds.front();
    for (const auto& dictionary : study_.dictionaries)
      round.push_back({.bytes_written = dictionary_bytes(deck_, study_, dictionary), .files = 3});
    for (const auto& maps : study_.maps)
      round.push_back({.bytes_written = maps_bytes(study_, maps), .files = 1});
    if (deck_.extract.components)
      round.push_back(
          {.files = static_cast<double>(std::ranges::count_if(
               study_.anchors, [](const auto& anchor) { return space_curve(anchor) != nullptr; }))});
    // emergence.h5 has some hundred datasets for each trail.
    round.push_back({.files = 1 + 2 * static_cast<double>(study_.trails.size())});
    return stage;
  }

  const Study& study_;
  const deck::Deck& deck_;
  const plan::Rates& rates_;
  ReadingCost reading_;
  std::uint64_t memory_;
  int ranks_;
  double all_, fit_, verify_, judge_;
  double letters_ = 0;  ///< of a text, on average
};

}  // namespace

plan::Workload workload_of(const Study& study, const deck::Deck& deck, const plan::Rates& rates,
                           std::uint64_t memory, int ranks) {
  return Counter(study, deck, rates, memory, ranks).count();
}

}  // namespace incipit::command
