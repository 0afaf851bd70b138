#include "command/closing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace incipit::command {
namespace {

using console::Timing;
using PhaseRow = Timing::Row;

/// Below this nobody saves anything.
constexpr double short_run = 10;
constexpr std::size_t most_suggestions = 2;

const PhaseRow* find(const Timing::Summary& summary, const std::string& name) {
  const auto found = std::ranges::find(summary.rows, name, &PhaseRow::name);
  return found == summary.rows.end() ? nullptr : &*found;
}

/// Of the time of all ranks.
double share_of(const Timing::Summary& summary, double seconds_of_all) {
  double all = summary.waiting.total.seconds + summary.elsewhere.total.seconds;
  for (const PhaseRow& row : summary.rows) all += row.total.seconds;
  return all > 0 ? seconds_of_all / all : 0;
}

/// Waiting for weights, over all phases.
double stalled(const Timing::Summary& summary) {
  double seconds = 0;
  for (const PhaseRow& row : summary.rows) seconds += row.total.stalled;
  return seconds;
}

double share_of_row(const Timing::Summary& summary, const char* name) {
  const PhaseRow* row = find(summary, name);
  return row == nullptr ? 0 : row->share;
}

std::string percent_text(double share) {
  return fmt::format("{:.0f} %", 100 * share);
}

/// Computing waits for weights where more ranks of a node ask for them than it can deliver to.
void suggest_about_reading(const Timing::Summary& summary, const RunFacts& facts,
                           std::vector<std::string>& all) {
  const PhaseRow* forward = find(summary, "forward");
  if (forward == nullptr || share_of(summary, stalled(summary)) < 0.1) return;
  const double idle = std::min(1.0, forward->total.stalled / std::max(1e-9, forward->total.seconds));
  const double rate = forward->total.bytes_read * 1e-9 / std::max(1e-9, forward->mean);
  const int enough = std::max(1, static_cast<int>(std::ceil(facts.ranks_per_node * (1 - idle))));
  if (enough < facts.ranks_per_node) {
    all.push_back(
        fmt::format("reading limits this run: the forward pass waited {} of its time for weights, which came "
                    "at {:.2g} GB/s: {} rank(s) per node would do",
                    percent_text(idle), rate, enough));
  } else {
    all.push_back(
        fmt::format("reading limits this run: the forward pass waited {} of its time for weights, which came "
                    "at {:.2g} GB/s: more nodes, a faster file system or more stripes would shorten it",
                    percent_text(idle), rate));
  }
}

void suggest_about_waves(const RunFacts& facts, std::vector<std::string>& all) {
  const std::int64_t needed =
      facts.passes * std::max<std::int64_t>(1, facts.ranks / std::max<std::int64_t>(1, facts.passes));
  if (facts.passes == 0 || facts.waves <= 2 * needed) return;
  all.push_back(
      fmt::format("weights were read {:.1f} times each, since a wave holds what run.memory ({:.1f} GiB) and "
                  "run.part_after allow: fewer ranks per node with more memory each read less",
                  static_cast<double>(facts.waves) / static_cast<double>(needed),
                  std::ldexp(static_cast<double>(facts.memory), -30)));
}

void suggest_about_sharing(const RunFacts& facts, std::vector<std::string>& all) {
  if (facts.unshared == 0) return;
  all.push_back(
      fmt::format("{} time(s) the ranks of a team read the same weights each for itself, since run.memory or "
                  "/dev/shm of their node had no room for two blocks that they share",
                  facts.unshared));
}

void suggest_about_waiting(const Timing::Summary& summary, const RunFacts& facts,
                           std::vector<std::string>& all) {
  if (facts.ranks == 1 || summary.waiting.share < 0.1) return;
  if (facts.passes > 0 && facts.useful_ranks < facts.ranks) {
    all.push_back(fmt::format(
        "ranks waited {} of the time: {} checkpoint(s) keep {} of {} ranks busy, and as many would "
        "do",
        percent_text(summary.waiting.share), facts.passes, facts.useful_ranks, facts.ranks));
    return;
  }
  // Whoever works longest is waited for.
  const auto unevenness = [](const PhaseRow& row) { return row.max - row.mean; };
  const auto uneven = std::ranges::max_element(summary.rows, {}, unevenness);
  if (uneven != summary.rows.end() && unevenness(*uneven) > summary.waiting.mean / 2) {
    all.push_back(
        fmt::format("ranks waited {} of the time, most of it for the phase {} ({:.1f} s on the slowest rank, "
                    "{:.1f} s on average): fewer ranks would hardly take longer",
                    percent_text(summary.waiting.share), uneven->name, uneven->max, uneven->mean));
  } else {
    all.push_back(fmt::format(
        "ranks waited {} of the time though each had as much to do: see with `incipit doctor` whether "
        "they share cores with each other or with other jobs",
        percent_text(summary.waiting.share)));
  }
}

void suggest_about_writing(const Timing::Summary& summary, std::vector<std::string>& all) {
  const PhaseRow* write = find(summary, "write");
  if (write == nullptr || write->share < 0.15) return;
  all.push_back(fmt::format(
      "writing takes {} of the time at {:.2g} GB/s: see whether `incipit doctor` finds the output's "
      "file system slow; extract.dtype = float16 halves the activations",
      percent_text(write->share), write->total.bytes_written * 1e-9 / std::max(1e-9, write->mean)));
}

void suggest_more_ranks(const Timing::Summary& summary, const RunFacts& facts,
                        std::vector<std::string>& all) {
  const double forward = share_of_row(summary, "forward");
  if (forward < 0.5 || summary.waiting.share > 0.1) return;
  if (facts.passes > facts.ranks)
    all.push_back(
        fmt::format("computing limits this run, as it should: up to {} ranks, one for each checkpoint, would "
                    "shorten it, or a GPU for each",
                    facts.passes));
}

}  // namespace

std::string bound_of(const Timing::Summary& summary) {
  const double reading = share_of(summary, stalled(summary));
  const auto longest = std::ranges::max_element(summary.rows, {}, &PhaseRow::share);
  if (longest == summary.rows.end()) return "nothing was done";
  const double writing = share_of_row(summary, "write");
  const double computing = 1 - reading - writing - summary.waiting.share - summary.elsewhere.share;
  const double most = std::max({computing, reading, writing, summary.waiting.share});
  if (most == summary.waiting.share)
    return fmt::format("waiting for other ranks: {} of the time", percent_text(most));
  if (most == reading) return fmt::format("reading weights: {} of the time", percent_text(most));
  if (most == writing) return fmt::format("writing: {} of the time", percent_text(most));
  return fmt::format("computing: {} of the time, {} in the phase {}", percent_text(computing),
                     percent_text(longest->share), longest->name);
}

std::vector<std::string> suggestions(const Timing::Summary& summary, const RunFacts& facts) {
  std::vector<std::string> all;
  if (summary.seconds < short_run) return all;
  suggest_about_reading(summary, facts, all);
  suggest_about_waves(facts, all);
  suggest_about_sharing(facts, all);
  suggest_about_waiting(summary, facts, all);
  suggest_about_writing(summary, all);
  suggest_more_ranks(summary, facts, all);
  if (all.size() > most_suggestions) all.resize(most_suggestions);
  return all;
}

}  // namespace incipit::command
