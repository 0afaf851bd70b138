#include "interpret/chat.hpp"

#include <time.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "nan.hpp"
#include "text.hpp"

namespace incipit::interpret {
namespace {

using Body = nlohmann::json;

constexpr int most_alternatives = 20;  // servers refuse more

/// A member, or null where there is no such thing.
const Body& member(const Body& value, const char* name) {
  static const Body none;
  return value.is_object() && value.contains(name) ? value[name] : none;
}
const Body& first_of(const Body& value) {
  static const Body none;
  return value.is_array() && !value.empty() ? value[0] : none;
}

/// A token without the blanks of its spelling, in lower case.
std::string token_word(std::string_view token) {
  for (const std::string_view blank : {" ", "\n", "\t", "▁", "Ġ"})
    while (token.starts_with(blank)) token.remove_prefix(blank.size());
  while (!token.empty() && (token.back() == ' ' || token.back() == '.' || token.back() == ','))
    token.remove_suffix(1);
  return ascii_lower(token);
}

double log_odds_of(const Body& top) {
  if (!top.is_array()) return nan;
  double yes = 0, no = 0, all = 0, least = 1;
  for (const Body& one : top) {
    const Body &token = member(one, "token"), &logprob = member(one, "logprob");
    if (!token.is_string() || !logprob.is_number()) return nan;
    const double p = std::exp(logprob.get<double>());
    const std::string word = token_word(token.get_ref<const std::string&>());
    if (word == "yes") yes += p;
    if (word == "no") no += p;
    all += p;
    least = std::min(least, p);
  }
  if (yes == 0 && no == 0) return nan;
  constexpr double tiny = std::numeric_limits<double>::min();
  const double bound = std::max(std::min(least, 1 - all), tiny);
  return std::log(yes > 0 ? yes : bound) - std::log(no > 0 ? no : bound);
}

}  // namespace

std::string completions_url(std::string_view server) {
  while (server.ends_with('/')) server.remove_suffix(1);
  return std::string(server) + (server.ends_with("/v1") ? "/chat/completions" : "/v1/chat/completions");
}

std::string request_body(const std::string& model, const Prompt& prompt, const Request& request) {
  const auto message = [](const char* role, const std::string& text) {
    return Body{{"role", role}, {"content", text}};
  };
  Body messages = Body::array();
  if (request.extras.system) {
    messages = {message("system", prompt.system), message("user", prompt.user)};
  } else {
    messages = {message("user", prompt.system + "\n\n" + prompt.user)};
  }
  Body body = {{"model", model}, {"messages", messages}, {"temperature", 0}, {"max_tokens", request.tokens}};
  if (request.extras.seed) body["seed"] = 1;
  if (request.alternatives && request.extras.logprobs) {
    body["logprobs"] = true;
    body["top_logprobs"] = most_alternatives;
  }
  return body.dump(-1, ' ', false, Body::error_handler_t::replace);
}

std::optional<Choice> parse_completion(std::string_view body) {
  const Body value = Body::parse(body, nullptr, false);
  if (value.is_discarded() || !member(value, "error").is_null()) return std::nullopt;
  const Body& choice = first_of(member(value, "choices"));
  const Body& content = member(member(choice, "message"), "content");
  const Body& top = member(first_of(member(member(choice, "logprobs"), "content")), "top_logprobs");
  return Choice{log_odds_of(top), content.is_string() ? content.get<std::string>() : std::string()};
}

std::optional<double> retry_after(std::string_view value, double now) {
  double seconds = 0;
  const auto number = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (number.ec == std::errc{} && number.ptr == value.data() + value.size() && std::isfinite(seconds))
    return std::max(seconds, 0.0);
  std::tm date{};
  const char* const end = ::strptime(std::string(value).c_str(), "%a, %d %b %Y %H:%M:%S GMT", &date);
  if (end == nullptr) return std::nullopt;
  return std::max(static_cast<double>(::timegm(&date)) - now, 0.0);
}

}  // namespace incipit::interpret
