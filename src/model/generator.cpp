#include "model/generator.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "error.hpp"
#include "model/blocks.hpp"
#include "model/head.hpp"
#include "model/lanes.hpp"
#include "model/pack_run.hpp"
#include "model/precision.hpp"

namespace incipit::model {
namespace {

using Prompts = std::span<const Generator::Tokens>;

/// Prompts of a wave whose weights stay where they are: an answer is not to wait for all others.
constexpr std::size_t resident_wave = 16;

void check_prompts(Prompts prompts, std::int64_t more, const checkpoint::Config& config) {
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::int64_t length = std::ssize(prompts[i]);
    if (length > 0 && length + more <= config.context) continue;
    throw Error(Exit::defect, "prompt " + std::to_string(i) + " of " + std::to_string(length) +
                                  " tokens and " + std::to_string(more) + " more: a context of " +
                                  std::to_string(config.context) + " holds them not");
  }
}

std::int64_t longest_of(Prompts prompts) {
  std::int64_t longest = lane_count;
  for (const Generator::Tokens& prompt : prompts) longest = std::max(longest, std::ssize(prompt));
  return longest;
}

template <device::Number T>
std::size_t weight_bytes(const checkpoint::Config& config, Residence residence) {
  return Blocks<T>::bytes(config, residence) + Head<T>::bytes(config, residence);
}

template <device::Number T>
Residence residence_of(const checkpoint::Config& config, std::size_t memory) {
  return weight_bytes<T>(config, Residence::resident) <= memory / 3 * 2 ? Residence::resident
                                                                        : Residence::streamed;
}

/// How many of the things that take so many bytes each fit, one at least and `most` at most, from `first` on.
template <class Bytes>
std::size_t wave_of(std::size_t first, std::size_t count, std::size_t most, std::size_t room, Bytes&& bytes) {
  std::size_t end = first;
  for (std::size_t taken = 0; end < count && end - first < most; ++end) {
    taken += bytes(end);
    if (taken > room && end > first) break;
  }
  return end - first;
}

template <device::Number T>
class GeneratorIn final : public Generator {
 public:
  GeneratorIn(device::Device& device, const checkpoint::Weights& weights, const checkpoint::Config& config,
              const Options& options)
      : device_(device),
        weights_(weights),
        config_(config),
        options_(options),
        residence_(residence_of<T>(config, options.memory)),
        embedding_(weights.at("gpt_neox.embed_in.weight")),
        stream_(this->stream()),
        blocks_(device, weights, config, this->stream(), residence_),
        head_(device, weights, config, this->stream(), residence_),
        rotary_(device, config, config.context) {}

  void score(Prompts prompts, std::span<const std::int32_t> chosen,
             const Sink<std::vector<float>>& sink) override {
    check_prompts(prompts, 0, config_);
    const device::Buffer<T> weight = unembedding_of(chosen);
    Workspace<T> workspace(device_, config_, longest_of(prompts));
    const std::size_t room = room_beside(workspace_bytes(prompts));
    for (std::size_t first = 0; first < prompts.size();) {
      const std::size_t count = wave_of(first, prompts.size(), most_at_once(), room, [&](std::size_t i) {
        return PackRun<T>::bytes(config_, pack_of(prompts[i], i)) +
               static_cast<std::size_t>(config_.d) * sizeof(float);
      });
      score_wave(prompts, first, count, weight, chosen.size(), workspace, sink);
      first += count;
    }
  }

  void write(Prompts prompts, std::int64_t most, const Ends& ends, const Sink<Tokens>& sink) override {
    check_prompts(prompts, most, config_);
    Workspace<T> workspace(device_, config_, longest_of(prompts));
    device::Buffer<float> logits(device_, static_cast<std::size_t>(lane_count * Head<T>::block_rows));
    const std::size_t room = room_beside(workspace_bytes(prompts) + logits.size() * sizeof(float));
    const auto bytes = [&](const Seats& seats) { return Lanes<T>::bytes(config_, prompts, seats, most); };
    std::vector<Seats> tables;
    for (const Seats& seats : seat(prompts))
      seat_apart(
          seats, [&](const Seats& some) { return bytes(some) <= room; }, tables);
    const std::size_t at_once = residence_ == Residence::resident ? 1 : tables.size();
    for (std::size_t first = 0; first < tables.size();) {
      const std::size_t count =
          wave_of(first, tables.size(), at_once, room, [&](std::size_t t) { return bytes(tables[t]); });
      std::vector<Lanes<T>> wave;
      wave.reserve(count);
      for (std::size_t t = first; t < first + count; ++t)
        wave.emplace_back(device_, config_, prompts, tables[t], most);
      write_wave(wave, workspace, logits, ends, sink);
      first += count;
    }
  }

 private:
  [[nodiscard]] TensorStream stream() const { return {device_, weights_, nullptr, options_.way_out}; }
  [[nodiscard]] std::size_t most_at_once() const {
    return residence_ == Residence::resident ? resident_wave : static_cast<std::size_t>(-1);
  }
  [[nodiscard]] std::size_t workspace_bytes(Prompts prompts) const {
    return Workspace<T>::bytes(config_, longest_of(prompts));
  }
  [[nodiscard]] std::size_t room_beside(std::size_t bytes) const {
    const std::size_t taken = weight_bytes<T>(config_, residence_) + bytes;
    return options_.memory > taken ? options_.memory - taken : 0;
  }

  /// The rows of the unembedding for these tokens, [chosen, d].
  device::Buffer<T> unembedding_of(std::span<const std::int32_t> chosen) {
    const checkpoint::Tensor& matrix = Head<T>::unembedding(weights_, config_);
    device::Buffer<T> rows(device_, chosen.size() * static_cast<std::size_t>(config_.d));
    for (std::size_t i = 0; i < chosen.size(); ++i)
      stream_.read(matrix, chosen[i], 1, rows.data() + static_cast<std::int64_t>(i) * config_.d);
    return rows;
  }

  void score_wave(Prompts prompts, std::size_t first, std::size_t count, const device::Buffer<T>& weight,
                  std::size_t chosen, Workspace<T>& workspace, const Sink<std::vector<float>>& sink) {
    std::vector<corpus::Pack> packs;
    for (std::size_t i = first; i < first + count; ++i) packs.push_back(pack_of(prompts[i], i));
    std::vector<PackRun<T>> runs;
    runs.reserve(count);
    for (const corpus::Pack& pack : packs)
      runs.emplace_back(device_, config_, pack).embed(stream_, embedding_, workspace);
    device::Buffer<float> last(device_, count * static_cast<std::size_t>(config_.d));
    const auto last_of = [&](std::size_t i) {
      return last.data() + static_cast<std::int64_t>(i) * config_.d;
    };
    blocks_.pass([&](std::int64_t b, const BlockWeights<T>& block) {
      for (std::size_t i = 0; i < count; ++i) {
        if (b + 1 < config_.layers) {
          runs[i].run(block, rotary_, workspace);
        } else {
          runs[i].run_last(block, rotary_, workspace, last_of(i));
        }
      }
    });

    device::Buffer<float> logits(device_, count * chosen);
    for (std::size_t i = 0; i < count; ++i) {
      layer_norm(device_, config_, 1, last_of(i), head_.norm(), head_.norm_bias(), workspace.a.data());
      project(device_, 1, static_cast<std::int64_t>(chosen), config_.d, workspace.a.data(), weight.data(),
              logits.data() + i * chosen, 0.0F);
    }
    const std::vector<float> all = logits.download();
    for (std::size_t i = 0; i < count; ++i) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(i * chosen);
      const std::vector<float> own(begin, begin + static_cast<std::ptrdiff_t>(chosen));
      if (!std::all_of(own.begin(), own.end(), [](float x) { return std::isfinite(x); })) refuse(first + i);
      sink(first + i, own);
    }
  }

  void write_wave(std::vector<Lanes<T>>& wave, Workspace<T>& workspace, device::Buffer<float>& logits,
                  const Ends& ends, const Sink<Tokens>& sink) {
    for (Lanes<T>& lanes : wave) lanes.embed_prompts(stream_, embedding_, workspace);
    blocks_.pass([&](std::int64_t b, const BlockWeights<T>& block) {
      for (Lanes<T>& lanes : wave) lanes.run_prompts(b, block, rotary_, workspace);
    });
    device_.synchronize();
    for (Lanes<T>& lanes : wave) lanes.drop_prompts();
    for (;;) {
      take_tokens(wave, workspace, logits, ends, sink);
      std::vector<Lanes<T>*> open;
      for (Lanes<T>& lanes : wave)
        if (!lanes.done()) open.push_back(&lanes);
      if (open.empty()) return;
      for (Lanes<T>* lanes : open) lanes->embed_tokens(stream_, embedding_, workspace);
      blocks_.pass([&](std::int64_t b, const BlockWeights<T>& block) {
        for (Lanes<T>* lanes : open) lanes->run_tokens(b, block, rotary_, workspace);
      });
    }
  }

  /// One more token of every text, while the unembedding passes once.
  void take_tokens(std::vector<Lanes<T>>& wave, Workspace<T>& workspace, device::Buffer<float>& logits,
                   const Ends& ends, const Sink<Tokens>& sink) {
    head_.pass([&](std::int64_t b, const T* weight) {
      const std::int64_t tokens = head_.rows(b);
      for (Lanes<T>& lanes : wave) {
        if (lanes.done()) continue;
        layer_norm(device_, config_, lane_count, lanes.residual(), head_.norm(), head_.norm_bias(),
                   workspace.a.data());
        project(device_, lane_count, tokens, config_.d, workspace.a.data(), weight, logits.data(), 0.0F);
        lanes.weigh(Head<T>::first(b), tokens, logits.download());
      }
    });
    for (Lanes<T>& lanes : wave) {
      if (const auto bad = lanes.take(ends, sink)) refuse(*bad);
    }
  }

  [[noreturn]] void refuse(std::size_t prompt) const {
    throw Error(Exit::numbers, weights_.folder().string() + ": the logits behind prompt " +
                                   std::to_string(prompt) +
                                   " (counted from 0) are NaN or infinite; the checkpoint overflows "
                                   "run.precision or is damaged. Set run.precision = bf16 or fp32, or " +
                                   options_.way_out);
  }

  device::Device& device_;
  const checkpoint::Weights& weights_;
  const checkpoint::Config& config_;
  Options options_;
  Residence residence_;
  const checkpoint::Tensor& embedding_;
  TensorStream stream_;
  Blocks<T> blocks_;
  Head<T> head_;
  RotaryTable rotary_;
};

}  // namespace

std::unique_ptr<Generator> make_generator(device::Device& device, const checkpoint::Weights& weights,
                                          const checkpoint::Config& config,
                                          const Generator::Options& options) {
  checkpoint::check_tensors(weights, config, checkpoint::Head::needed);
  return with_numbers(options.precision, [&]<device::Number T>() -> std::unique_ptr<Generator> {
    return std::make_unique<GeneratorIn<T>>(device, weights, config, options);
  });
}

}  // namespace incipit::model
