#include "interpret/firing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "error.hpp"

namespace incipit::interpret {
namespace {

double product(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// The values of the first, without those of the second; both ascending.
std::vector<int64_t> without(const std::vector<int64_t>& all, const std::vector<Firing>& taken) {
  std::vector<int64_t> rest;
  auto next = taken.begin();
  for (const int64_t probe : all) {
    while (next != taken.end() && next->probe < probe) ++next;
    if (next == taken.end() || next->probe != probe) rest.push_back(probe);
  }
  return rest;
}

}  // namespace

FiringIndex::FiringIndex(const corpus::Probes& probes, corpus::Part part, const sae::Codes& codes,
                         int64_t latents)
    : probes_(probes.of(part)), firing_(static_cast<std::size_t>(latents)) {
  if (codes.n != static_cast<int64_t>(probes.all.size())) {
    throw Error(Exit::defect, fmt::format("interpret: {} codes for {} probes", codes.n, probes.all.size()));
  }
  for (const int64_t probe : probes_) {
    for (int64_t i = probe * codes.k; i < (probe + 1) * codes.k; ++i) {
      const int32_t latent = codes.latent[static_cast<std::size_t>(i)];
      if (latent < 0) continue;
      if (latent >= latents) {
        throw Error(Exit::defect,
                    fmt::format("interpret: probe {} fires latent {} of {}",
                                probes.all[static_cast<std::size_t>(probe)].id, latent, latents));
      }
      firing_[static_cast<std::size_t>(latent)].push_back(
          {probe, static_cast<double>(codes.activation[static_cast<std::size_t>(i)])});
    }
  }
}

std::vector<int64_t> FiringIndex::silent(int64_t latent) const {
  return without(probes_, of(latent));
}

std::vector<int64_t> FiringIndex::fired_by_others(int64_t latent, std::span<const int64_t> others) const {
  std::vector<int64_t> fired;
  for (const int64_t other : others) {
    for (const Firing& f : of(other)) fired.push_back(f.probe);
  }
  std::sort(fired.begin(), fired.end());
  fired.erase(std::unique(fired.begin(), fired.end()), fired.end());
  return without(fired, of(latent));
}

std::vector<int64_t> nearest_latents(const sae::Sae& sae, int64_t latent) {
  const auto d = static_cast<std::size_t>(sae.d);
  const std::span<const float> decoder(sae.decoder);
  const auto row = [&](int64_t j) { return decoder.subspan(static_cast<std::size_t>(j) * d, d); };
  std::vector<double> cosine(static_cast<std::size_t>(sae.h), -2.0);
  const double own = product(row(latent), row(latent));
  std::vector<int64_t> others;
  for (int64_t j = 0; j < sae.h; ++j) {
    if (j == latent) continue;
    others.push_back(j);
    const double norms = std::sqrt(own * product(row(j), row(j)));
    if (norms > 0) cosine[static_cast<std::size_t>(j)] = product(row(latent), row(j)) / norms;
  }
  std::stable_sort(others.begin(), others.end(), [&](int64_t a, int64_t b) {
    return cosine[static_cast<std::size_t>(a)] > cosine[static_cast<std::size_t>(b)];
  });
  return others;
}

}  // namespace incipit::interpret
