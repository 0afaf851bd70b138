#include "command/session.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include "command/audit.hpp"
#include "command/device.hpp"
#include "command/hashes.hpp"
#include "command/machine.hpp"
#include "command/parts.hpp"
#include "console/progress.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/node.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"

namespace incipit::command {
namespace {

/// Rank 0's part of entering an output folder: jobs with the same keys may fill it together, another deck may
/// not come in while one of them lives. Leaves the resolved deck there.
void enter_output(Session& session) {
  const auto path = session.deck.run.output / "deck.ini";
  std::string keys;
  for (auto stage : {deck::Stage::extract, deck::Stage::loss, deck::Stage::train, deck::Stage::interpret,
                     deck::Stage::match, deck::Stage::align, deck::Stage::attribute, deck::Stage::track})
    keys += deck::keys_of(session.deck, stage);
  // No stage is made anew for these, but they decide what is in its files.
  keys += fmt::format("{} {}", session.deck.extract.loss, session.deck.extract.components);
  const auto what = store::sha256(keys);
  store::remove_abandoned_below(session.deck.run.output);
  session.output_lock = store::FileLock::try_lock(path, what);
  const auto holder = store::FileLock::holder(path);
  if (holder && holder->what != what)
    throw Error(Exit::usage,
                fmt::format("{}: process {} on {} runs another deck into this output since {}; give this one "
                            "its own run.output",
                            session.deck.run.output.string(), holder->pid, holder->host, holder->since));
  store::write_text_atomic(path, deck::resolved(session.deck));
}

/// Of a job that does some models only (run.only): other models' checkpoints are not even audited.
void begin_part(Study& study, const std::vector<std::string>& models, const std::string& subcommand) {
  if (subcommand != "extract" && subcommand != "loss")
    throw Error(
        Exit::usage,
        fmt::format("run.only = {}: `incipit {}` needs all models; only `extract` and `loss` can be done "
                    "model by model",
                    fmt::join(models, ","), subcommand));
  keep_models(study, models);
}

/// What needs all models is not this job's, and controls may have added checkpoints of others.
void end_part(Study& study, const std::vector<std::string>& models) {
  keep_models(study, models);
  study.dictionaries.clear();
  study.maps.clear();
  study.trails.clear();
}

std::string sites_text(const Study& study) {
  if (study.scope == Scope::ladder) return {};
  std::size_t sites = 0;
  for (const auto& checkpoint : study.checkpoints) sites += checkpoint.layers.size();
  return fmt::format(", {} sites", sites);
}

void greet(Session& session) {
  auto& console = session.console;
  const auto& study = session.study;
  console.line("Incipit on {} rank(s) x {} thread(s), {}", session.world.size(), session.threads,
               session.device->name());
  console.line("device    {}, {}; {:.1f} GiB for each rank", kind_of(*session.device),
               session.device->libraries(), std::ldexp(static_cast<double>(session.memory), -30));
  console.line("family    {} models, {} checkpoints{}", study.family.models.size(), study.checkpoints.size(),
               sites_text(study));
  const auto& probes = study.probes;
  const auto count = [&](corpus::Part part) { return probes.of(part).size(); };
  console.line("probes    {} of {} subjects in {} groups; fit {}, verify {}, judge {}{}", probes.all.size(),
               probes.subjects.size(), probes.groups.size(), count(corpus::Part::fit),
               count(corpus::Part::verify), count(corpus::Part::judge), probes.split ? "" : " (split: none)");
  for (const auto& anchor : study.anchors) {
    std::vector<std::string> curves;
    for (const auto& curve : anchor.curves)
      curves.push_back(fmt::format("{} ({} points)", curve.name, curve.points.size()));
    console.line("anchor    {}: {}; {}", anchor.name, study.describe(anchor.site), fmt::join(curves, ", "));
  }
  for (std::size_t d = study.anchors.size(); d < study.dictionaries.size(); ++d)
    console.line("control   {}: {}", study.dictionaries[d].name, study.describe(study.dictionaries[d].site));
  for (const auto& trail : study.trails)
    if (trail.place.starts_with("controls") && !trail.seed)
      console.line("control   {}: {}/{} ({} points)", study.anchors[trail.anchor].name, trail.place,
                   trail.curve.name, trail.curve.points.size());
  console.line("output    {}", session.deck.run.output.string());
}

/// What a reader of the results must know about the probes, said before the hours are spent.
void warn_about_probes(Session& session) {
  const auto& study = session.study;
  if (study.dropped > 0)
    session.console.warn(
        "{} probes are longer than the shortest context of the family and are left out "
        "(probes.long = drop)",
        study.dropped);
  for (const auto& text : study.texts) {
    const auto single =
        std::ranges::count_if(text.tokens, [](const auto& tokens) { return tokens.size() == 1; });
    if (single > 0)
      session.console.warn(
          "{} probes have a single token: at the first position attention has nothing else to look at, "
          "so such probes look alike in most models",
          single);
  }
  if (study.scope == Scope::ladder) return;  // no dictionary is made
  const auto verify = static_cast<std::int64_t>(study.probes.of(corpus::Part::verify).size());
  if (verify < 20 * session.deck.sae.latents)
    session.console.warn(
        "sae.latents = {}: latents see {:.1f} verify probes on average, and at least 20 make a verdict; "
        "sae.latents = {} would do",
        session.deck.sae.latents, static_cast<double>(verify) / static_cast<double>(session.deck.sae.latents),
        std::max<std::int64_t>(1, verify / 20));
}

/// Puts what the ranks' libraries were left to choose on record, each line once.
void log_choices(Session& session) {
  const auto mine = session.device->choices();
  std::set<std::string> lines;
  for (const auto& text : session.world.all_gather(fmt::format("{}", fmt::join(mine, "\n")))) {
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.insert(line);
  }
  if (!lines.empty())
    session.console.log_only(fmt::format("Algorithms of the device's libraries\n{}", fmt::join(lines, "\n")));
}

void tell_traffic(Session& session, const console::Timing::Summary& summary, const RunFacts& facts) {
  console::Work all = summary.elsewhere.total;
  for (const auto& row : summary.rows) all += row.total;
  session.console.line("files     {} read, {} written", console::human_bytes(all.bytes_read),
                       console::human_bytes(all.bytes_written));
  session.console.line("memory    {:.2f} GiB of the rank that took most; {:.2f} GiB might be taken",
                       std::ldexp(static_cast<double>(facts.peak_memory), -30),
                       std::ldexp(static_cast<double>(facts.memory), -30));
}

}  // namespace

store::Header Session::header(const Unit& unit) const {
  store::Header header;
  header.kind = unit.kind;
  header.fingerprint = unit.fingerprint;
  header.precision = deck.run.precision;
  header.device = kind_of(*device);
  header.cpu = device->name();
  header.split = deck.probes.split;
  header.seed = deck.run.seed;
  header.libraries = device->libraries() + "; " + library_versions();
  header.deck = deck::resolved_science(deck);
  header.inputs = unit.inputs;
  header.operational = deck::resolved_operational(deck);
  header.mpi_hints = hints_of_files(deck.run.mpi_hints);
  return header;
}

std::vector<bool> Session::pending(deck::Stage stage, bool again) const {
  const auto units = ledger->of(stage);
  std::vector<std::int8_t> states;
  parallel::together(world, "reading the ledger", [&] {
    if (!world.root()) return;
    std::string stale;
    const bool in_parts = std::filesystem::exists(deck.run.output / "parts");
    for (const auto* unit : units) {
      auto state = state_of(*unit);
      if (state == State::missing && let_go.contains(unit)) state = State::done;
      states.push_back(static_cast<std::int8_t>(state));
      // A job that was killed behind the rename has left them.
      if (state == State::done && in_parts) remove_parts(deck.run.output, *unit);
      if (state == State::stale && stale.empty())
        stale =
            fmt::format("{} was made from something else: {} differ", unit->path.string(), why_stale(*unit));
    }
    if (!stale.empty() && !again)
      throw Error(
          Exit::usage,
          fmt::format(
              "stage {} is stale: {}. Give the new deck its own run.output, or set --run.redo=yes to make "
              "this stage and those after it again",
              deck::name_of(stage), stale));
  });
  world.broadcast(states);
  std::vector<bool> todo;
  todo.reserve(states.size());
  for (auto state : states) todo.push_back(static_cast<State>(state) != State::done);
  return todo;
}

void Session::require(const std::vector<const Unit*>& units) const {
  parallel::together(world, "reading the ledger", [&] {
    if (!world.root()) return;
    for (const auto* unit : units) {
      const auto state = state_of(*unit);
      if (state == State::done) continue;
      throw Error(
          Exit::usage,
          fmt::format("{} {}: run `incipit {}` with this deck first", unit->path.string(),
                      state == State::missing ? "is not there"
                                              : "was made from something else (" + why_stale(*unit) + ")",
                      deck::name_of(unit->stage)));
    }
  });
}

void Session::leave_if_asked(const std::string& kept) const {
  if (!world.any(stop->asked())) return;
  parallel::together(world, "", [&] { throw_if_asked(kept); });
}

void Session::throw_if_asked(const std::string& kept) const {
  if (!stop->asked()) return;
  throw Error(Exit::again,
              fmt::format("stopped early ({}); what was finished is kept{}{}; the same command goes on",
                          stop->reason(), kept.empty() ? "" : ", and ", kept));
}

std::unique_ptr<Session> open_session(const parallel::Communicator& world, const deck::Deck& deck,
                                      const std::string& subcommand, Scope scope,
                                      const std::function<void(Study&, const deck::Deck&)>& plan,
                                      bool quiet) {
  auto session = std::make_unique<Session>(world, deck, world.rank(), quiet);
  auto& output = session->deck.run.output;
  parallel::together(world, "making the output folder", [&] {
    if (world.root()) store::ensure_folder(output);
  });
  session->stop = std::make_unique<Stop>(output, deck.run.max_time);
  session->leave_if_asked();
  session->threads = deck.run.threads.value_or(parallel::default_threads(world));
  omp_set_num_threads(session->threads);  // for the loops outside the device
  session->nodes = parallel::node_of_ranks(world);
  auto computer = choose_device(world, deck.run, session->threads);
  session->device = std::move(computer.device);
  session->memory = computer.memory;
  parallel::together(world, "start", [&] {
    session->rates = rates_of(deck.run, *session->device, session->threads);
    if (world.root()) session->console.attach(output / "run.log");
    const auto timer = session->timing.phase("set up");
    session->study = resolve(deck, scope);
    if (!deck.run.only.empty()) begin_part(session->study, deck.run.only, subcommand);
  });
  audit_study(*session);
  if (scope == Scope::curves) plan(session->study, deck);
  if (!deck.run.only.empty()) end_part(session->study, deck.run.only);
  const auto timer = session->timing.phase("set up");
  std::vector<std::filesystem::path> files;
  parallel::together(world, "listing the inputs", [&] { files = input_files(deck, session->study); });
  const auto hashes = hash_files(world, files, output / "hashes.txt", session->file_hashes,
                                 [&] { session->throw_if_asked(); });
  session->ledger = std::make_unique<Ledger>(deck, session->study, hashes, kind_of(*session->device));
  parallel::together(world, "entering the output folder", [&] {
    if (world.root()) enter_output(*session);
  });
  session->console.line("incipit {}", subcommand);
  greet(*session);
  for (const auto& warning : computer.warnings) session->console.warn("{}", warning);
  warn_about_probes(*session);
  return session;
}

void close_session(Session& session) {
  log_choices(session);
  // Of jobs that were killed while this one ran beside them.
  if (session.world.root()) store::remove_abandoned_below(session.deck.run.output);
  const auto& world = session.world;
  const auto summary = session.timing.summary(world);
  RunFacts facts = session.facts;
  facts.ranks = world.size();
  facts.ranks_per_node = plan::most_on_a_node(session.nodes);
  facts.waves = world.sum(facts.waves);
  facts.unshared = world.sum(facts.unshared);
  facts.peak_memory = static_cast<std::uint64_t>(world.max(static_cast<std::int64_t>(peak_memory())));
  facts.memory = session.memory;
  for (const auto& passes : session.passes) {
    facts.passes += std::ssize(passes);
    if (world.root())
      facts.useful_ranks = std::max(facts.useful_ranks, plan::useful_ranks(passes, session.nodes));
  }
  auto& console = session.console;
  console.line("\nWhere the time went (seconds per rank; rates of all {} rank(s) together)", facts.ranks);
  console.block(console::Timing::table(summary));
  tell_traffic(session, summary, facts);
  console.line("bound     {}", bound_of(summary));
  for (const auto& suggestion : suggestions(summary, facts)) console.line("hint      {}", suggestion);
}

}  // namespace incipit::command
