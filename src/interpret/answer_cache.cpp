#include "interpret/answer_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "console/timing.hpp"
#include "error.hpp"
#include "nan.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"
#include "store/process.hpp"

namespace incipit::interpret {
namespace {

namespace fs = std::filesystem;
using Journal = nlohmann::json;

[[noreturn]] void journal_failed(const fs::path& folder, const char* what) {
  throw Error(Exit::io, fmt::format("{}: a journal of answers cannot be {}: {}", folder.string(), what,
                                    std::strerror(errno)));
}

/// One line of a journal; false where it is none.
bool read_answer(std::string_view line, std::pair<std::string, Choice>& out) {
  const Journal value = Journal::parse(line, nullptr, false);
  if (!value.is_object() || !value.contains("key") || !value["key"].is_string()) return false;
  if (!value.contains("text") || !value["text"].is_string()) return false;
  const bool has_odds = value.contains("log_odds");
  if (has_odds && !value["log_odds"].is_number()) return false;
  out = {value["key"].get<std::string>(),
         {has_odds ? value["log_odds"].get<double>() : nan, value["text"].get<std::string>()}};
  return true;
}

}  // namespace

AnswerCache::AnswerCache(fs::path folder) : folder_(std::move(folder)) {
  reload();
}

void AnswerCache::reload() {
  known_.clear();
  if (!fs::exists(folder_)) return;
  std::vector<fs::path> journals;
  for (const auto& entry : fs::directory_iterator(folder_))
    if (entry.path().extension() == ".jsonl") journals.push_back(entry.path());
  std::sort(journals.begin(), journals.end());
  for (const fs::path& path : journals) read_journal(path);
}

AnswerCache::~AnswerCache() {
  if (journal_ < 0) return;
  ::fsync(journal_);
  ::close(journal_);
}

void AnswerCache::read_journal(const fs::path& path) {
  const std::string text = store::read_text(path);
  std::size_t begin = 0;
  for (std::size_t number = 1; begin < text.size(); ++number) {
    const auto end = text.find('\n', begin);
    std::pair<std::string, Choice> answer;
    if (read_answer(std::string_view(text).substr(begin, end - begin), answer)) {
      known_.insert(std::move(answer));
    } else if (end != std::string::npos) {
      throw Error(Exit::data, fmt::format("{}:{}: found no answer, expected JSON with key and text; remove "
                                          "the line, or the file, to have it asked again",
                                          path.string(), number));
    }
    if (end == std::string::npos) return;  // the last line; torn where its process died
    begin = end + 1;
  }
}

std::string AnswerCache::key(std::string_view model, std::string_view kind, const Prompt& prompt) {
  store::Sha256 hash;
  for (const std::string_view part :
       {model, kind, std::string_view(prompt.system), std::string_view(prompt.user)})
    hash.update(fmt::format("{}:{}", part.size(), part));
  return hash.hex();
}

const Choice* AnswerCache::find(const std::string& key) const {
  const auto found = known_.find(key);
  return found == known_.end() ? nullptr : &found->second;
}

void AnswerCache::open_journal() {
  store::ensure_folder(folder_);
  // A name that was never used: behind a torn line nothing may follow.
  for (int n = 0; journal_ < 0; ++n) {
    const fs::path path = folder_ / fmt::format("{}-{}-{}.jsonl", store::host_name(), ::getpid(), n);
    journal_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (journal_ < 0 && errno != EEXIST) journal_failed(folder_, "made");
  }
}

void AnswerCache::add(const std::string& key, const Choice& answer) {
  if (journal_ < 0) open_journal();
  Journal value = {{"key", key}, {"text", answer.text}};
  if (!std::isnan(answer.log_odds)) value["log_odds"] = answer.log_odds;
  const std::string line = value.dump(-1, ' ', false, Journal::error_handler_t::replace) + "\n";
  if (::write(journal_, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    journal_failed(folder_, "written");
  known_.emplace(key, answer);
  if (console::monotonic_seconds() - synced_ > 1) flush();
}

void AnswerCache::flush() {
  if (journal_ < 0) return;
  if (::fsync(journal_) != 0) journal_failed(folder_, "flushed");
  synced_ = console::monotonic_seconds();
}

}  // namespace incipit::interpret
