#include "console/timing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

#include "console/table.hpp"
#include "meters.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::console {
namespace {

constexpr double nano = 1e-9;

double waited_seconds() {
  return static_cast<double>(meters.waited) * nano;
}

/// Clock and meters as they stand.
Work now() {
  return {.seconds = monotonic_seconds(),
          .bytes_read = static_cast<double>(meters.bytes_read),
          .bytes_written = static_cast<double>(meters.bytes_written),
          .stalled = static_cast<double>(meters.stalled) * nano};
}

Work difference(const Work& a, const Work& b) {
  return {a.seconds - b.seconds, a.flops - b.flops, a.bytes_read - b.bytes_read,
          a.bytes_written - b.bytes_written, a.stalled - b.stalled};
}

/// All names of all ranks, in the order of the lowest rank that has them.
std::vector<std::string> names_of(const std::vector<Timing::Entry>& entries,
                                  const parallel::Communicator& comm) {
  std::string joined;
  for (const auto& entry : entries) joined += entry.name + "\n";
  std::vector<std::string> names;
  for (const std::string& text : comm.all_gather(joined)) {
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string name = text.substr(at, end - at);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }
  return names;
}

/// A row from what each rank brings.
Timing::Row row_of(const std::string& name, const std::vector<Work>& ranks) {
  Timing::Row row{name, std::numeric_limits<double>::infinity(), 0, 0, 0, {}};
  for (const Work& work : ranks) {
    row.min = std::min(row.min, work.seconds);
    row.max = std::max(row.max, work.seconds);
    row.total += work;
  }
  row.mean = row.total.seconds / static_cast<double>(ranks.size());
  return row;
}

/// "12.3", or nothing where nothing was counted. Of all ranks together.
std::string rate(double amount, double mean_seconds) {
  if (!(amount > 0) || !(mean_seconds > 0)) return "";
  return fmt::format("{:.3g}", amount * nano / mean_seconds);
}

void print(Table& table, const Timing::Row& row) {
  table.row({row.name, fmt::format("{:.2f}", row.mean), fmt::format("{:.2f}", row.min),
             fmt::format("{:.2f}", row.max), fmt::format("{:.1f} %", 100 * row.share),
             rate(row.total.flops, row.mean),
             rate(row.total.bytes_read + row.total.bytes_written, row.mean)});
}

}  // namespace

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Work& Work::operator+=(const Work& other) {
  seconds += other.seconds;
  flops += other.flops;
  bytes_read += other.bytes_read;
  bytes_written += other.bytes_written;
  stalled += other.stalled;
  return *this;
}

Timing::Timing()
    : start_(monotonic_seconds()),
      at_last_(now()),
      waited_last_(waited_seconds()),
      waited_start_(waited_last_) {}

Timing::Phase Timing::phase(std::string_view name) {
  charge();
  running_.push_back(index_of(name));
  parallel::enter_phase(name);
  return {*this, running_.back()};
}

Timing::Phase::~Phase() {
  timing_.charge();
  // Phases are nested by their scopes, so the innermost one is this one.
  if (!timing_.running_.empty() && timing_.running_.back() == index_) timing_.running_.pop_back();
  const auto& running = timing_.running_;
  parallel::enter_phase(running.empty() ? "" : timing_.entries_[running.back()].name);
}

void Timing::add(std::string_view name, const Work& work) {
  entries_[index_of(name)].work += work;
}

std::size_t Timing::index_of(std::string_view name) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  if (found == entries_.end()) {
    entries_.push_back({std::string(name), {}});
    return entries_.size() - 1;
  }
  return static_cast<std::size_t>(found - entries_.begin());
}

void Timing::charge() {
  const Work at = now();
  const double waited = waited_seconds();
  if (!running_.empty()) {
    Work work = difference(at, at_last_);
    work.seconds = std::max(0.0, work.seconds - (waited - waited_last_));
    entries_[running_.back()].work += work;
  }
  at_last_ = at;
  waited_last_ = waited;
}

Timing::Summary Timing::summary(const parallel::Communicator& comm) const {
  const double wall = monotonic_seconds() - start_, waited = waited_seconds() - waited_start_;
  const std::vector<std::string> names = names_of(entries_, comm);
  // One row for each phase, then waiting, then the rest.
  std::vector<Work> mine(names.size() + 2);
  double in_phases = 0;
  for (const Entry& entry : entries_) {
    mine[static_cast<std::size_t>(std::find(names.begin(), names.end(), entry.name) - names.begin())] =
        entry.work;
    in_phases += entry.work.seconds;
  }
  mine[names.size()].seconds = waited;
  mine[names.size() + 1].seconds = std::max(0.0, wall - waited - in_phases);
  const std::vector<Work> all = comm.all_gather(mine);

  Summary summary;
  std::vector<Row> rows;
  double total = 0;
  for (std::size_t i = 0; i < mine.size(); ++i) {
    std::vector<Work> ranks;
    for (std::size_t at = i; at < all.size(); at += mine.size()) ranks.push_back(all[at]);
    const std::string name = i < names.size() ? names[i] : i == names.size() ? "waiting" : "elsewhere";
    rows.push_back(row_of(name, ranks));
    total += rows.back().mean;
  }
  for (Row& row : rows) row.share = total > 0 ? row.mean / total : 0;
  summary.elsewhere = rows.back();
  rows.pop_back();
  summary.waiting = rows.back();
  rows.pop_back();
  summary.rows = std::move(rows);
  summary.seconds = comm.max(wall);
  return summary;
}

std::string Timing::table(const Summary& summary) {
  Table table(
      {{"phase", Table::Side::left}, {"mean s"}, {"min s"}, {"max s"}, {"share"}, {"GFLOP/s"}, {"GB/s"}});
  for (const Row& row : summary.rows) print(table, row);
  print(table, summary.waiting);
  print(table, summary.elsewhere);
  table.row({"total", fmt::format("{:.2f}", summary.seconds), "", "", "", "", ""});
  return table.text();
}

}  // namespace incipit::console
