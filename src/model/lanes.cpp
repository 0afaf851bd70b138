#include "model/lanes.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "model/embedding.hpp"

namespace incipit::model {
namespace {

/// Rows that a lane has in the cache, so that each begins on a cache line whatever the others hold.
std::int64_t room_for(std::int64_t tokens) {
  return (std::max<std::int64_t>(tokens, 1) + 15) / 16 * 16;
}

std::int64_t room_of(std::span<const Generator::Tokens> prompts, const std::optional<std::size_t>& prompt,
                     std::int64_t most) {
  return room_for(prompt ? std::ssize(prompts[*prompt]) + most : 0);
}

std::int64_t rooms(std::span<const Generator::Tokens> prompts, const Seats& seats, std::int64_t most) {
  std::int64_t rows = 0;
  for (const auto& prompt : seats) rows += room_of(prompts, prompt, most);
  return rows;
}

constexpr std::size_t lane_entries = 2 * lane_count + 1;

}  // namespace

std::size_t lane_of(std::span<const std::int32_t> prompt) {
  std::uint64_t hash = 0xcbf29ce484222325U;  // FNV-1a
  for (const std::int32_t token : prompt) hash = (hash ^ static_cast<std::uint32_t>(token)) * 0x100000001b3U;
  return static_cast<std::size_t>((hash ^ hash >> 32U) % lane_count);
}

std::vector<Seats> seat(std::span<const Generator::Tokens> prompts) {
  std::vector<Seats> tables;
  std::array<std::size_t, lane_count> taken{};
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t lane = lane_of(prompts[i]);
    const std::size_t table = taken[lane]++;
    if (table == tables.size()) tables.emplace_back();
    tables[table][lane] = i;
  }
  return tables;
}

corpus::Pack pack_of(std::span<const std::int32_t> tokens, std::size_t number) {
  return {.probes = {static_cast<std::int64_t>(number)},
          .tokens = {tokens.begin(), tokens.end()},
          .starts = {0, std::ssize(tokens)}};
}

template <device::Number T>
Lanes<T>::Lanes(device::Device& device, const checkpoint::Config& config,
                std::span<const Generator::Tokens> prompts, const Seats& seats, std::int64_t most)
    : device_(device),
      config_(config),
      most_(most),
      cache_(device, config, rooms(prompts, seats, most)),
      x_(device, static_cast<std::size_t>(lane_count * config.d)),
      position_(device, lane_count),
      place_(device, lane_count),
      query_starts_(device, lane_entries),
      key_starts_(device, lane_entries) {
  x_.zero();
  std::int64_t first = 0;
  std::vector<std::int32_t> query_starts = {0};
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    Lane& lane = lanes_[l];
    lane.prompt = seats[l];
    lane.goes_on = lane.prompt.has_value();
    lane.first = first;
    lane.room = room_of(prompts, lane.prompt, most);
    first += lane.room;
    for (int rest = 0; rest < 2; ++rest) query_starts.push_back(static_cast<std::int32_t>(l) + 1);
    if (!lane.prompt) continue;
    packs_.push_back(pack_of(prompts[*lane.prompt], *lane.prompt));
    lane.keys = std::ssize(prompts[*lane.prompt]);
  }
  query_starts_.upload(query_starts);
  prompts_.reserve(packs_.size());
  for (const corpus::Pack& pack : packs_)
    prompts_.push_back({lane_of(pack.tokens), PackRun<T>(device, config, pack)});
}

template <device::Number T>
void Lanes<T>::embed_prompts(TensorStream& stream, const checkpoint::Tensor& embedding,
                             Workspace<T>& workspace) {
  for (Prompt& prompt : prompts_) prompt.run.embed(stream, embedding, workspace);
}

template <device::Number T>
void Lanes<T>::run_prompts(std::int64_t block, const BlockWeights<T>& weights, const RotaryTable& rotary,
                           Workspace<T>& workspace) {
  for (Prompt& prompt : prompts_) {
    const KeptKeys<T> kept = cache_.at(block, lanes_[prompt.lane].first);
    float* last = x_.data() + static_cast<std::int64_t>(prompt.lane) * config_.d;
    if (block + 1 < config_.layers) {
      prompt.run.run(weights, rotary, workspace, kept);
    } else {
      prompt.run.run_last(weights, rotary, workspace, last, kept);
    }
  }
}

template <device::Number T>
void Lanes<T>::weigh(std::int64_t first, std::int64_t tokens, std::span<const float> logits) {
  for (std::size_t l = 0; l < lanes_.size(); ++l) {
    Lane& lane = lanes_[l];
    if (!lane.goes_on) continue;
    const auto own = logits.subspan(l * static_cast<std::size_t>(tokens), static_cast<std::size_t>(tokens));
    for (std::size_t t = 0; t < own.size(); ++t) {
      lane.finite = lane.finite && std::isfinite(own[t]);
      if (lane.best >= 0 && !(own[t] > lane.most)) continue;
      lane.most = own[t];
      lane.best = static_cast<std::int32_t>(first + static_cast<std::int64_t>(t));
    }
  }
}

template <device::Number T>
std::optional<std::size_t> Lanes<T>::take(const Generator::Ends& ends,
                                          const Generator::Sink<Generator::Tokens>& sink) {
  for (Lane& lane : lanes_) {
    if (!lane.goes_on) continue;
    if (!lane.finite) return lane.prompt;
    lane.token = std::exchange(lane.best, -1);
    lane.written.push_back(lane.token);
    lane.goes_on = std::ssize(lane.written) < most_ && !ends(lane.written);
    if (!lane.goes_on) sink(*lane.prompt, lane.written);
  }
  return std::nullopt;
}

template <device::Number T>
bool Lanes<T>::done() const {
  return std::none_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.goes_on; });
}

/// Where the tokens of this step stand, and what they see.
template <device::Number T>
void Lanes<T>::place_tokens() {
  std::vector<std::int32_t> position, place, key_starts = {0};
  longest_ = 0;
  for (Lane& lane : lanes_) {
    // A text that has ended goes on in its last place until all have.
    if (lane.goes_on || lane.keys == 0) ++lane.keys;
    position.push_back(static_cast<std::int32_t>(lane.keys - 1));
    place.push_back(static_cast<std::int32_t>(lane.first + lane.keys - 1));
    key_starts.push_back(static_cast<std::int32_t>(lane.first + lane.keys));
    key_starts.push_back(static_cast<std::int32_t>(lane.first + lane.room));
    longest_ = std::max(longest_, lane.room);
  }
  position_.upload(position);
  place_.upload(place);
  key_starts_.upload(key_starts);
}

template <device::Number T>
void Lanes<T>::embed_tokens(TensorStream& stream, const checkpoint::Tensor& embedding,
                            Workspace<T>& workspace) {
  device_.synchronize();  // the step before has used what is uploaded now
  place_tokens();
  std::vector<std::int32_t> tokens;
  for (const Lane& lane : lanes_) tokens.push_back(lane.token);
  embed(device_, stream, embedding, tokens, reinterpret_cast<float*>(workspace.wide.data()), x_.data());
}

template <device::Number T>
void Lanes<T>::run_tokens(std::int64_t block, const BlockWeights<T>& weights, const RotaryTable& rotary,
                          Workspace<T>& workspace) {
  BlockPass<T>(device_, config_, rotary, workspace)
      .run(weights, {lane_count, x_.data(), query_starts_.data(), position_.data()},
           {.sequences = 2 * lane_count,
            .starts = key_starts_.data(),
            .longest = longest_,
            .kept = cache_.at(block),
            .place = place_.data()});
}

template <device::Number T>
std::size_t Lanes<T>::bytes(const checkpoint::Config& config, std::span<const Generator::Tokens> prompts,
                            const Seats& seats, std::int64_t most) {
  std::size_t bytes = KeyCache<T>::bytes(config, rooms(prompts, seats, most)) +
                      static_cast<std::size_t>(lane_count * config.d) * sizeof(float);
  for (const auto& prompt : seats)
    if (prompt) bytes += PackRun<T>::bytes(config, pack_of(prompts[*prompt], *prompt));
  return bytes;
}

template class Lanes<float>;
template class Lanes<device::Float16>;
template class Lanes<device::BFloat16>;

}  // namespace incipit::model
