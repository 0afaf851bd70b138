#include "sae/train.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <span>

#include "command/activations.hpp"
#include "command/claim.hpp"
#include "command/pace.hpp"
#include "command/parts.hpp"
#include "command/pass_cost.hpp"
#include "command/stages.hpp"
#include "console/progress.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "sae/file.hpp"
#include "sae/state.hpp"
#include "store/files.hpp"
#include "store/reader.hpp"
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
struct TrainingRows {
  std::vector<float> fit, verify;
};

TrainingRows read_rows(Session& session, const Site& site) {
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
/// is its own set. What comes out is the same bytes however they are cut. Those of a set have the same number
/// of steps behind them (`steps` of all jobs). Sets hold indices of jobs.
std::vector<std::vector<std::size_t>> cut_into_sets(const Session& session, const std::vector<Job>& jobs,
                                                    std::span<const std::size_t> mine,
                                                    const std::vector<std::int64_t>& steps) {
  constexpr std::int64_t most_bytes = std::int64_t{4} << 30U;
  constexpr std::int64_t most_saes = 1024;
  const bool together = session.device->kind() == device::Kind::cuda;
  const auto n = static_cast<std::int64_t>(session.study.probes.of(corpus::Part::fit).size());
  std::vector<std::vector<std::size_t>> sets;
  std::map<std::array<std::int64_t, 4>, std::size_t>
      open;  // the set that still takes jobs of a width, a size and a place
  for (const std::size_t j : mine) {
    const Dictionary& dictionary = session.study.dictionaries[jobs[j].dictionary];
    const std::int64_t width = width_of(session, jobs[j]);
    const auto options = sae_options(session.deck, dictionary);
    const auto bytes = sae::training_bytes(n, width, options);
    const std::int64_t most = together ? std::clamp(most_bytes / bytes, std::int64_t{1}, most_saes) : 1;
    const std::array kind{width, options.k, options.latents, steps[j]};
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

/// What is kept of SAEs under way, each in a file of its own: where its training stands, or the SAE itself
/// where the file of its dictionary still waits for others.
class KeptTraining {
 public:
  explicit KeptTraining(Session& session) : session_(session), pace_(session.deck.run.part_after) {}

  /// Steps done, all of them for an SAE; 0 where nothing is kept.
  [[nodiscard]] std::int64_t steps(const Job& job) const {
    const auto part = open(job);
    if (!part) return 0;
    return part->kind() == state_kind ? part->attribute_integer("", "steps") : session_.deck.sae.steps;
  }
  [[nodiscard]] std::optional<sae::State> state(const Job& job) const {
    const auto part = open(job);
    return part && part->kind() == state_kind ? std::optional(sae::read_state(*part)) : std::nullopt;
  }
  [[nodiscard]] std::optional<sae::Sae> whole(const Job& job) const {
    const auto part = open(job);
    return part && part->kind() == sae_kind ? std::optional(sae::read_saes(*part).front()) : std::nullopt;
  }

  [[nodiscard]] bool due() { return pace_.due(); }
  void keep(const Job& job, const sae::State& state) {
    write(job, state_kind, [&](store::Writer& file) { sae::write_state(file, state); });
  }
  void keep(const Job& job, const sae::Sae& sae) {
    write(job, sae_kind, [&](store::Writer& file) { sae::write_saes(file, {sae}); });
  }

 private:
  static constexpr const char *state_kind = "sae_state", *sae_kind = "sae";

  [[nodiscard]] const Unit& unit(const Job& job) const { return session_.ledger->sae(job.dictionary); }
  [[nodiscard]] std::filesystem::path path(const Job& job) const {
    return parts_folder(session_.deck.run.output, unit(job)) / fmt::format("{}.h5", job.seed);
  }
  [[nodiscard]] std::optional<store::Reader> open(const Job& job) const {
    return open_part(path(job), {state_kind, sae_kind}, unit(job));
  }
  void write(const Job& job, const char* kind, const std::function<void(store::Writer&)>& content) {
    const auto timer = session_.timing.phase("keep");
    pace_.keep([&] {
      store::ensure_folder(path(job).parent_path());
      auto header = session_.header(unit(job));
      header.kind = kind;
      const auto self = parallel::Communicator::self();
      store::Writer file(self, path(job), header);
      content(file);
      file.commit();
    });
  }

  Session& session_;
  Pace pace_;
};

/// Where the jobs of a set were left. Where a file has vanished meanwhile the set begins again.
std::vector<sae::State> states_of(const KeptTraining& kept, const std::vector<Job>& jobs,
                                  std::int64_t steps) {
  std::vector<sae::State> states;
  if (steps == 0) return states;
  for (const Job& job : jobs)
    if (auto state = kept.state(job); state && state->steps == steps) states.push_back(std::move(*state));
  if (states.size() < jobs.size()) states.clear();
  return states;
}

/// Jobs of one width and size with `steps` behind them, in the order of their dictionaries. Empty when a stop
/// was asked for.
std::vector<sae::Sae> train_set(Session& session, const std::vector<Job>& jobs, std::int64_t steps,
                                KeptTraining& kept, console::Progress& progress) {
  std::map<std::size_t, TrainingRows> parts;  // by dictionary: its seeds share them
  std::vector<sae::Job> training;
  const std::vector<sae::State> states = states_of(kept, jobs, steps);
  for (const Job& job : jobs) {
    const Dictionary& dictionary = session.study.dictionaries[job.dictionary];
    if (!parts.contains(job.dictionary)) parts[job.dictionary] = read_rows(session, dictionary.site);
    training.push_back({.fit = parts[job.dictionary].fit,
                        .verify = parts[job.dictionary].verify,
                        .seed = job.seed,
                        .name = fmt::format("dictionary {} ({}), seed {}", dictionary.name,
                                            session.study.describe(dictionary.site), job.seed),
                        .from = states.empty() ? nullptr : &states[training.size()]});
  }
  if (!states.empty()) progress.advance(steps * std::ssize(jobs));
  const auto timer = session.timing.phase("train");
  sae::TrainHooks hooks;
  const auto options = sae_options(session.deck, session.study.dictionaries[jobs.front().dictionary]);
  const auto d = width_of(session, jobs.front());
  console::Work step;
  for (const auto& job : training)
    step.flops += training_flops(options, std::ssize(job.fit) / d, d) / static_cast<double>(options.steps);
  hooks.progress = [&](std::int64_t) {
    session.timing.add("train", step);
    progress.advance(std::ssize(jobs));
  };
  hooks.stop = [&] { return session.stop->asked(); };
  hooks.due = [&] { return kept.due(); };
  hooks.keep = [&](std::size_t job, const sae::State& state) { kept.keep(jobs[job], state); };
  return sae::train_many(*session.device, training, d, options, hooks);
}

/// This rank's share of the jobs, from where they were left. What a stop leaves half done is kept.
class Share {
 public:
  Share(Session& session, const std::vector<Job>& jobs, std::vector<std::size_t> mine, KeptTraining& kept,
        std::vector<sae::Sae>& trained)
      : session_(session), jobs_(jobs), mine_(std::move(mine)), kept_(kept), trained_(trained) {}

  void run(console::Progress& progress) {
    std::vector<std::int64_t> steps(jobs_.size());
    std::vector<std::size_t> left;
    for (const std::size_t j : mine_) {
      if (auto sae = kept_.whole(jobs_[j])) {
        trained_[j] = std::move(*sae);
        progress.advance(session_.deck.sae.steps);
      } else {
        steps[j] = kept_.steps(jobs_[j]);
        left.push_back(j);
      }
    }
    for (const auto& set : cut_into_sets(session_, jobs_, left, steps)) {
      std::vector<Job> of_set;
      for (const std::size_t j : set) of_set.push_back(jobs_[j]);
      auto saes = train_set(session_, of_set, steps[set.front()], kept_, progress);
      if (saes.empty()) return;
      for (std::size_t i = 0; i < set.size(); ++i) {
        trained_[set[i]] = std::move(saes[i]);
        only_here_.push_back(set[i]);
      }
      if (kept_.due()) keep();
    }
  }

  /// SAEs that are trained and lie nowhere yet.
  void keep() {
    for (const std::size_t j : only_here_) kept_.keep(jobs_[j], trained_[j]);
    only_here_.clear();
  }

 private:
  Session& session_;
  const std::vector<Job>& jobs_;
  std::vector<std::size_t> mine_, only_here_;
  KeptTraining& kept_;
  std::vector<sae::Sae>& trained_;
};

/// What is left to do of each job, relative to each other. Collective; rank 0 looks at what is kept.
std::vector<double> costs_of(const Session& session, const std::vector<Job>& jobs, const KeptTraining& kept) {
  std::vector<double> costs;
  parallel::together(session.world, "reading what is kept of SAEs", [&] {
    if (!session.world.root()) return;
    for (const Job& job : jobs) {
      const auto options = sae_options(session.deck, session.study.dictionaries[job.dictionary]);
      const auto left = options.steps - kept.steps(job);
      costs.push_back(static_cast<double>(width_of(session, job) * options.latents * (left + 1)));
    }
  });
  session.world.broadcast(costs);
  return costs;
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

/// Makes the files of dictionaries that were claimed, and gives them back one by one: `done(d)`. Throws when
/// a stop was asked for.
void make_dictionaries(Session& session, KeptTraining& kept, const std::vector<std::size_t>& dictionaries,
                       Claims& claims) {
  const auto& world = session.world;
  std::vector<Job> jobs;
  for (const auto d : dictionaries)
    for (std::int64_t s = 0; s < session.study.dictionaries[d].seeds; ++s)
      jobs.push_back({d, session.deck.run.seed + static_cast<std::uint64_t>(s)});
  const auto owner = parallel::assign_longest_first(costs_of(session, jobs, kept), world.size());
  std::vector<sae::Sae> trained(jobs.size());
  std::vector<std::size_t> mine;
  for (std::size_t j = 0; j < jobs.size(); ++j)
    if (owner[j] == world.rank()) mine.push_back(j);
  {
    console::Progress progress(session.console, "train", std::ssize(mine) * session.deck.sae.steps,
                               "steps of rank 0");
    Share share(session, jobs, mine, kept, trained);
    parallel::together(world, "train", [&] { share.run(progress); });
    if (world.any(session.stop->asked())) {
      parallel::together(world, "keeping trained SAEs", [&] { share.keep(); });
      session.leave_if_asked("SAEs in training go on where they stood");
    }
  }
  for (const auto d : dictionaries) {
    std::vector<sae::Sae> seeds;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      if (jobs[j].dictionary != d) continue;
      broadcast(world, trained[j], owner[j]);
      seeds.push_back(std::move(trained[j]));
    }
    const auto& unit = session.ledger->sae(d);
    parallel::together(world, "writing the SAE", [&] {
      const auto timer = session.timing.phase("write");
      store::Writer file(world, unit.path, session.header(unit));
      sae::write_saes(file, seeds);
      file.commit();
      if (world.root()) remove_parts(session.deck.run.output, unit);
    });
    claims.release(d);
    report(session, session.study.dictionaries[d].name, seeds.front());
  }
}

}  // namespace

void train(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::train, again);
  std::vector<const Unit*> needed;
  for (std::size_t d = 0; d < pending.size(); ++d)
    if (pending[d]) needed.push_back(&session.ledger->activations(session.study.dictionaries[d].site));
  if (needed.empty()) return;
  session.require(needed);
  KeptTraining kept(session);
  Claims claims(session, session.world, session.ledger->of(deck::Stage::train), pending);
  const auto all = pending.size();
  for (auto mine = claims.next(all); !mine.empty(); mine = claims.next(all))
    make_dictionaries(session, kept, mine, claims);
  session.leave_if_asked();
}

}  // namespace incipit::command
