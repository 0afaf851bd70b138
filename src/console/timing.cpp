#include "console/timing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

#include "console/table.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::console {

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Timing::Phase Timing::phase(std::string_view name) {
  const double now = monotonic_seconds();
  charge(now);
  running_.push_back(index_of(name));
  parallel::enter_phase(name);
  return {*this, running_.back()};
}

Timing::Phase::~Phase() {
  timing_.charge(monotonic_seconds());
  // Phases are nested by their scopes, so the innermost one is this one.
  if (!timing_.running_.empty() && timing_.running_.back() == index_) timing_.running_.pop_back();
  const auto& running = timing_.running_;
  parallel::enter_phase(running.empty() ? "" : timing_.entries_[running.back()].name);
}

void Timing::add(std::string_view name, double seconds) {
  entries_[index_of(name)].seconds += seconds;
}

std::vector<Timing::Entry> Timing::entries() const {
  return entries_;
}

std::size_t Timing::index_of(std::string_view name) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.name == name; });
  if (found == entries_.end()) {
    entries_.push_back({std::string(name), 0.0});
    return entries_.size() - 1;
  }
  return static_cast<std::size_t>(found - entries_.begin());
}

void Timing::charge(double now) {
  if (!running_.empty()) entries_[running_.back()].seconds += now - since_;
  since_ = now;
}

std::vector<Timing::Row> Timing::summary(const parallel::Communicator& comm) const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  std::string joined;
  for (const std::string& name : names) joined += name + "\n";
  // All names of all ranks, in the order of the lowest rank that has them.
  names.clear();
  for (const std::string& text : comm.all_gather(joined)) {
    for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string name = text.substr(at, end - at);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
  }

  std::vector<double> mine(names.size(), 0.0);
  for (const Entry& entry : entries_) {
    mine[static_cast<std::size_t>(std::find(names.begin(), names.end(), entry.name) - names.begin())] =
        entry.seconds;
  }
  const std::vector<double> all = comm.all_gather(mine);
  std::vector<Row> rows;
  double total = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    Row row{names[i], std::numeric_limits<double>::infinity(), 0, 0, 0};
    for (std::size_t at = i; at < all.size(); at += names.size()) {
      row.min = std::min(row.min, all[at]);
      row.max = std::max(row.max, all[at]);
      row.mean += all[at] / comm.size();
    }
    total += row.mean;
    rows.push_back(row);
  }
  for (Row& row : rows) row.share = total > 0 ? row.mean / total : 0;
  return rows;
}

std::string Timing::table(const std::vector<Row>& rows) {
  Table table({{"phase", Table::Side::left}, {"mean s"}, {"min s"}, {"max s"}, {"share"}});
  for (const Row& row : rows) {
    table.row({row.name, fmt::format("{:.2f}", row.mean), fmt::format("{:.2f}", row.min),
               fmt::format("{:.2f}", row.max), fmt::format("{:.1f} %", 100 * row.share)});
  }
  return table.text();
}

}  // namespace incipit::console
