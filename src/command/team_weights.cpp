#include "command/team_weights.hpp"

#include <algorithm>

#include "checkpoint/random_weights.hpp"
#include "parallel/agree.hpp"
#include "parallel/node.hpp"

namespace incipit::command {
namespace {

checkpoint::Weights weights_of(const Session& session, const Checkpoint& checkpoint) {
  return checkpoint.random()
             ? checkpoint::random_weights(session.study.model(checkpoint).config, session.deck.run.seed)
             : checkpoint::Weights::open(checkpoint.folder);
}

/// Whether the shortest of waves still has room beside so many bytes.
bool is_room_beside(const Session& session, const Checkpoint& checkpoint, const PassCost& cost,
                    std::uint64_t bytes) {
  std::size_t most = 0;
  for (const auto& pack : text_of(session.study, checkpoint).packs)
    most = std::max(most, cost.wave_bytes({&pack, 1}));
  return cost.bytes_held + bytes + most <= session.memory;
}

}  // namespace

TeamWeights::TeamWeights(Session& session, const parallel::Communicator& team, const Checkpoint& checkpoint,
                         const std::function<std::uint64_t(const checkpoint::Weights&)>& largest,
                         PassCost& cost) {
  parallel::together(team, "opening the checkpoint",
                     [&] { weights_.emplace(weights_of(session, checkpoint)); });
  if (team.size() == 1 || checkpoint.random()) return;
  const auto node = parallel::on_this_node(team);
  if (node.size() == 1) return;
  const auto part = largest(*weights_);
  const auto share =
      checkpoint::SharedParts::bytes(node.size(), part) / static_cast<std::size_t>(node.size());
  if (!node.any(!is_room_beside(session, checkpoint, cost, share)))
    shared_ = checkpoint::SharedParts::open(node, part);
  if (shared_) cost.bytes_held += share;
  if (!shared_ && node.root()) ++session.facts.unshared;
}

}  // namespace incipit::command
