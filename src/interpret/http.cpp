#include "interpret/http.hpp"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include "console/timing.hpp"
#include "corpus/utf8.hpp"
#include "error.hpp"
#include "index.hpp"
#include "interpret/chat.hpp"
#include "interpret/teacher.hpp"
#include "nan.hpp"
#include "parallel/work.hpp"
#include "text.hpp"
#include "version.hpp"

namespace incipit::interpret {

/// Not anonymous, since HttpModel::State holds these.
namespace http {

template <auto release>
struct Release {
  template <class T>
  void operator()(T* handle) const {
    release(handle);
  }
};
using Easy = std::unique_ptr<CURL, Release<curl_easy_cleanup>>;
using Multi = std::unique_ptr<CURLM, Release<curl_multi_cleanup>>;
using Headers = std::unique_ptr<curl_slist, Release<curl_slist_free_all>>;

inline void check_multi(CURLMcode code) {
  if (code != CURLM_OK)
    throw Error(Exit::defect, fmt::format("interpret: libcurl: {}", curl_multi_strerror(code)));
}

/// One request, through all its attempts.
struct Job {
  std::size_t prompt;
  int64_t attempts = 0;  ///< begun so far
  double due = 0;        ///< not before this time
  bool bare = false;     ///< without anything that a server may refuse
};

/// One place among those under way at once.
struct Slot {
  explicit Slot(CURLM* all) : multi(all), easy(curl_easy_init()) {
    if (!easy) throw Error(Exit::machine, "libcurl: no memory for a request");
  }
  ~Slot() { stop(); }
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  void start() {
    check_multi(curl_multi_add_handle(multi, easy.get()));
    busy = true;
  }
  void stop() {
    if (busy) curl_multi_remove_handle(multi, easy.get());
    busy = false;
  }

  CURLM* multi;
  Easy easy;
  bool busy = false, overflow = false;
  Job job{};
  Extras sent{};
  std::string request, answer, retry_after;
  char problem[CURL_ERROR_SIZE] = "";
};

}  // namespace http

namespace {

using http::check_multi;
using http::Job;
using http::Slot;

constexpr std::size_t most_answer_bytes = 4 << 20;
constexpr std::size_t excerpt_characters = 200;
constexpr double first_wait = 0.5, longest_wait = 60, longest_asked_wait = 600;
constexpr double connect_seconds = 30;
constexpr int poll_milliseconds = 200;  // how soon a request to stop is heard

/// libcurl keeps some state for the whole process.
void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK)
    throw Error(Exit::machine, fmt::format("libcurl cannot start: {}", curl_easy_strerror(started)));
}

std::string host_of(const std::string& server) {
  const std::unique_ptr<CURLU, http::Release<curl_url_cleanup>> url(curl_url());
  char* host = nullptr;
  if (curl_url_set(url.get(), CURLUPART_URL, server.c_str(), 0) != CURLUE_OK ||
      curl_url_get(url.get(), CURLUPART_HOST, &host, 0) != CURLUE_OK)
    throw Error(Exit::usage, fmt::format("interpret.server = {}: no URL that libcurl can read", server));
  return std::unique_ptr<char, http::Release<curl_free>>(host).get();
}

[[noreturn]] void refuse_key(const InterpretOptions& options, const std::string& what) {
  throw Error(Exit::usage, fmt::format("interpret.key_env = {}: {}", options.key_env, what));
}

/// Empty where the deck names no variable.
std::string read_key(const InterpretOptions& options) {
  if (options.key_env.empty()) return {};
  const char* const value = std::getenv(options.key_env.c_str());
  if (value == nullptr || *value == '\0')
    refuse_key(options, "this environment variable is not set; it holds the server's key");
  std::string key = value;
  if (!std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 127; }))
    refuse_key(options, "this environment variable holds blanks or other characters that no key has");
  if (options.server.starts_with("http://") && !is_loopback(options.server) && !options.key_over_http)
    refuse_key(options, fmt::format("the key would travel to {} unencrypted; use https, or set "
                                    "interpret.key_over_http = yes where the network can be trusted",
                                    options.server));
  return key;
}

/// The beginning of what a server said, on one line.
std::string excerpt(const std::string& body, const std::string& key) {
  std::string text = body;
  const bool readable = corpus::first_invalid_utf8(text) == std::string_view::npos;
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte == 127 || (byte > 127 && !readable)) c = ' ';
  }
  constexpr std::string_view instead = "(key)";
  for (std::size_t at = 0; !key.empty() && (at = text.find(key, at)) != std::string::npos;) {
    text.replace(at, key.size(), instead);
    at += instead.size();
  }
  const auto begun = corpus::first_characters(text, excerpt_characters);
  return begun.empty() ? "nothing" : fmt::format("'{}'{}", begun, begun.size() < text.size() ? "…" : "");
}

std::size_t take_answer(char* data, std::size_t, std::size_t bytes, void* to) {
  auto& slot = *static_cast<Slot*>(to);
  slot.overflow = slot.answer.size() + bytes > most_answer_bytes;
  if (slot.overflow) return 0;
  slot.answer.append(data, bytes);
  return bytes;
}

std::size_t take_header(char* data, std::size_t, std::size_t bytes, void* to) {
  constexpr std::string_view name = "retry-after:";
  const std::string_view line(data, bytes);
  if (ascii_lower(line.substr(0, name.size())) == name)
    static_cast<Slot*>(to)->retry_after = trimmed(line.substr(name.size()));
  return bytes;
}

bool may_pass(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_OUT_OF_MEMORY:
      return false;
    default:
      return true;
  }
}

bool may_pass(long status) {
  return status == 408 || status == 425 || status == 429 || status >= 500;
}

/// Seconds since 1970, for Retry-After as a date.
double wall_seconds() {
  return static_cast<double>(std::time(nullptr));
}

}  // namespace

ServerShare share_of_server(const InterpretOptions& options, int rank, int asking) {
  if (rank >= asking) return {1, 0};  // asks nothing
  return {parallel::block_of(options.concurrency, asking, rank).size(),
          static_cast<double>(options.rate) / asking};
}

bool is_loopback(const std::string& server) {
  const std::string host = ascii_lower(host_of(server));
  if (host == "localhost" || host.ends_with(".localhost") || host == "[::1]") return true;
  in_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24U) == 127;
}

double backoff(int64_t attempt, double chance) {
  const double full =
      std::min(longest_wait, std::ldexp(first_wait, static_cast<int>(std::min<int64_t>(attempt, 32)) - 1));
  return full * (0.5 + chance / 2);
}

void check_server(const InterpretOptions& options) {
  (void)host_of(options.server);
  (void)read_key(options);
}

struct HttpModel::State {
  State(const InterpretOptions& the_options, ServerShare the_share, std::function<std::string()> the_stop)
      : options(the_options), share(the_share), stop(std::move(the_stop)), key(read_key(the_options)) {
    start_curl();
    multi.reset(curl_multi_init());
    check_multi(curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(share.concurrency)));
    add_header("Content-Type: application/json");
    add_header("Expect:");
    if (!key.empty()) add_header("Authorization: Bearer " + key);
    for (int64_t i = 0; i < share.concurrency; ++i) slots.push_back(std::make_unique<Slot>(multi.get()));
    for (const auto& slot : slots) prepare(*slot);
  }

  /// Puts all prompts to the server.
  using Heard = std::function<void(std::size_t prompt, Choice answer)>;
  void ask_all(std::span<const Prompt> prompts, Request kind, const Heard& heard);

  void add_header(const std::string& line) {
    curl_slist* const longer = curl_slist_append(headers.get(), line.c_str());
    if (longer == nullptr) throw Error(Exit::machine, "libcurl: no memory for a header");
    (void)headers.release();
    headers.reset(longer);
  }
  void prepare(Slot& slot) const;
  void start_due(std::span<const Prompt> prompts, const Request& kind);
  bool may_start(double now) const { return now >= resume && (share.rate <= 0 || now >= next_start); }
  void start(Slot& slot, const Job& job, std::span<const Prompt> prompts, Request kind);
  void take_finished(const Heard& heard);
  void finish(Slot& slot, CURLcode code, const Heard& heard);
  void finish_status(Slot& slot, long status, const Heard& heard);
  bool drop_refused(const Slot& slot, long status);
  Extras extras_of(const Job& job) const {
    return job.bare ? Extras{.logprobs = false, .seed = false, .system = extras.system} : extras;
  }
  void try_again(Slot& slot, const std::string& what);
  [[nodiscard]] int milliseconds_to_wait() const;
  [[nodiscard]] std::string why_status(long status, const std::string& answer) const;
  [[noreturn]] void give_up(const std::string& what) const;
  void release_all();

  InterpretOptions options;
  ServerShare share;
  std::function<std::string()> stop;
  std::string key;
  http::Headers headers;
  http::Multi multi;
  std::vector<std::unique_ptr<Slot>> slots;  // gone before `multi`
  Extras extras;                             // what the server takes
  std::deque<Job> waiting;
  double next_start = 0;  // by the rate
  double resume = 0;      // as the server asked
  std::minstd_rand jitter{static_cast<unsigned>(::getpid())};
};

void HttpModel::State::prepare(Slot& slot) const {
  CURL* const easy = slot.easy.get();
  const auto milliseconds = [](double seconds) { return static_cast<long>(1000 * seconds); };
  const std::string url = completions_url(options.server);
  curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_USERAGENT, fmt::format("incipit/{}", program_version).c_str());
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
  if (const char* const authorities = std::getenv("SSL_CERT_FILE");
      authorities != nullptr && *authorities != 0)
    curl_easy_setopt(easy, CURLOPT_CAINFO, authorities);
  if (is_loopback(options.server)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(options.timeout));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(connect_seconds));
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_answer);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &slot);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &slot);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, slot.problem);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &slot);
}

void HttpModel::State::give_up(const std::string& what) const {
  throw Error(Exit::unavailable,
              fmt::format("{}, model {}: {}. Every answer so far is kept, the same command goes on",
                          options.server, options.model, what));
}

std::string HttpModel::State::why_status(long status, const std::string& answer) const {
  // What a server says of a key may hold parts of it.
  if (status == 401 || status == 403)
    return key.empty() ? fmt::format(
                             "asks for a key (HTTP {}); interpret.key_env names the environment "
                             "variable that holds it",
                             status)
                       : fmt::format("refuses the key in ${} (HTTP {})", options.key_env, status);
  const std::string said = excerpt(answer, key);
  if (status == 404)
    return fmt::format("has no such address or no such model (HTTP 404), expected it at {}; it said {}",
                       completions_url(options.server), said);
  return fmt::format("answers with HTTP {}: {}", status, said);
}

void HttpModel::State::try_again(Slot& slot, const std::string& what) {
  if (slot.job.attempts > options.retries)
    give_up(slot.job.attempts == 1 ? what : fmt::format("{} (attempt {})", what, slot.job.attempts));
  const double now = console::monotonic_seconds();
  const double chance = std::uniform_real_distribution<>()(jitter);
  slot.job.due = now + backoff(slot.job.attempts, chance);
  if (const auto asked = retry_after(slot.retry_after, wall_seconds()); asked) {
    resume = std::max(resume, now + std::min(*asked, longest_asked_wait));
    slot.job.due = std::max(slot.job.due, resume);
  }
  waiting.push_back(slot.job);
}

/// Whether the request may pass without something that this server does not take, which is then left out of
/// this and later requests.
bool HttpModel::State::drop_refused(const Slot& slot, long status) {
  const std::string said = ascii_lower(slot.answer);
  const auto names = [&](const char* word) { return said.find(word) != std::string::npos; };
  const bool invalid = status == 400 || status == 422;
  if (names("logprob") && (invalid || status >= 500)) extras.logprobs = false;
  if (names("seed") && invalid) extras.seed = false;
  if (names("system") && names("role") && invalid) extras.system = false;
  Job again{slot.job.prompt, 0, 0, slot.job.bare};
  if (extras_of(again) == slot.sent) {
    // It does not say what it minds: one attempt with nothing but what every server takes.
    if (!invalid || slot.job.bare) return false;
    again.bare = true;
  }
  waiting.push_front(again);
  return true;
}

void HttpModel::State::finish_status(Slot& slot, long status, const Heard& heard) {
  if (status == 200) {
    const std::optional<Choice> choice = parse_completion(slot.answer);
    if (!choice)
      return try_again(slot,
                       fmt::format("gives an answer that cannot be read: {}", excerpt(slot.answer, key)));
    if (slot.job.bare) extras.logprobs = extras.seed = false;
    return heard(slot.job.prompt, *choice);
  }
  if (drop_refused(slot, status)) return;
  const std::string what = why_status(status, slot.answer);
  if (!may_pass(status)) give_up(what);
  try_again(slot, what);
}

void HttpModel::State::finish(Slot& slot, CURLcode code, const Heard& heard) {
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(slot.easy.get(), CURLINFO_RESPONSE_CODE, &status);
    return finish_status(slot, status, heard);
  }
  if (slot.overflow)
    return try_again(slot, fmt::format("gives an answer of more than {} MiB", most_answer_bytes >> 20U));
  std::string what = slot.problem[0] == '\0' ? curl_easy_strerror(code) : slot.problem;
  if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
    what += "; is that the server (interpret.server), and does it run?";
  if (!may_pass(code)) give_up(what);
  try_again(slot, what);
}

void HttpModel::State::take_finished(const Heard& heard) {
  int left = 0;
  while (const CURLMsg* const message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    char* owner = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    Slot& slot = *static_cast<Slot*>(static_cast<void*>(owner));
    slot.stop();
    finish(slot, code, heard);
  }
}

void HttpModel::State::start(Slot& slot, const Job& job, std::span<const Prompt> prompts, Request kind) {
  slot.job = job;
  ++slot.job.attempts;
  slot.answer.clear();
  slot.retry_after.clear();
  slot.overflow = false;
  slot.problem[0] = '\0';
  slot.sent = kind.extras = extras_of(job);
  slot.request = request_body(options.model, prompts[job.prompt], kind);
  curl_easy_setopt(slot.easy.get(), CURLOPT_POSTFIELDS, slot.request.c_str());
  curl_easy_setopt(slot.easy.get(), CURLOPT_POSTFIELDSIZE_LARGE,
                   static_cast<curl_off_t>(slot.request.size()));
  slot.start();
}

void HttpModel::State::start_due(std::span<const Prompt> prompts, const Request& kind) {
  for (const auto& slot : slots) {
    const double now = console::monotonic_seconds();
    if (slot->busy || !may_start(now)) continue;
    const auto due =
        std::find_if(waiting.begin(), waiting.end(), [&](const Job& job) { return job.due <= now; });
    if (due == waiting.end()) return;
    const Job job = *due;
    waiting.erase(due);
    if (share.rate > 0) next_start = std::max(next_start, now) + 60 / share.rate;
    start(*slot, job, prompts, kind);
  }
}

int HttpModel::State::milliseconds_to_wait() const {
  const bool full = std::all_of(slots.begin(), slots.end(), [](const auto& slot) { return slot->busy; });
  if (full || waiting.empty()) return poll_milliseconds;
  double due = waiting.front().due;
  for (const Job& job : waiting) due = std::min(due, job.due);
  const double wait = std::max({due, resume, next_start}) - console::monotonic_seconds();
  return static_cast<int>(std::clamp(std::ceil(1000 * wait), 0.0, static_cast<double>(poll_milliseconds)));
}

void HttpModel::State::release_all() {
  waiting.clear();
  for (const auto& slot : slots) slot->stop();
}

void HttpModel::State::ask_all(std::span<const Prompt> prompts, Request kind, const Heard& heard) {
  release_all();  // of a call that was left by an error
  for (std::size_t i = 0; i < prompts.size(); ++i) waiting.push_back({i});
  std::size_t answered = 0;
  const Heard count = [&](std::size_t prompt, Choice answer) {
    ++answered;
    heard(prompt, std::move(answer));
  };
  while (answered < prompts.size()) {
    leave_if_asked(stop);
    start_due(prompts, kind);
    int running = 0;
    check_multi(curl_multi_perform(multi.get(), &running));
    take_finished(count);
    if (answered < prompts.size())
      check_multi(curl_multi_poll(multi.get(), nullptr, 0, milliseconds_to_wait(), nullptr));
  }
}

HttpModel::HttpModel(const InterpretOptions& options, ServerShare share, std::function<std::string()> stop)
    : state_(std::make_unique<State>(options, share, std::move(stop))) {}

HttpModel::~HttpModel() = default;

Identity HttpModel::identity() const {
  const InterpretOptions& options = state_->options;
  return {"http 1 " + options.model, "http", options.model, options.server};
}

void HttpModel::write(std::span<const Prompt> prompts, int tokens, const Keep<std::string>& keep) {
  state_->ask_all(prompts, {.tokens = tokens, .alternatives = false, .extras = {}},
                  [&](std::size_t prompt, const Choice& answer) { keep(prompt, answer.text); });
}

void HttpModel::choose(std::span<const Prompt> prompts, const Keep<Choice>& keep) {
  state_->ask_all(prompts, {.tokens = 1, .alternatives = true, .extras = {}}, keep);
}

}  // namespace incipit::interpret
