#include "sae/train.hpp"

#include <fmt/format.h>

#include <algorithm>

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
  std::size_t anchor;
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

sae::Sae train_one(Session& session, const Job& job, console::Progress& progress) {
  const auto& anchor = session.study.anchors[job.anchor];
  const auto& probes = session.study.probes;
  std::vector<float> fit, verify;
  std::int64_t width = 0;
  {
    const auto timer = session.timing.phase("read");
    const Activations activations(session.ledger->activations(anchor.site).path,
                                  static_cast<std::int64_t>(probes.all.size()));
    fit = activations.rows(anchor.site.layer, probes.of(corpus::Part::fit));
    verify = activations.rows(anchor.site.layer, probes.of(corpus::Part::verify));
    width = activations.width();
  }
  const auto timer = session.timing.phase("train");
  sae::TrainHooks hooks;
  hooks.progress = [&](std::int64_t) { progress.advance(); };
  hooks.stop = [&] { return session.stop->asked(); };
  try {
    return sae::train(*session.device, fit, verify, width, session.deck.sae, job.seed, hooks);
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("anchor {} ({}), seed {}: {}", anchor.name,
                                          session.study.describe(anchor.site), job.seed, error.what()));
  }
}

void report(Session& session, const std::string& anchor, const sae::Sae& sae) {
  session.console.line("sae {}: h = {}, k = {}, d = {}; verify FVU {:.3f}, dead {:.1f} %", anchor, sae.h,
                       sae.k, sae.d, sae.verify_fvu, 100 * sae.history.dead.back());
  if (sae.unconverged)
    session.console.warn(
        "sae {}: the verify part's FVU still moved by more than 1 % in the last tenth of the steps; "
        "raise sae.steps",
        anchor);
}

}  // namespace

void train(Session& session, bool again) {
  const auto pending = session.pending(deck::Stage::train, again);
  std::vector<Job> jobs;
  std::vector<double> costs;
  std::vector<const Unit*> needed;
  for (std::size_t a = 0; a < pending.size(); ++a) {
    if (!pending[a]) continue;
    const auto& anchor = session.study.anchors[a];
    needed.push_back(&session.ledger->activations(anchor.site));
    for (std::int64_t s = 0; s < session.deck.sae.seeds; ++s) {
      jobs.push_back({a, session.deck.run.seed + static_cast<std::uint64_t>(s)});
      costs.push_back(static_cast<double>(session.study.model(anchor.site).config.d));
    }
  }
  if (jobs.empty()) return;
  session.require(needed);
  const auto& world = session.world;
  const auto owner = parallel::assign_longest_first(costs, world.size());
  std::vector<sae::Sae> trained(jobs.size());
  const auto mine = std::ranges::count(owner, world.rank());
  {
    console::Progress progress(session.console, "train", mine * session.deck.sae.steps, "steps of rank 0");
    parallel::together(world, "train", [&] {
      for (std::size_t j = 0; j < jobs.size(); ++j)
        if (owner[j] == world.rank()) trained[j] = train_one(session, jobs[j], progress);
    });
  }
  for (std::size_t a = 0; a < pending.size(); ++a) {
    if (!pending[a]) continue;
    std::vector<sae::Sae> seeds;
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      if (jobs[j].anchor != a) continue;
      broadcast(world, trained[j], owner[j]);
      seeds.push_back(std::move(trained[j]));
    }
    const auto& unit = session.ledger->sae(a);
    const auto claimed = claim(world, unit, *session.stop);
    if (!claimed) continue;
    parallel::together(world, "writing the SAE", [&] {
      const auto timer = session.timing.phase("write");
      store::Writer file(world, unit.path, session.header(unit));
      sae::write_saes(file, seeds);
      file.commit();
    });
    report(session, session.study.anchors[a].name, seeds.front());
  }
  session.leave_if_asked();
}

}  // namespace incipit::command
