#include "console/console.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"
#include "utc.hpp"

namespace incipit::console {

namespace {

bool starts_with(const std::string& text, std::string_view start) {
  return text.compare(0, start.size(), start) == 0;
}

std::string link_target(const std::string& link) {
  std::array<char, 512> target{};
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  return length < 0 ? "" : std::string(target.data(), static_cast<std::size_t>(length));
}

bool launched_by_open_mpi() {
  return std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
}

bool colour_wanted(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || *no_color == '\0') && watched(stream);
}

constexpr std::size_t most_lines_kept = 10000;

}  // namespace

bool watched(std::FILE* stream) {
  const int descriptor = ::fileno(stream);
  if (descriptor < 0 || ::isatty(descriptor) == 0) return false;
  const char* terminal = std::getenv("TERM");
  if (terminal == nullptr || std::string_view(terminal) == "dumb") return false;
  if (!launched_by_open_mpi()) return true;
  const std::string behind =
      link_target("/proc/" + std::to_string(::getppid()) + "/fd/" + std::to_string(descriptor));
  return starts_with(behind, "/dev/pts/") || starts_with(behind, "/dev/tty");
}

struct Console::Impl {
  int rank;
  bool is_quiet;
  std::FILE *out, *err;
  bool is_terminal, colour;
  bool status_shown = false;
  std::ofstream log;
  std::vector<std::string> before_log;  // complete lines, with their times

  void keep(const std::string& prefix, const std::string& text) {
    const std::string line = utc_now() + " " + prefix + text + "\n";
    if (log.is_open()) {
      log << line << std::flush;
    } else if (before_log.size() < most_lines_kept) {
      before_log.push_back(line);
    }
  }

  void clear_status() {
    if (status_shown) std::fputs("\r\x1b[K", out);
    status_shown = false;
  }

  void print(std::FILE* stream, const std::string& text) {
    clear_status();
    if (stream == err) std::fflush(out);
    std::fprintf(stream, "%s\n", text.c_str());
    std::fflush(stream);
  }

  void loud(const char* word, const char* colour_code, const std::string& text) {
    const std::string prefix = std::string(word) + ": ";
    print(err, "incipit: " + (colour ? colour_code + prefix + "\x1b[0m" : prefix) + text);
    keep(prefix, text);
  }
};

Console::Console(int rank, bool quiet, std::FILE* out, std::FILE* err)
    : impl_(std::make_unique<Impl>(Impl{rank,
                                        quiet,
                                        out,
                                        err,
                                        rank == 0 && watched(out),
                                        rank == 0 && colour_wanted(err),
                                        false,
                                        {},
                                        {}})) {}

Console::~Console() {
  impl_->clear_status();
  std::fflush(impl_->out);
}

void Console::attach(const std::filesystem::path& log) {
  if (!speaks()) return;
  impl_->log.open(log, std::ios::app);
  if (!impl_->log) {
    throw Error(Exit::io, "cannot open the log " + log.string() + ": " + std::strerror(errno));
  }
  for (const std::string& line : impl_->before_log) impl_->log << line;
  impl_->log.flush();
  impl_->before_log.clear();
}

bool Console::speaks() const {
  return impl_->rank == 0;
}
bool Console::terminal() const {
  return impl_->is_terminal;
}
bool Console::quiet() const {
  return impl_->is_quiet;
}

void Console::status(const std::string& text) {
  if (!speaks() || !terminal() || quiet()) return;
  impl_->clear_status();
  if (!text.empty()) {
    // No wider than a narrow terminal, or rewriting would leave lines behind; never cut within a character.
    std::size_t width = std::min<std::size_t>(79, text.size());
    while (width < text.size() && width > 0 && (static_cast<unsigned char>(text[width]) & 0xC0) == 0x80)
      --width;
    std::fprintf(impl_->out, "%s", text.substr(0, width).c_str());
    impl_->status_shown = true;
  }
  std::fflush(impl_->out);
}

void Console::log_only(const std::string& text) {
  if (speaks()) impl_->keep("", text);
}

void Console::say(const std::string& text) {
  if (!quiet()) impl_->print(impl_->out, text);
  impl_->keep("", text);
}

void Console::say_warning(const std::string& text) {
  impl_->loud("warning", "\x1b[33m", text);
}
void Console::say_error(const std::string& text) {
  impl_->loud("error", "\x1b[31m", text);
}

}  // namespace incipit::console
