#include "sae/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <span>

#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/stages.hpp"
#include "console/progress.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/file.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

struct Job {
  std::size_t dictionary;
  std::uint64_t seed;
};

/// Hands an SAE from the rank that trained it to all.
void broadcast(const parallel::Communicator& world, sae::Sae& sae, int owner) {
  std::vector<std::int64_t> shape{sae.h, sae.d, sae.k, static_cast<std::int64_t>(sae.unconverged),
                                  static_cast<std::int64_t>(sae.seed)};
  std::vector<double> numbers{static_cast<double>(sae.scale), sae.verify_fvu};
  world.broadcast(shape, owner);
  world.broadcast(numbers, owner);
  sae.h = shape[0];
  sae.d = shape[1];
  sae.k = shape[2];
  sae.unconverged = shape[3] != 0;
  sae.seed = static_cast<std::uint64_t>(shape[4]);
  sae.scale = static_cast<float>(numbers[0]);
  sae.verify_fvu = numbers[1];
  for (auto* values : {&sae.encoder, &sae.encoder_bias, &sae.decoder, &sae.pre_bias, &sae.mean})
    world.broadcast(*values, owner);
  world.broadcast(sae.history.step, owner);
  for (auto* values :
       {&sae.history.loss, &sae.history.fvu, &sae.history.fvu_multi, &sae.history.auxk, &sae.history.dead})
    world.broadcast(*values, owner);
}

/// What the SAEs of one dictionary are trained on.
struct Parts {
  std::vector<float> fit, verify;
};

Parts read_parts(Session& session, const Site& site) {
  const auto timer = session.timing.phase("read");
  const auto& probes = session.study.probes;
  const auto& path = session.ledger->activations(site).path;
  const Activations activations(path, static_cast<std::int64_t>(probes.all.size()));
  const std::int64_t d = session.study.model(site).config.d;
  if (activations.width() != d)
    throw Error(Exit::data, fmt::format("{} holds residuals of width {}, its model's is {}; remove the file",
                                        path.string(), activations.width(), d));
  return {.fit = activations.rows(site.layer, probes.of(corpus::Part::fit)),
          .verify = activations.rows(site.layer, probes.of(corpus::Part::verify))};
}

std::int64_t width_of(const Session& session, const Job& job) {
  return session.study.model(session.study.dictionaries[job.dictionary].site).config.d;
}

/// A rank's jobs in sets that are trained together: one alone hardly occupies a GPU, so there those of one
/// width and size share every launch, as many as a moderate part of any GPU's memory holds; on the host each
/// is its own set. What comes out is the same bytes however they are cut. Sets hold indices of jobs.
std::vector<std::vector<std::size_t>> cut_into_sets(const Session& session, const std::vector<Job>& jobs,
                                                    std::span<const std::size_t> mine) {
  constexpr std::int64_t most_bytes = std::int64_t{4} << 30U;
  constexpr std::int64_t most_saes = 1024;
  const bool together = session.device->kind() == device::Kind::cuda;
  const auto n = static_cast<std::int64_t>(session.study.probes.of(corpus::Part::fit).size());
  std::vector<std::vector<std::size_t>> sets;
  std::map<std::array<std::int64_t, 3>, std::size_t>
      open;  // the set that still takes jobs of a width and size
  for (const std::size_t j : mine) {
    const Dictionary& dictionary = session.study.dictionaries[jobs[j].dictionary];
    const std::int64_t width = width_of(session, jobs[j]);
    const auto options = sae_options(session.deck, dictionary);
    const auto bytes = sae::training_bytes(n, width, options);
    const std::int64_t most = together ? std::clamp(most_bytes / bytes, std::int64_t{1}, most_saes) : 1;
    const std::array kind{width, options.k, options.latents};
    const auto place = open.find(kind);
    if (place != open.end() && std::ssize(sets[place->second]) < most) {
      sets[place->second].push_back(j);
    } else {
      open[kind] = sets.size();
      sets.push_back({j});
    }
  }
  return sets;
}

/// Jobs of one width and size, in the order of their dictionaries.
std::vector<sae::Sae> train_set(Session& session, const std::vector<Job>& jobs, console::Progress& progress) {
  std::map<std::size_t, Parts> parts;  // by dictionary: its seeds share them
  std::vector<sae::Job> training;
  for (const Job& job : jobs) {
    const Dictionary& dictionary = session.study.dictionaries[job.dictionary];
    if (!parts.contains(job.dictionary)) parts[job.dictionary] = read_parts(session, dictionary.site);
    training.push_back({.fit = parts[job.dictionary].fit,
                        .verify = parts[job.dictionary].verify,
                        .seed = job.seed,
                        .name = fmt::format("dictionary {} ({}), seed {}", dictionary.name,
                                            session.study.describe(dictionary.site), job.seed)});
  }
  const auto timer = session.timing.phase("train");
  sae::TrainHooks hooks;
  hooks.progress = [&](std::int64_t) { progress.advance(std::ssize(jobs)); };
  hooks.stop = [&] { return session.stop->asked(); };
  const auto options = sae_options(session.deck, session.study.dictionaries[jobs.front().dictionary]);
  return sae::train_many(*session.device, training, width_of(session, jobs.front()), options, hooks);
}

void report(Session& session, const std::string& name, const sae::Sae& sae) {
  session.console.line("sae {}: h = {}, k = {}, d = {}; verify FVU {:.3f}, dead {:.1f} %", name, sae.h, sae.k,
                       sae.d, sae.verify_fvu, 100 * sae.history.dead.back());
  if (sae.unconverged)
    session.console.warn(
        "sae {}: the verify part's FVU still moved by more than 1 % in the last tenth of the steps; "
        "raise sae.steps",
        name);
}

}  // namespace

void train(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::train, again);
  std::vector<Job> jobs;
  std::vector<double> costs;
  std::vector<const Unit*> needed;
  for (std::size_t d = 0; d < pending.size(); ++d) {
    if (!pending[d]) continue;
    const auto& site = session.study.dictionaries[d].site;
    needed.push_back(&session.ledger->activations(site));
    const auto& dictionary = session.study.dictionaries[d];
    const auto latents = sae_options(session.deck, dictionary).latents;
    for (std::int64_t s = 0; s < dictionary.seeds; ++s) {
      jobs.push_back({d, session.deck.run.seed + static_cast<std::uint64_t>(s)});
      costs.push_back(static_cast<double>(session.study.model(site).config.d * latents));
    }
  }
  if (jobs.empty()) return;
  session.require(needed);
  const auto& world = session.world;
  const auto owner = parallel::assign_longest_first(costs, world.size());
  std::vector<sae::Sae> trained(jobs.size());
  std::vector<std::size_t> mine;
  for (std::size_t j = 0; j < jobs.size(); ++j)
    if (owner[j] == world.rank()) mine.push_back(j);
  {
    console::Progress progress(session.console, "train", std::ssize(mine) * session.deck.sae.steps,
                               "steps of rank 0");
    parallel::together(world, "train", [&] {
      for (const std::vector<std::size_t>& set : cut_into_sets(session, jobs, mine)) {
        std::vector<Job> of_set;
        for (const std::size_t j : set) of_set.push_back(jobs[j]);
        std::vector<sae::Sae> saes = train_set(session, of_set, progress);
        for (std::size_t i = 0; i < set.size(); ++i) trained[set[i]] = std::move(saes[i]);
      }
    });
  }
  for (std::size_t d = 0; d < pending.size(); ++d) {
    if (!pending[d]) continue;
    std::vector<sae::Sae> seeds;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      if (jobs[j].dictionary != d) continue;
      broadcast(world, trained[j], owner[j]);
      seeds.push_back(std::move(trained[j]));
    }
    const auto& unit = session.ledger->sae(d);
    const auto claimed = claim(world, unit, *session.stop);
    if (!claimed) continue;
    parallel::together(world, "writing the SAE", [&] {
      const auto timer = session.timing.phase("write");
      store::Writer file(world, unit.path, session.header(unit));
      sae::write_saes(file, seeds);
      file.commit();
    });
    report(session, session.study.dictionaries[d].name, seeds.front());
  }
  session.leave_if_asked();
}

}  // namespace incipit::command
