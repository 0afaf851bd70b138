#include "command/harvest.hpp"

#include <algorithm>

namespace incipit::command {

Harvest::Harvest(std::span<const corpus::Pack> packs, std::vector<int> layers, std::int64_t width)
    : layers_(std::move(layers)), width_(width) {
  for (const auto& pack : packs) {
    first_.push_back(static_cast<std::int64_t>(order_.size()));
    order_.insert(order_.end(), pack.probes.begin(), pack.probes.end());
  }
  first_.push_back(static_cast<std::int64_t>(order_.size()));
}

parallel::BlockRange Harvest::positions(std::size_t first_pack, std::size_t last_pack) const {
  return {first_[first_pack], first_[last_pack]};
}

void Harvest::deliver(const parallel::Communicator& team, const std::vector<parallel::BlockRange>& held,
                      const Rows& rows, const Write& write) const {
  const auto ranks = team.size();
  const auto block = parallel::block_of(probes(), ranks, team.rank());
  const auto mine = held[static_cast<std::size_t>(team.rank())];

  // What goes where: this rank's positions sorted by the rank that writes their probe. Within one
  // destination positions ascend, on the sending side as on the receiving side, so no indices travel.
  std::vector<std::vector<std::int64_t>> outgoing(static_cast<std::size_t>(ranks));
  std::vector<std::int64_t> writer(static_cast<std::size_t>(probes()));
  for (int r = 0; r < ranks; ++r) {
    const auto b = parallel::block_of(probes(), ranks, r);
    std::fill(writer.begin() + b.begin, writer.begin() + b.end, r);
  }
  auto writer_at = [&](std::int64_t position) {
    return writer[static_cast<std::size_t>(order_[static_cast<std::size_t>(position)])];
  };
  for (auto p = mine.begin; p < mine.end; ++p)
    outgoing[static_cast<std::size_t>(writer_at(p))].push_back(p - mine.begin);
  std::vector<std::int64_t> incoming;  // probe within my block, in the order of arrival
  for (int r = 0; r < ranks; ++r)
    for (auto p = held[static_cast<std::size_t>(r)].begin; p < held[static_cast<std::size_t>(r)].end; ++p)
      if (writer_at(p) == team.rank()) incoming.push_back(order_[static_cast<std::size_t>(p)] - block.begin);

  std::vector<std::int64_t> counts;
  counts.reserve(outgoing.size());
  for (const auto& list : outgoing) counts.push_back(static_cast<std::int64_t>(list.size()) * width_);
  std::vector<float> sorted, placed;
  for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
    const auto own = rows(layer);
    sorted.clear();
    for (const auto& list : outgoing)
      for (auto row : list)
        sorted.insert(sorted.end(), own.begin() + row * width_, own.begin() + (row + 1) * width_);
    const auto arrived =
        team.all_to_all(std::span<const float>(sorted), std::span<const std::int64_t>(counts));
    placed.resize(arrived.size());
    for (std::size_t i = 0; i < incoming.size(); ++i)
      std::copy_n(arrived.begin() + static_cast<std::int64_t>(i) * width_, width_,
                  placed.begin() + incoming[i] * width_);
    write(layer, block, placed);
  }
}

}  // namespace incipit::command
