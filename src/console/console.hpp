#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

namespace incipit::console {

/// Whether a person watches the stream: a terminal, also behind Open MPI's mpirun, which puts a
/// pseudo-terminal between itself and the ranks even when its own output goes to a file.
[[nodiscard]] bool watched(std::FILE* stream);

/// What the program says. Rank 0 alone speaks. `quiet` keeps lines off the terminal, not out of the log;
/// warnings are always shown. Colour only on a terminal and without NO_COLOR in the environment. One thread
/// at a time.
class Console {
 public:
  explicit Console(int rank, bool quiet = false, std::FILE* out = stdout, std::FILE* err = stderr);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    if (speaks()) say(fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (speaks()) say_warning(fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void error(fmt::format_string<Args...> format, Args&&... args) {
    if (speaks()) say_error(fmt::format(format, std::forward<Args>(args)...));
  }
  /// Text of several lines, such as a table, without wrapping or prefix.
  void block(const std::string& text) {
    if (speaks()) say(text);
  }
  /// A line for the log file alone.
  void log_only(const std::string& text);

  /// Appends what is said from now on, and what was said so far, to a log file, each line with its UTC time.
  /// Error io: the file cannot be opened.
  void attach(const std::filesystem::path& log);

  [[nodiscard]] bool speaks() const;
  [[nodiscard]] bool terminal() const;  ///< `out` is a terminal that a person watches
  [[nodiscard]] bool quiet() const;

  /// The rewriting line at the bottom of a terminal (Progress); empty removes it.
  void status(const std::string& text);

 private:
  void say(const std::string& text);
  void say_warning(const std::string& text);
  void say_error(const std::string& text);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace incipit::console
