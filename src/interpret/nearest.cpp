#include "interpret/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <set>

#include "error.hpp"
#include "index.hpp"

namespace incipit::interpret {
namespace {

/// The latents that an SAE keeps on a probe, and the first it does not: the k + 1 largest z, ties to the
/// lower index.
std::vector<int64_t> largest(std::span<const float> z, int64_t k) {
  std::vector<int64_t> order(z.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto end = order.begin() + std::min<int64_t>(k + 1, static_cast<int64_t>(order.size()));
  std::partial_sort(order.begin(), end, order.end(),
                    [&](int64_t a, int64_t b) { return z[at(a)] != z[at(b)] ? z[at(a)] > z[at(b)] : a < b; });
  order.erase(end, order.end());
  return order;
}

}  // namespace

NearestProbes::NearestProbes(const corpus::Probes& probes, int64_t h, int64_t k)
    : probes_(probes), h_(h), k_(k), verify_(probes.all.size(), 0), silent_(at(h)) {
  for (const int64_t probe : probes.of(corpus::Part::verify)) verify_[at(probe)] = 1;
}

int32_t NearestProbes::group_of(const Candidate& c) const {
  return probes_.group[at(c.probe)];
}

void NearestProbes::keep_silent(std::vector<Candidate>& nearest, const Candidate& candidate) const {
  // Candidates come by ascending probe, so an equal one would lose the tie.
  if (nearest.size() == most_silent && candidate.margin <= nearest.back().margin) return;
  const auto same = std::find_if(nearest.begin(), nearest.end(),
                                 [&](const Candidate& c) { return group_of(c) == group_of(candidate); });
  if (same != nearest.end()) {
    if (candidate.margin <= same->margin) return;
    nearest.erase(same);
  } else if (nearest.size() == most_silent) {
    nearest.pop_back();
  }
  const auto place = std::find_if(nearest.begin(), nearest.end(),
                                  [&](const Candidate& c) { return c.margin < candidate.margin; });
  nearest.insert(place, candidate);
}

void NearestProbes::see(int64_t begin, std::span<const float> z) {
  const auto rows = static_cast<int64_t>(z.size()) / h_;
  if (rows * h_ != static_cast<int64_t>(z.size()) || at(begin + rows) > verify_.size())
    throw Error(Exit::defect, fmt::format("nearest probes: {} numbers from probe {} on, of {} probes and {} "
                                          "latents",
                                          z.size(), begin, verify_.size(), h_));
  for (int64_t probe = begin; probe < begin + rows; ++probe) {
    if (verify_[at(probe)] == 0) continue;
    const auto row = z.subspan(at((probe - begin) * h_), at(h_));
    const auto order = largest(row, k_);
    const auto bar = [&](int64_t place) {
      return place < static_cast<int64_t>(order.size())
                 ? std::max(0.0, static_cast<double>(row[at(order[at(place)])]))
                 : 0.0;
    };
    const double to_enter = bar(k_ - 1), to_stay = bar(k_);
    const auto kept = order.begin() + std::min<int64_t>(k_, static_cast<int64_t>(order.size()));
    for (int64_t j = 0; j < h_; ++j) {
      const auto value = static_cast<double>(row[at(j)]);
      if (value > 0 && value >= to_enter && std::find(order.begin(), kept, j) != kept)
        firing_.push_back({j, probe, value, value - to_stay});
      else
        keep_silent(silent_[at(j)], {j, probe, 0, value - to_enter});
    }
  }
}

std::vector<NearestProbes::Candidate> NearestProbes::one_of_a_group(const std::vector<Candidate>& sorted,
                                                                    std::size_t most) const {
  std::vector<Candidate> chosen;
  std::set<int32_t> groups;
  for (const Candidate& c : sorted)
    if (chosen.size() < most && groups.insert(group_of(c)).second) chosen.push_back(c);
  return chosen;
}

std::vector<Nearest> NearestProbes::choose(std::vector<Candidate> firing,
                                           const std::vector<Candidate>& silent) const {
  const auto by = [](double Candidate::*value, double sign) {
    return [value, sign](const Candidate& a, const Candidate& b) {
      return a.*value != b.*value ? sign * (a.*value) > sign * (b.*value) : a.probe < b.probe;
    };
  };
  std::set<int32_t> groups;
  for (const Candidate& c : firing) groups.insert(group_of(c));
  std::sort(firing.begin(), firing.end(), by(&Candidate::margin, -1));
  const auto weakest = one_of_a_group(firing, std::min(most_weakest, groups.size() / 3));
  std::erase_if(firing, [&](const Candidate& c) {
    return std::any_of(weakest.begin(), weakest.end(),
                       [&](const Candidate& w) { return w.probe == c.probe; });
  });
  std::sort(firing.begin(), firing.end(), by(&Candidate::activation, 1));
  std::vector<Nearest> nearest;
  const auto add = [&](const std::vector<Candidate>& chosen, Side side) {
    for (const Candidate& c : chosen) nearest.push_back({c.probe, side, c.activation, c.margin});
  };
  add(one_of_a_group(firing, most_strongest), Side::strongest);
  add(weakest, Side::weakest);
  add(silent, Side::silent);
  return nearest;
}

std::vector<std::vector<Nearest>> NearestProbes::gather(const parallel::Communicator& comm) const {
  std::vector<Candidate> mine;
  for (const auto& of_latent : silent_) mine.insert(mine.end(), of_latent.begin(), of_latent.end());
  std::vector<std::vector<Candidate>> firing(at(h_)), silent(at(h_));
  for (const Candidate& c : comm.all_gather(firing_)) firing[at(c.latent)].push_back(c);
  // Rank by rank, and so by rising probe where margins are equal.
  for (const Candidate& c : comm.all_gather(mine)) keep_silent(silent[at(c.latent)], c);
  std::vector<std::vector<Nearest>> nearest;
  for (int64_t j = 0; j < h_; ++j) nearest.push_back(choose(std::move(firing[at(j)]), silent[at(j)]));
  return nearest;
}

}  // namespace incipit::interpret
