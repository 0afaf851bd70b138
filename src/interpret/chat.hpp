#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "interpret/language_model.hpp"

/// What an OpenAI-compatible chat-completions server is asked and answers, without the network.
namespace incipit::interpret {

/// Where to post for a server given as `http://host:port`, with or without `/v1`.
[[nodiscard]] std::string completions_url(std::string_view server);

/// What not every server takes.
struct Extras {
  bool logprobs = true, seed = true;
  bool system = true;  ///< the system role; without it the user says both
  friend bool operator==(const Extras&, const Extras&) = default;
};

/// How a prompt is put.
struct Request {
  int tokens;         ///< most to be written
  bool alternatives;  ///< asks for the most likely first tokens too
  Extras extras;
};

/// The JSON to post: temperature 0, a fixed seed.
[[nodiscard]] std::string request_body(const std::string& model, const Prompt& prompt,
                                       const Request& request);

/// The first choice of an answer's body; nothing where the body is no JSON or tells of an error, so that it
/// is to be asked for again. `log_odds` compares the probabilities of the first token's spellings of yes and
/// no ("Yes", " YES", …), each summed over `top_logprobs`; a word that is not among these has at most the
/// rest of the probability, and at most that of the least likely of them. NaN where neither is there or the
/// server gives none. JSON of another shape is a choice that says nothing.
[[nodiscard]] std::optional<Choice> parse_completion(std::string_view body);

/// Seconds of a Retry-After header in seconds or as an HTTP date, from `now` (s since 1970), not below 0;
/// nothing where it is neither.
[[nodiscard]] std::optional<double> retry_after(std::string_view value, double now);

}  // namespace incipit::interpret
