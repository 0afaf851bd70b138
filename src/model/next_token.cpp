#include "model/next_token.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.hpp"
#include "model/head.hpp"
#include "model/precision.hpp"
#include "model/wave.hpp"

namespace incipit::model {
namespace {

/// The running losses of a pack's tokens.
class PackLosses {
 public:
  PackLosses(device::Device& device, const corpus::Pack& pack)
      : device_(device),
        pack_(pack),
        target_(device, std::span<const std::int32_t>(targets(pack))),
        maximum_(device, pack.tokens.size()),
        sum_(device, pack.tokens.size()),
        target_logit_(device, pack.tokens.size()) {}

  void take(std::int64_t first, std::int64_t columns, const float* logits) {
    device_.next_token_loss({.rows = static_cast<std::int64_t>(pack_.tokens.size()),
                             .columns = columns,
                             .first = first,
                             .logits = logits,
                             .target = target_.data(),
                             .maximum = maximum_.data(),
                             .sum = sum_.data(),
                             .target_logit = target_logit_.data()});
  }

  /// Appends the probes' losses, summed in the order of their tokens.
  void finish(const checkpoint::Weights& weights, std::vector<NextToken::Loss>& to) const {
    const auto maximum = maximum_.download();
    const auto sum = sum_.download();
    const auto target_logit = target_logit_.download();
    for (std::size_t i = 0; i < pack_.probes.size(); ++i) {
      NextToken::Loss probe;
      for (std::int64_t t = pack_.starts[i]; t + 1 < pack_.starts[i + 1]; ++t) {
        const auto row = static_cast<std::size_t>(t);
        const double loss =
            static_cast<double>(maximum[row]) - static_cast<double>(target_logit[row]) + std::log(sum[row]);
        if (!std::isfinite(loss)) refuse(weights, pack_.probes[i], t - pack_.starts[i] + 2);
        probe.sum += loss;
        ++probe.predicted;
      }
      to.push_back(probe);
    }
  }

  /// Device bytes for packs of so many tokens together.
  [[nodiscard]] static std::size_t bytes(std::size_t tokens) {
    return tokens * (sizeof(std::int32_t) + 2 * sizeof(float) + sizeof(double));
  }

 private:
  /// The token after each; none (−1) after the last of a probe.
  static std::vector<std::int32_t> targets(const corpus::Pack& pack) {
    std::vector<std::int32_t> next(pack.tokens.size(), -1);
    for (std::size_t i = 0; i < pack.probes.size(); ++i) {
      for (std::int64_t t = pack.starts[i]; t + 1 < pack.starts[i + 1]; ++t)
        next[static_cast<std::size_t>(t)] = pack.tokens[static_cast<std::size_t>(t) + 1];
    }
    return next;
  }

  [[noreturn]] static void refuse(const checkpoint::Weights& weights, std::int64_t probe,
                                  std::int64_t token) {
    throw Error(Exit::numbers,
                weights.folder().string() + ": the logits that predict token " + std::to_string(token) +
                    " of probe " + std::to_string(probe) +
                    " (tokens counted from 1, probes from 0) are NaN or infinite; the checkpoint "
                    "overflows run.precision or is damaged. Leave this step out with family.steps");
  }

  device::Device& device_;
  const corpus::Pack& pack_;
  device::Buffer<std::int32_t> target_;  ///< [tokens]
  device::Buffer<float> maximum_;        ///< [tokens]
  device::Buffer<double> sum_;           ///< [tokens]
  device::Buffer<float> target_logit_;   ///< [tokens]
};

}  // namespace

NextToken::NextToken(device::Device& device, const checkpoint::Weights& weights,
                     const checkpoint::Config& config, device::NumberType precision,
                     checkpoint::SharedParts* shared)
    : device_(device), weights_(weights), config_(config), precision_(precision), shared_(shared) {
  checkpoint::check_tensors(weights, config, checkpoint::Head::needed);
}

/// Calls take(pack, first, columns, logits) for every block of the vocabulary and every pack of the wave.
template <class Take>
void NextToken::forward(std::span<const corpus::Pack> packs, Take&& take) {
  with_numbers(precision_, [&]<device::Number T>() { forward_in<T>(packs, take); });
}

template <device::Number T, class Take>
void NextToken::forward_in(std::span<const corpus::Pack> packs, Take&& take) {
  Wave<T> wave(device_, weights_, config_, packs, config_.layers, shared_);
  for (PackRun<T>& run : wave.runs()) wave.embed(run);
  for (std::int64_t b = 0; b < config_.layers; ++b) {
    const BlockWeights<T>& weights = wave.block(b);
    for (PackRun<T>& run : wave.runs()) run.run(weights, wave.rotary(), wave.workspace());
  }

  Head<T> head(device_, weights_, config_, TensorStream(device_, weights_, shared_), Residence::streamed);
  Workspace<T>& workspace = wave.workspace();
  device::Buffer<float> logits(device_, static_cast<std::size_t>(most_tokens(packs) * Head<T>::block_rows));
  head.pass([&](std::int64_t b, const T* rows) {
    for (std::size_t p = 0; p < packs.size(); ++p) {
      // The norm is taken anew for each block: it costs next to nothing beside the product, and no pack has
      // to keep it.
      PackRun<T>& run = wave.runs()[p];
      run.norm_all(head.norm(), head.norm_bias(), workspace);
      project(device_, run.tokens(), head.rows(b), config_.d, workspace.a.data(), rows, logits.data(), 0.0F);
      take(p, head.first(b), head.rows(b), logits.data());
    }
  });
}

std::vector<NextToken::Loss> NextToken::run(std::span<const corpus::Pack> packs) {
  std::vector<PackLosses> running;
  running.reserve(packs.size());
  for (const corpus::Pack& pack : packs) running.emplace_back(device_, pack);
  forward(packs, [&](std::size_t pack, std::int64_t first, std::int64_t columns, const float* logits) {
    running[pack].take(first, columns, logits);
  });
  std::vector<Loss> losses;
  for (const PackLosses& pack : running) pack.finish(weights_, losses);
  return losses;
}

std::vector<float> NextToken::logits(const corpus::Pack& pack) {
  const std::size_t tokens = pack.tokens.size();
  std::vector<float> all(tokens * static_cast<std::size_t>(config_.vocab));
  forward({&pack, 1}, [&](std::size_t, std::int64_t first, std::int64_t columns, const float* logits) {
    std::vector<float> block(tokens * static_cast<std::size_t>(columns));
    device_.download(block.data(), logits, block.size() * sizeof(float));
    for (std::size_t t = 0; t < tokens; ++t)
      std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(t) * columns, columns,
                  all.begin() + static_cast<std::ptrdiff_t>(t) * config_.vocab + first);
  });
  return all;
}

std::uint64_t NextToken::largest_part(const checkpoint::Weights& weights, const checkpoint::Config& config) {
  const checkpoint::Piece rows{&Head<float>::unembedding(weights, config), 0, Head<float>::block_rows};
  return std::max(largest_block(weights, config.layers), checkpoint::SharedParts::bytes_of_part({&rows, 1}));
}

std::size_t NextToken::bytes_fixed(const checkpoint::Config& config, std::int64_t pack_tokens,
                                   device::NumberType precision) {
  const auto logits = static_cast<std::size_t>(Head<float>::block_rows * pack_tokens) * sizeof(float);
  const auto weights = with_numbers(precision, [&]<device::Number T>() {
    return Wave<T>::bytes_fixed(config, pack_tokens) + Head<T>::bytes(config, Residence::streamed);
  });
  return weights + logits + 2 * TensorStream::bytes(config.d);
}

std::size_t NextToken::bytes_per_wave(const checkpoint::Config& config, std::span<const corpus::Pack> packs,
                                      device::NumberType precision) {
  std::size_t tokens = 0;
  for (const corpus::Pack& pack : packs) tokens += pack.tokens.size();
  const auto wave =
      with_numbers(precision, [&]<device::Number T>() { return Wave<T>::bytes_of(config, packs); });
  return wave + PackLosses::bytes(tokens);
}

}  // namespace incipit::model
