#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "command/session.hpp"
#include "corpus/packs.hpp"
#include "plan/rates.hpp"
#include "plan/teams.hpp"

/// What passes over checkpoints cost, and into how many waves they fall.
namespace incipit::command {

[[nodiscard]] double tokens_of(std::span<const corpus::Pack> packs);
/// The probes in the tokens of a checkpoint's tokenizer.
[[nodiscard]] const Text& text_of(const Study& study, const Checkpoint& checkpoint);

/// What one pass over a checkpoint takes. Only the balance of the work and the length of waves hang on the
/// numbers of work, never a result.
struct PassCost {
  double flops_per_token = 0;
  double width = 1;            ///< of the matrices: the model's d
  double bytes_read = 0;       ///< each time that the weights stream past
  std::size_t bytes_held = 0;  ///< of memory, whatever the wave holds
  std::function<std::size_t(std::span<const corpus::Pack>)> wave_bytes = {};  ///< that these packs add
};

/// Bytes of one number of a checkpoint as its config.json has it; Pythia's are fp16.
[[nodiscard]] double bytes_of_number(const checkpoint::Config& config);

/// Whether attention_out and mlp_out of a checkpoint's blocks are kept beside the residuals.
[[nodiscard]] bool keeps_components(const deck::Deck& deck, const Checkpoint& checkpoint);
/// Of one probe, all layers and whatever is kept of each.
[[nodiscard]] std::size_t row_bytes(const deck::Deck& deck, const Study& study, const Checkpoint& checkpoint);

/// Floating-point operations of the attention scores, and of what is summed by them, per token of these packs
/// through all layers.
[[nodiscard]] double attention_per_token(const checkpoint::Config& config,
                                         std::span<const corpus::Pack> packs);

/// Floating-point operations of the forward pass of these packs to block `last`. Of that block last tokens
/// alone go past the keys and values (model::Neox).
[[nodiscard]] double forward_flops(const checkpoint::Config& config, std::span<const corpus::Pack> packs,
                                   int last);

/// Of a forward pass to the last of the checkpoint's layers that keeps `row` bytes of each probe beside what
/// it takes itself; `components`: what blocks add is kept too.
[[nodiscard]] PassCost forward_cost(const Study& study, const Checkpoint& checkpoint,
                                    const deck::RunOptions& run, std::size_t row, bool components);

/// Of `extract`, and of `loss`.
[[nodiscard]] PassCost extraction_cost(const Study& study, const Checkpoint& checkpoint,
                                       const deck::Deck& deck);
[[nodiscard]] PassCost loss_cost(const Study& study, const Checkpoint& checkpoint,
                                 const deck::RunOptions& run);

/// Floating-point operations of training an SAE on n×d: the dense product of encoding, and the updates.
[[nodiscard]] double training_flops(const sae::SaeOptions& options, std::int64_t n, std::int64_t d);

/// What ends a wave.
struct WaveLimits {
  std::uint64_t memory = 0;   ///< bytes that a rank may use
  std::uint64_t several = 0;  ///< bytes of a wave of several packs
  double seconds = 0;         ///< that it may take

  static WaveLimits of(const Session& session);
  /// Where nothing ran out of memory so far.
  static WaveLimits of(const deck::RunOptions& run, std::uint64_t memory);
};

/// Where the wave that begins with pack `first` ends, `last` at the most. Error(machine): not even one pack
/// fits.
[[nodiscard]] std::size_t wave_end(const WaveLimits& limits, const PassCost& cost, const plan::Rates& rates,
                                   std::span<const corpus::Pack> packs, std::size_t first, std::size_t last);

/// How many waves one rank needs for these packs: so often do the weights stream past. Error as
/// wave_end.
[[nodiscard]] std::int64_t count_waves(const WaveLimits& limits, const PassCost& cost,
                                       const plan::Rates& rates, std::span<const corpus::Pack> packs);

/// What a team is chosen by, of a pass over all packs in so many waves, in a job of so many ranks: each is
/// taken to get its part of the file system, so that no team grows only to read the same weights more often.
[[nodiscard]] plan::Pass pass_of(const PassCost& cost, const Study& study, const Checkpoint& checkpoint,
                                 const plan::Rates& rates, std::int64_t waves, int ranks);

/// Passes over checkpoints of a job of so many ranks. Waves are counted once for each model: its steps take
/// alike.
class PassMaker {
 public:
  /// Study and rates must outlive it.
  PassMaker(const Study& study, const plan::Rates& rates, WaveLimits limits, int ranks)
      : study_(study), rates_(rates), limits_(limits), ranks_(ranks) {}
  /// Error as wave_end.
  [[nodiscard]] plan::Pass operator()(const PassCost& cost, const Checkpoint& checkpoint);

 private:
  const Study& study_;
  const plan::Rates& rates_;
  WaveLimits limits_;
  int ranks_;
  std::map<int, std::int64_t> waves_;  ///< by model
};

/// "1.5 GiB"
[[nodiscard]] std::string size_text(std::uint64_t bytes);

}  // namespace incipit::command
