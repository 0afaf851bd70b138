#include "command/audit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <span>

#include "command/audit_file.hpp"
#include "command/command.hpp"
#include "command/hashes.hpp"
#include "command/machine.hpp"
#include "command/option.hpp"
#include "console/progress.hpp"
#include "console/table.hpp"
#include "deck/deck.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"
#include "store/json.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;
using checkpoint::LadderStep;
using checkpoint::Verdict;

/// Bytes that lie in a checkpoint's folder: what reading it costs.
double cost(const AuditItem& item) {
  double bytes = 1;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(item.folder, ignored))
    if (entry.is_regular_file(ignored)) bytes += static_cast<double>(entry.file_size(ignored));
  return bytes;
}

/// Fingerprints on disk, one file per checkpoint: a line that tells what it was made from, the hash of the
/// rest, and the fingerprint's bytes. What does not fit or is damaged is made anew.
class Cache {
 public:
  Cache(const fs::path& folder, const AuditItem& item, const checkpoint::Weights& weights) {
    if (folder.empty()) return;
    path_ = folder / item.model / fmt::format("step{}", item.step);
    key_ = "incipit fingerprint 1";
    for (const auto& file : weights.files()) key_ += fmt::format(" {} {}", file_stamp(file), file.string());
    key_ += "\n";
  }

  [[nodiscard]] std::optional<checkpoint::Fingerprint> find() const {
    if (path_.empty() || !fs::exists(path_)) return {};
    const std::string text = store::read_text(path_);
    constexpr std::size_t hash_line = 65;
    if (!text.starts_with(key_) || text.size() < key_.size() + hash_line) return {};
    const std::string_view rest = std::string_view(text).substr(key_.size());
    const std::string_view bytes = rest.substr(hash_line);
    if (store::sha256(bytes) != rest.substr(0, hash_line - 1)) return {};
    return checkpoint::fingerprint_from_bytes(bytes);
  }

  void keep(const checkpoint::Fingerprint& print) const {
    if (path_.empty()) return;
    const std::string bytes = to_bytes(print);
    store::ensure_folder(path_.parent_path());
    store::write_text_atomic(path_, key_ + store::sha256(bytes) + "\n" + bytes);
  }

 private:
  fs::path path_;  ///< empty without a cache
  std::string key_;
};

/// What a rank tells rank 0 of one checkpoint: its number, and then the trouble or the fingerprint.
struct Message {
  std::uint64_t item = 0;
  std::uint64_t trouble = 0;  ///< 1: the text is what went wrong
  std::string text;

  void append_to(std::string& out) const {
    const std::uint64_t head[3] = {item, trouble, text.size()};
    out.append(reinterpret_cast<const char*>(head), sizeof head);
    out += text;
  }
  static Message take_from(std::string_view& bytes) {
    std::uint64_t head[3];
    std::memcpy(head, bytes.data(), sizeof head);
    Message message{head[0], head[1], std::string(bytes.substr(sizeof head, head[2]))};
    bytes.remove_prefix(sizeof head + head[2]);
    return message;
  }
};

Message look_at(const AuditItem& item, std::size_t number, const fs::path& folder, Unreadable unreadable) {
  std::optional<Cache> cache;
  std::optional<checkpoint::Fingerprint> known, fresh;
  try {
    const auto weights = checkpoint::Weights::open(item.folder);
    check_tensors(weights, item.config, checkpoint::Head::unneeded);  // only losses need it, and look
    cache.emplace(folder, item, weights);
    known = cache->find();
    if (!known) fresh = checkpoint::fingerprint(weights);
  } catch (const Error& error) {
    const bool of_the_checkpoint = error.code() == Exit::data || error.code() == Exit::io;
    if (unreadable == Unreadable::refuse || !of_the_checkpoint) throw;
    return {number, 1, error.what()};
  }
  if (fresh) cache->keep(*fresh);  // a full disk is no fault of the checkpoint
  return {number, 0, to_bytes(known ? *known : *fresh)};
}

std::string cell(double value, int digits) {
  return std::isnan(value) ? "-" : fmt::format("{:.{}f}", value, digits);
}

std::string shown(const Verdict& verdict) {
  return verdict.reason.empty() ? verdict.status : verdict.status + ": " + verdict.reason;
}

}  // namespace

FamilyAudit::FamilyAudit(const parallel::Communicator& world, console::Console& console,
                         std::vector<AuditItem> items, const fs::path& cache, Unreadable unreadable,
                         const std::function<void()>& between)
    : world_(world), items_(std::move(items)) {
  std::vector<double> costs;
  parallel::together(world, "listing the checkpoints", [&] {
    if (!world.root()) return;  // one rank looks, so that all share the work out alike
    for (const AuditItem& item : items_) costs.push_back(cost(item));
  });
  world.broadcast(costs);
  const auto owner = parallel::assign_longest_first(costs, world.size());
  const auto count = std::ranges::count(owner, world.rank());
  std::string mine;
  {
    console::Progress progress(console, "audit", count, "checkpoints of rank 0");
    parallel::together(world, "audit", [&] {
      for (std::size_t i = 0; i < items_.size(); ++i) {
        if (owner[i] != world.rank()) continue;
        if (between) between();
        look_at(items_[i], i, cache, unreadable).append_to(mine);
        progress.advance();
      }
    });
  }
  gather(mine);
  parallel::together(world, "comparing the checkpoints", [&] {
    if (world_.root()) compare();
  });
  share();
}

/// All to rank 0, and to no other: a large family's fingerprints make a hundred megabytes.
void FamilyAudit::gather(const std::string& mine) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(world_.size()), 0);
  counts.front() = static_cast<std::int64_t>(mine.size());
  const auto all = world_.all_to_all(std::span<const char>(mine), std::span<const std::int64_t>(counts));
  std::string_view bytes(all.data(), all.size());
  steps_.resize(world_.root() ? items_.size() : 0);
  while (!bytes.empty()) {
    const auto message = Message::take_from(bytes);
    auto& step = steps_[message.item];
    step.step = items_[message.item].step;
    if (message.trouble != 0) {
      step.trouble = message.text;
    } else {
      step.print = checkpoint::fingerprint_from_bytes(message.text);
    }
  }
}

void FamilyAudit::compare() {
  for (std::size_t first = 0; first < items_.size();) {
    std::size_t end = first;
    while (end < items_.size() && items_[end].model == items_[first].model) ++end;
    const auto ladder = std::span<const LadderStep>(steps_).subspan(first, end - first);
    for (auto& verdict : audit_ladder(ladder)) verdicts_.push_back(std::move(verdict));
    first = end;
  }
  for (std::size_t i = 0; i < items_.size(); ++i)
    for (const auto& file : steps_[i].print.files)
      hashes_[(items_[i].folder / file.name).string()] = file.sha256;
}

/// What all ranks act on: status and reason, and the hashes.
void FamilyAudit::share() {
  nlohmann::json text{{"verdicts", nlohmann::json::array()}, {"hashes", hashes_}};
  for (const Verdict& verdict : verdicts_) text["verdicts"].push_back({verdict.status, verdict.reason});
  // An error's text may quote bytes of a file that are not UTF-8.
  constexpr auto replace = nlohmann::json::error_handler_t::replace;
  const auto agreed = nlohmann::json::parse(world_.broadcast(text.dump(-1, ' ', false, replace)));
  verdicts_.resize(items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i) {
    verdicts_[i].step = items_[i].step;
    verdicts_[i].status = agreed["verdicts"][i][0].get<std::string>();
    verdicts_[i].reason = agreed["verdicts"][i][1].get<std::string>();
  }
  hashes_ = agreed["hashes"].get<std::map<std::string, std::string>>();
}

std::vector<std::string> FamilyAudit::complaints() const {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < items_.size(); ++i)
    if (!verdicts_[i].ok())
      lines.push_back(fmt::format("{} step {}: {}", items_[i].model, items_[i].step, shown(verdicts_[i])));
  return lines;
}

std::string FamilyAudit::table() const {
  using console::Table;
  Table table({{"model", Table::Side::left},
               {"step"},
               {"norm"},
               {"cos first"},
               {"cos before"},
               {"verdict", Table::Side::left}});
  for (std::size_t i = 0; i < items_.size(); ++i) {
    const Verdict& v = verdicts_[i];
    table.row({items_[i].model, fmt::format("{}", v.step), cell(v.norm, 2), cell(v.cosine_first, 4),
               cell(v.cosine_before, 4), shown(v)});
  }
  return table.text();
}

void FamilyAudit::write(const fs::path& path, store::Header header,
                        const std::vector<checkpoint::MissingStep>& missing) const {
  parallel::together(world_, "writing audit.h5", [&] {
    if (!world_.root()) return;
    AuditFile file{{}, missing};
    for (std::size_t i = 0; i < items_.size(); ++i)
      file.checkpoints.push_back({items_[i].model, &steps_[i], &verdicts_[i]});
    for (const auto& [name, sha256] : hashes_) header.inputs.push_back({name, sha256});
    write_audit_file(path, std::move(header), file);
  });
}

namespace {

std::vector<checkpoint::MissingStep> find_missing(const checkpoint::Family& family) {
  std::vector<checkpoint::ModelSteps> ladders;
  for (const auto& model : family.models) {
    ladders.push_back({model.name, {}});
    for (const auto& step : model.steps) ladders.back().steps.push_back(step.step);
  }
  return missing_steps(ladders);
}

/// One line per model: gaps are common in what people fetch, so they warn and fail nothing.
void warn_missing(console::Console& console, const std::vector<checkpoint::MissingStep>& missing) {
  for (auto step = missing.begin(); step != missing.end();) {
    const auto end = std::find_if(step, missing.end(), [&](const auto& m) { return m.model != step->model; });
    std::vector<std::int64_t> steps;
    for (auto it = step; it != end; ++it) steps.push_back(it->step);
    console.warn("{}: missing step{} {} ({})", step->model, steps.size() > 1 ? "s" : "",
                 fmt::join(steps, ", "), step->reason);
    step = end;
  }
}

std::string family_lines(const checkpoint::FamilyOptions& options) {
  return fmt::format("[family]\npath = {}\nmodels = {}\nsteps = {}\n", options.path,
                     fmt::join(options.models, ", "), options.steps);
}

store::Header audit_header(const checkpoint::FamilyOptions& options, const device::Device& device) {
  store::Header header;
  header.kind = "audit";
  header.precision = "float64";
  header.device = "host";
  header.cpu = device.name();
  header.split = "none";
  header.libraries = library_versions();
  header.deck = family_lines(options);
  return header;
}

struct Words {
  checkpoint::FamilyOptions family;
  fs::path output;
  bool help = false;
};

std::vector<std::string> parted(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    if (comma > at) parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

Words read_words(const std::vector<std::string>& words) {
  Words found;
  for (const std::string& word : words) {
    if (word == "--help" || word == "-h") {
      found.help = true;
    } else if (const auto models = value_of(word, "--models=")) {
      found.family.models = parted(*models);
    } else if (const auto steps = value_of(word, "--steps=")) {
      found.family.steps = *steps;
    } else if (const auto output = value_of(word, "--output=")) {
      found.output = *output;
    } else if (word.starts_with("-")) {
      throw Error(Exit::usage,
                  fmt::format("audit: no option '{}'; there are --models=, --steps= and --output=", word));
    } else if (!found.family.path.empty()) {
      throw Error(Exit::usage,
                  fmt::format("audit: one family at a time; found {} and {}", found.family.path, word));
    } else {
      found.family.path = word;
    }
  }
  if (!found.help && found.family.path.empty())
    throw Error(Exit::usage, "audit: which family? for example: incipit audit inputs/nano");
  if (fs::is_regular_file(found.family.path))
    throw Error(Exit::usage, fmt::format("audit: {} is a file; expected a folder or hf:ORG (a deck's family "
                                         "is audited by incipit run)",
                                         found.family.path));
  return found;
}

std::vector<AuditItem> items_of(const checkpoint::Family& family) {
  std::vector<AuditItem> items;
  for (const auto& model : family.models)
    for (const auto& step : model.steps) items.push_back({model.name, model.config, step.step, step.folder});
  return items;
}

std::string listed(const std::vector<std::string>& lines) {
  return fmt::format("\n  {}", fmt::join(lines, "\n  "));
}

}  // namespace

void audit(const parallel::Communicator& world, const std::vector<std::string>& words) {
  Words asked;
  checkpoint::Family family;
  parallel::together(world, "finding the family", [&] {
    asked = read_words(words);
    if (!asked.help) family = checkpoint::find_family(asked.family);
    if (world.root() && !asked.output.empty()) store::ensure_folder(asked.output);
  });
  if (asked.help) {
    if (world.root())
      fmt::print(
          "usage: incipit audit FAMILY [--models=A,B] [--steps=all|0,1000|log:N] [--output=FOLDER]\n\n"
          "Reads every checkpoint of FAMILY (a folder of MODEL/stepN, or hf:ORG) once and compares the "
          "steps\n"
          "of each model: equal weights, mixed shards, weights out of line with their step, NaN, missing\n"
          "steps. Exit 65 when a checkpoint is wrong. With --output: audit.h5, and a cache of what was "
          "read.\n");
    return;
  }
  console::Console console(world.rank());
  const FamilyAudit found(world, console, items_of(family),
                          asked.output.empty() ? fs::path() : asked.output / "audit", Unreadable::report);
  const auto missing =
      asked.family.steps == "all" ? find_missing(family) : std::vector<checkpoint::MissingStep>{};
  if (world.root()) console.block(found.table());
  warn_missing(console, missing);
  if (!asked.output.empty()) {
    const auto device = device::make_host_device(1);
    found.write(asked.output / "audit.h5", audit_header(asked.family, *device), missing);
  }
  const auto complaints = found.complaints();
  if (!complaints.empty())
    throw Error(Exit::data, fmt::format("{}: {} of {} checkpoints fail the audit:{}", asked.family.path,
                                        complaints.size(), found.items().size(), listed(complaints)));
  console.line("{} checkpoints, all ok", found.items().size());
}

void audit_study(Session& session) {
  const auto& run = session.deck.run;
  if (run.audit == "ignore") return;
  Study& study = session.study;
  std::vector<AuditItem> items;
  for (const Checkpoint& checkpoint : study.checkpoints) {
    const auto& model = study.model(checkpoint);
    items.push_back({model.name, model.config, checkpoint.step, checkpoint.folder});
  }
  const auto timer = session.timing.phase("audit");
  const FamilyAudit found(session.world, session.console, std::move(items), run.output / "audit",
                          Unreadable::refuse, [&] { session.throw_if_asked(); });
  session.file_hashes = found.hashes();
  const auto missing = session.deck.family.steps == "all" ? find_missing(study.family)
                                                          : std::vector<checkpoint::MissingStep>{};
  warn_missing(session.console, missing);
  found.write(run.output / "audit.h5", audit_header(session.deck.family, *session.device), missing);
  const auto complaints = found.complaints();
  if (run.audit == "strict" && !complaints.empty())
    throw Error(Exit::data, fmt::format("run.audit = strict: {} of {} checkpoints fail the audit:{}",
                                        complaints.size(), found.items().size(), listed(complaints)));
  std::vector<Study::Key> bad;
  for (std::size_t i = 0; i < found.items().size(); ++i) {
    const auto& verdict = found.verdicts()[i];
    session.audit.push_back({found.items()[i].model, verdict.step, verdict.status, verdict.reason});
    if (!verdict.ok()) bad.emplace_back(study.checkpoints[i].model, study.checkpoints[i].step);
  }
  for (const Anchor& anchor : study.anchors)
    if (const auto at = std::ranges::find(bad, Study::Key(anchor.site.model, anchor.site.step));
        at != bad.end())
      throw Error(
          Exit::data,
          fmt::format("anchor.{}: its checkpoint fails the audit: {}. Fetch it again, anchor at another "
                      "step, or set run.audit = ignore",
                      anchor.name, complaints[static_cast<std::size_t>(at - bad.begin())]));
  for (const auto& complaint : complaints) session.console.warn("left out: {}", complaint);
  leave_out(study, bad);
}

}  // namespace incipit::command
