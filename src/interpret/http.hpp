#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "interpret/language_model.hpp"
#include "interpret/options.hpp"

namespace incipit::interpret {

/// How much of what a server is to bear one rank may use.
struct ServerShare {
  int64_t concurrency;  ///< requests under way, at least 1
  double rate;          ///< requests begun per minute; 0: no limit
};

/// The share of `rank` where `asking` ranks ask, so that all together stay within the options' numbers.
/// `asking` ≤ concurrency.
[[nodiscard]] ServerShare share_of_server(const InterpretOptions& options, int rank, int asking);

/// Whether a server's URL means this machine: localhost, 127.0.0.0/8, ::1.
[[nodiscard]] bool is_loopback(const std::string& server);

/// Seconds to wait before a request is sent for the `attempt`-th time again, from 1: doubling from half a
/// second to a minute, times 0.5 to 1 by `chance` in [0, 1), so that ranks that failed together do not come
/// back together.
[[nodiscard]] double backoff(int64_t attempt, double chance);

/// Refuses a key that is not there, or that would travel unencrypted. Error usage; the key is in no message.
void check_server(const InterpretOptions& options);

/// A model behind a server with an OpenAI-compatible chat-completions API, asked many things at once through
/// libcurl. Requests are deterministic as far as the server is: temperature 0, a fixed seed. A judgement asks
/// for one token and its most likely alternatives. Where the server refuses log-probabilities, seeds or the
/// system role, requests go on without, and judgements are read off the token.
///
/// Failures that may pass (no connection, no answer in time, HTTP 408, 425, 429, 5xx, an answer that is no
/// JSON) are tried again after `backoff`, or what Retry-After says; then, and for all others, Error
/// unavailable. JSON of another shape is an answer without text. TLS certificates are verified, against
/// $SSL_CERT_FILE where it is set; proxies are those of the usual variables, but never for this machine;
/// redirects are not followed.
class HttpModel final : public LanguageModel {
 public:
  /// `stop` says why to stop, or nothing; it is asked several times a second. Errors as check_server's.
  HttpModel(const InterpretOptions& options, ServerShare share, std::function<std::string()> stop);
  ~HttpModel() override;

  /// "http 1 MODEL"
  [[nodiscard]] Identity identity() const override;
  void write(std::span<const Prompt> prompts, int tokens, const Keep<std::string>& keep) override;
  void choose(std::span<const Prompt> prompts, const Keep<Choice>& keep) override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace incipit::interpret
