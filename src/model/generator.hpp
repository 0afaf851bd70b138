#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"
#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "device/upload_numbers.hpp"

namespace incipit::model {

/// A GPT-NeoX that goes on with texts: the logits of chosen tokens behind them, or greedy generation with the
/// keys and values of all tokens so far kept on the device.
///
/// What is said of a prompt is, to the last bit, a function of the prompt, the weights, and the other
/// arguments of the call; other prompts of the call, their order, the number of threads and the memory do not
/// show. A row of a matrix product may differ in its last bits with its place and with how many there are
/// (see Device): so each prompt goes through by itself, and when tokens are written, sixteen texts at a time,
/// a text's row is drawn from its prompt, whoever sits in the others.
class Generator {
 public:
  using Tokens = std::vector<std::int32_t>;
  /// Called once for each prompt, in any order, as soon as what is asked of it is there.
  template <class Answer>
  using Sink = std::function<void(std::size_t prompt, const Answer& answer)>;
  /// Whether a text ends with the last of the tokens written so far. A function of its arguments.
  using Ends = std::function<bool(std::span<const std::int32_t> written)>;

  struct Options {
    device::NumberType precision = device::NumberType::f32;  ///< as in Neox; logits are fp32
    /// Bytes that may be used. Weights stay on the device where they take two thirds of them at most, else
    /// they are streamed past the texts once for each token; they never show in what is said.
    std::size_t memory = 0;
    /// Ends messages: what to do about weights that cannot be used.
    std::string way_out;
  };

  Generator() = default;
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;
  virtual ~Generator() = default;

  /// The logits of the token behind each prompt, for these tokens alone, [chosen]. Error(numbers) where one
  /// is not finite; other errors as Neox::run. Prompts must not be empty, nor longer than the context.
  virtual void score(std::span<const Tokens> prompts, std::span<const std::int32_t> chosen,
                     const Sink<std::vector<float>>& sink) = 0;

  /// Has each text written on, always by the token with the largest logit (of equals the lowest), until
  /// `ends` says so or there are `most` (≥ 1) tokens, which are the answer. A prompt and `most` tokens must
  /// fit the context. Errors as `score`.
  virtual void write(std::span<const Tokens> prompts, std::int64_t most, const Ends& ends,
                     const Sink<Tokens>& sink) = 0;
};

/// The device, the weights and the configuration must outlive the generator. Throws as
/// checkpoint::check_tensors does, final norm and unembedding being needed, and as TensorStream.
[[nodiscard]] std::unique_ptr<Generator> make_generator(device::Device& device,
                                                        const checkpoint::Weights& weights,
                                                        const checkpoint::Config& config,
                                                        const Generator::Options& options);

}  // namespace incipit::model
