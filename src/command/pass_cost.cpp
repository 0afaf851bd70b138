#include "command/pass_cost.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <cmath>

#include "error.hpp"
#include "model/neox.hpp"
#include "model/next_token.hpp"
#include "model/precision.hpp"
#include "model/wave.hpp"
#include "sae/train.hpp"

namespace incipit::command {
namespace {

[[noreturn]] void too_large(const corpus::Pack& pack, std::size_t need, std::uint64_t memory) {
  throw Error(Exit::machine,
              fmt::format("a wave of one pack of {} tokens needs {}, and this rank may use {}: lower "
                          "run.pack_tokens, run fewer ranks per node, or raise run.memory",
                          pack.tokens.size(), size_text(need), size_text(memory)));
}

}  // namespace

std::string size_text(std::uint64_t bytes) {
  const double number = static_cast<double>(bytes);
  return bytes < (std::uint64_t{1} << 30U) ? fmt::format("{:.1f} MiB", std::ldexp(number, -20))
                                           : fmt::format("{:.2f} GiB", std::ldexp(number, -30));
}

double bytes_of_number(const checkpoint::Config& config) {
  return config.dtype == "float32" ? 4 : 2;
}

bool keeps_components(const deck::Deck& deck, const Checkpoint& checkpoint) {
  return deck.extract.components && checkpoint.space;
}

std::size_t row_bytes(const deck::Deck& deck, const Study& study, const Checkpoint& checkpoint) {
  const std::size_t kinds = keeps_components(deck, checkpoint) ? 3 : 1;
  return kinds * checkpoint.layers.size() * static_cast<std::size_t>(study.model(checkpoint).config.d) *
         sizeof(float);
}

PassCost extraction_cost(const Study& study, const Checkpoint& checkpoint, const deck::Deck& deck) {
  return forward_cost(study, checkpoint, deck.run, row_bytes(deck, study, checkpoint),
                      keeps_components(deck, checkpoint));
}

PassCost loss_cost(const Study& study, const Checkpoint& checkpoint, const deck::RunOptions& run) {
  const auto precision = model::precision_of(run.precision);
  const auto& config = study.model(checkpoint).config;
  PassCost cost;
  cost.flops_per_token = config.flops_per_token() +
                         attention_per_token(config, text_of(study, checkpoint).packs) +
                         2.0 * static_cast<double>(config.d) * static_cast<double>(config.vocab);
  cost.width = static_cast<double>(config.d);
  cost.bytes_read = bytes_of_number(config) * static_cast<double>(config.params());
  cost.bytes_held = model::NextToken::bytes_fixed(config, run.pack_tokens, precision);
  cost.wave_bytes = [&config, precision](std::span<const corpus::Pack> packs) {
    return model::NextToken::bytes_per_wave(config, packs, precision);
  };
  return cost;
}

std::size_t wave_end(const WaveLimits& limits, const PassCost& cost, const plan::Rates& rates,
                     std::span<const corpus::Pack> packs, std::size_t first, std::size_t last) {
  const double rate = rates.forward.at(cost.width);
  double tokens = 0;
  std::size_t end = first;
  while (end < last) {
    tokens += static_cast<double>(packs[end].tokens.size());
    const auto need = cost.bytes_held + cost.wave_bytes(packs.subspan(first, end + 1 - first));
    if (need > limits.memory && end == first) too_large(packs[end], need, limits.memory);
    if (need > std::min(limits.memory, limits.several) && end > first) break;
    if (end > first && tokens * cost.flops_per_token / rate > limits.seconds) break;
    ++end;
  }
  return end;
}

double training_flops(const sae::SaeOptions& options, std::int64_t n, std::int64_t d) {
  // Adam's work on one parameter, and what else a step does with it.
  constexpr double flops_of_update = 16;
  const double hd = static_cast<double>(options.latents * d);
  return static_cast<double>(options.steps) *
         (2 * static_cast<double>(sae::batch_rows(n, options)) * hd + 2 * flops_of_update * hd);
}

WaveLimits WaveLimits::of(const deck::RunOptions& run, std::uint64_t memory) {
  return {.memory = memory, .several = UINT64_MAX, .seconds = std::max(run.part_after, 1.0)};
}

WaveLimits WaveLimits::of(const Session& session) {
  auto limits = of(session.deck.run, session.memory);
  limits.several = session.wave_limit;
  return limits;
}

plan::Pass PassMaker::operator()(const PassCost& cost, const Checkpoint& checkpoint) {
  const auto [waves, fresh] = waves_.try_emplace(checkpoint.model, 0);
  if (fresh) waves->second = count_waves(limits_, cost, rates_, text_of(study_, checkpoint).packs);
  return pass_of(cost, study_, checkpoint, rates_, waves->second, ranks_);
}

std::int64_t count_waves(const WaveLimits& limits, const PassCost& cost, const plan::Rates& rates,
                         std::span<const corpus::Pack> packs) {
  std::int64_t waves = 0;
  for (std::size_t first = 0; first < packs.size(); ++waves)
    first = wave_end(limits, cost, rates, packs, first, packs.size());
  return waves;
}

plan::Pass pass_of(const PassCost& cost, const Study& study, const Checkpoint& checkpoint,
                   const plan::Rates& rates, std::int64_t waves, int ranks) {
  const auto& packs = text_of(study, checkpoint).packs;
  const double bandwidth = std::min(rates.read, rates.read_all / ranks);
  return {.computing = cost.flops_per_token * tokens_of(packs) / rates.forward.at(cost.width) + rates.file,
          .reading = cost.bytes_read / bandwidth,
          .first = checkpoint.anchor,
          .most_ranks = static_cast<int>(std::min<std::size_t>(packs.size(), INT_MAX)),
          .waves = static_cast<double>(waves)};
}

double attention_per_token(const checkpoint::Config& config, std::span<const corpus::Pack> packs) {
  double pairs = 0;  // of a token and one that it sees
  for (const auto& pack : packs)
    for (std::size_t i = 0; i + 1 < pack.starts.size(); ++i) {
      const auto length = static_cast<double>(pack.starts[i + 1] - pack.starts[i]);
      pairs += length * (length + 1) / 2;
    }
  return 4.0 * static_cast<double>(config.d * config.layers) * pairs / std::max(1.0, tokens_of(packs));
}

double forward_flops(const checkpoint::Config& config, std::span<const corpus::Pack> packs, int last) {
  if (last == 0) return 0;  // the embedding is looked up
  const double tokens = tokens_of(packs), layers = static_cast<double>(config.layers);
  const double block = tokens * (config.flops_per_token() + attention_per_token(config, packs)) / layers;
  const double d = static_cast<double>(config.d);
  const auto probes = static_cast<double>(model::probes_of(packs));
  const double keys_and_values = 2 * 2 * d * d;
  const double of_last_token = config.flops_per_token() / layers - keys_and_values;
  // A last token sees its whole text, itself included: all tokens are seen once.
  return block * (last - 1) + tokens * (keys_and_values + 4 * d) + probes * of_last_token;
}

PassCost forward_cost(const Study& study, const Checkpoint& checkpoint, const deck::RunOptions& run,
                      std::size_t row, bool components) {
  const auto precision = model::precision_of(run.precision);
  const auto& config = study.model(checkpoint).config;
  const double depth = static_cast<double>(checkpoint.layers.back()) / static_cast<double>(config.layers);
  PassCost cost;
  const auto& packs = text_of(study, checkpoint).packs;
  const double tokens = tokens_of(packs);
  cost.flops_per_token = forward_flops(config, packs, checkpoint.layers.back()) / std::max(1.0, tokens);
  cost.width = static_cast<double>(config.d);
  const double embedded = tokens * cost.width;  // a row for each token
  cost.bytes_read =
      bytes_of_number(config) * (static_cast<double>(config.params_non_embedding()) * depth + embedded);
  cost.bytes_held = model::Neox::bytes_fixed(config, run.pack_tokens, precision);
  cost.wave_bytes = [&config, row, precision, components](std::span<const corpus::Pack> wave) {
    return model::Neox::bytes_per_wave(config, wave, precision, components) +
           static_cast<std::size_t>(model::probes_of(wave)) * row;
  };
  return cost;
}

double tokens_of(std::span<const corpus::Pack> packs) {
  double tokens = 0;
  for (const auto& pack : packs) tokens += static_cast<double>(pack.tokens.size());
  return tokens;
}

const Text& text_of(const Study& study, const Checkpoint& checkpoint) {
  return study.texts[static_cast<std::size_t>(study.text_of[static_cast<std::size_t>(checkpoint.model)])];
}

}  // namespace incipit::command
