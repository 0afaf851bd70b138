#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "checkpoint/config.hpp"
#include "corpus/packs.hpp"
#include "device/device.hpp"
#include "model/block_pass.hpp"
#include "model/block_weights.hpp"
#include "model/generator.hpp"
#include "model/key_cache.hpp"
#include "model/pack_run.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// Rows of every product while texts are written. Fixed, so that a text's numbers hang on its own lane alone.
inline constexpr std::int64_t lane_count = 16;

/// Which text of a call has which lane.
using Seats = std::array<std::optional<std::size_t>, lane_count>;

/// Where a text sits: a function of its prompt alone.
[[nodiscard]] std::size_t lane_of(std::span<const std::int32_t> prompt);

/// Shares prompts out over tables of sixteen lanes, in their order as far as lanes allow.
[[nodiscard]] std::vector<Seats> seat(std::span<const Generator::Tokens> prompts);

/// Puts the texts of a table to several, until fits(table) or each has one: who sits beside whom shows
/// nowhere.
template <class Fits>
void seat_apart(const Seats& seats, const Fits& fits, std::vector<Seats>& tables) {
  const auto taken =
      std::count_if(seats.begin(), seats.end(), [](const auto& prompt) { return prompt.has_value(); });
  if (taken < 2 || fits(seats)) return tables.push_back(seats);
  std::array<Seats, 2> halves;
  std::ptrdiff_t seen = 0;
  for (std::size_t l = 0; l < seats.size(); ++l)
    if (seats[l]) halves[seen++ < taken / 2 ? 0 : 1][l] = seats[l];
  for (const Seats& half : halves) seat_apart(half, fits, tables);
}

/// Sixteen texts at most that are written side by side, each in its lane; all lanes go through every block,
/// those without a text as well. T: as in PackRun.
template <device::Number T>
class Lanes {
 public:
  /// `most`: tokens to be written of each. Everything but `seats` must outlive the object.
  Lanes(device::Device& device, const checkpoint::Config& config, std::span<const Generator::Tokens> prompts,
        const Seats& seats, std::int64_t most);

  /// The prompts, one after the other, before anything is written: embed, every block, and then all but their
  /// keys and values may go.
  void embed_prompts(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace<T>& workspace);
  void run_prompts(std::int64_t block, const BlockWeights<T>& weights, const RotaryTable& rotary,
                   Workspace<T>& workspace);
  void drop_prompts() { prompts_.clear(); }

  /// The residual behind the last block at the last token of each lane, [lane_count, d].
  [[nodiscard]] const float* residual() const { return x_.data(); }

  /// Takes note of the logits of the tokens from `first` on, [lane_count, tokens] in host memory.
  void weigh(std::int64_t first, std::int64_t tokens, std::span<const float> logits);
  /// Takes the token with the largest logit in every lane whose text goes on, of equals the lowest, once all
  /// have been weighed. Returns a prompt behind which one was not finite, if there is any.
  [[nodiscard]] std::optional<std::size_t> take(const Generator::Ends& ends,
                                                const Generator::Sink<Generator::Tokens>& sink);
  [[nodiscard]] bool done() const;

  /// The tokens just taken: embed and every block.
  void embed_tokens(TensorStream& stream, const checkpoint::Tensor& embedding, Workspace<T>& workspace);
  void run_tokens(std::int64_t block, const BlockWeights<T>& weights, const RotaryTable& rotary,
                  Workspace<T>& workspace);

  /// Device bytes of such a table.
  [[nodiscard]] static std::size_t bytes(const checkpoint::Config& config,
                                         std::span<const Generator::Tokens> prompts, const Seats& seats,
                                         std::int64_t most);

 private:
  /// One lane; without a text it has a single key, its own, which nobody reads.
  struct Lane {
    std::optional<std::size_t> prompt;
    std::int64_t first = 0;  ///< row of its first key in the cache
    std::int64_t room = 0;   ///< rows it has there
    std::int64_t keys = 0;   ///< tokens whose keys are there
    std::int32_t token = 0;  ///< the last of the text, whose key is yet to come
    bool goes_on = false;
    std::int32_t best = -1;  ///< the token with the largest logit so far of this step, and that
    float most = 0;
    bool finite = true;
    Generator::Tokens written;
  };
  /// A prompt on its way through the blocks.
  struct Prompt {
    std::size_t lane;
    PackRun<T> run;
  };

  void place_tokens();

  device::Device& device_;
  const checkpoint::Config& config_;
  std::int64_t most_;
  std::array<Lane, lane_count> lanes_;
  std::vector<corpus::Pack> packs_;  ///< of one prompt each
  std::vector<Prompt> prompts_;
  KeyCache<T> cache_;
  std::int64_t longest_ = 0;
  device::Buffer<float> x_;                    ///< [lane_count, d]
  device::Buffer<std::int32_t> position_;      ///< [lane_count]
  device::Buffer<std::int32_t> place_;         ///< [lane_count] rows of the tokens' keys in the cache
  device::Buffer<std::int32_t> query_starts_;  ///< [2 · lane_count + 1]
  device::Buffer<std::int32_t>
      key_starts_;  ///< [2 · lane_count + 1] of each lane its keys, and what room is left
};

extern template class Lanes<float>;
extern template class Lanes<device::Float16>;
extern template class Lanes<device::BFloat16>;

/// A pack of one text, which messages call `number`.
[[nodiscard]] corpus::Pack pack_of(std::span<const std::int32_t> tokens, std::size_t number);

}  // namespace incipit::model
