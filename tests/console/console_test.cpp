#include "console/console.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "console/progress.hpp"
#include "console/table.hpp"
#include "console/wrap.hpp"
#include "error.hpp"

namespace incipit::console {
namespace {

/// A stream that remembers; with `terminal`, the slave side of a pseudo-terminal.
class Stream {
 public:
  explicit Stream(bool terminal = false) {
    if (!terminal) {
      file_ = std::tmpfile();
      return;
    }
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    grantpt(master_);
    unlockpt(master_);
    file_ = fdopen(::open(ptsname(master_), O_RDWR | O_NOCTTY), "w");
  }
  ~Stream() {
    std::fclose(file_);
    if (master_ >= 0) ::close(master_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  [[nodiscard]] std::FILE* get() const { return file_; }

  /// Everything written since the last call (terminals), or so far (files).
  std::string text() {
    std::fflush(file_);
    std::string all(1 << 16, '\0');
    if (master_ >= 0) {
      fcntl(master_, F_SETFL, O_NONBLOCK);
      // The kernel hands the text over in pieces: it is all there once nothing comes for a while.
      std::size_t size = 0;
      pollfd ready{master_, POLLIN, 0};
      while (::poll(&ready, 1, 200) > 0) {
        const ssize_t got = ::read(master_, all.data() + size, all.size() - size);
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
      }
      return all.substr(0, size);
    }
    std::rewind(file_);
    return all.substr(0, std::fread(all.data(), 1, all.size(), file_));
  }

 private:
  std::FILE* file_;
  int master_ = -1;
};

/// Environment variables as a person at a terminal has them, restored afterwards.
class ConsoleTest : public testing::Test {
 protected:
  ConsoleTest() {
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
    unsetenv("OMPI_COMM_WORLD_SIZE");
  }
  Stream out_, err_;
};

std::string slurp(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST_F(ConsoleTest, SpeaksOnRankZeroAlone) {
  Console zero(0, false, out_.get(), err_.get());
  zero.line("{} probes", 3);
  zero.warn("slow disk");
  zero.error("bad file");
  EXPECT_EQ(out_.text(), "3 probes\n");
  EXPECT_EQ(err_.text(), "incipit: warning: slow disk\nincipit: error: bad file\n");
  Stream out, err;
  Console one(1, false, out.get(), err.get());
  one.line("hello");
  one.warn("hello");
  one.status("hello");
  EXPECT_EQ(out.text() + err.text(), "");
}

TEST_F(ConsoleTest, QuietKeepsWarningsAndTheLog) {
  const auto log = std::filesystem::temp_directory_path() / ("incipit-log-" + std::to_string(getpid()));
  {
    Console console(0, true, out_.get(), err_.get());
    console.line("before");
    console.attach(log);
    console.line("after");
    console.log_only("to the log");
    console.warn("careful");
  }
  EXPECT_EQ(out_.text(), "");
  EXPECT_EQ(err_.text(), "incipit: warning: careful\n");
  const std::string time = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z ";
  EXPECT_TRUE(std::regex_match(slurp(log), std::regex(time + "before\n" + time + "after\n" + time +
                                                      "to the log\n" + time + "warning: careful\n")))
      << slurp(log);
  {
    Console again(0, true, out_.get(), err_.get());
    again.attach(log);
    again.line("the next run");
  }
  EXPECT_NE(slurp(log).find("before"), std::string::npos) << "the log is appended to";
  EXPECT_NE(slurp(log).find("the next run"), std::string::npos);
  std::filesystem::remove(log);
}

TEST_F(ConsoleTest, NamesALogThatCannotBeOpened) {
  Console console(0, false, out_.get(), err_.get());
  try {
    console.attach("/nowhere/run.log");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::io);
    EXPECT_NE(std::string(error.what()).find("/nowhere/run.log"), std::string::npos);
  }
}

TEST_F(ConsoleTest, ColoursOnlyForAPersonWhoWantsIt) {
  const auto shown = [](bool terminal) {
    Stream out, err(terminal);
    Console(0, false, out.get(), err.get()).warn("x");
    return err.text();
  };
  EXPECT_NE(shown(true).find("\x1b["), std::string::npos);
  EXPECT_EQ(shown(false).find("\x1b["), std::string::npos);
  setenv("NO_COLOR", "1", 1);
  EXPECT_EQ(shown(true).find("\x1b["), std::string::npos);
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  EXPECT_EQ(shown(true).find("\x1b["), std::string::npos);
}

TEST_F(ConsoleTest, LooksBehindOpenMpisPseudoTerminal) {
  const Stream terminal(true);
  EXPECT_TRUE(watched(terminal.get()));
  // Our descriptor is a terminal that nobody has open under that number in the parent, as when mpirun's own
  // output goes to a file.
  setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  EXPECT_FALSE(watched(terminal.get()));
  unsetenv("OMPI_COMM_WORLD_SIZE");
}

struct FakeClock {
  double now = 100;
};

TEST_F(ConsoleTest, ProgressInABatchLogIsPlainAndRare) {
  FakeClock clock;
  Console console(0, false, out_.get(), err_.get());
  {
    Progress progress(console, "extract", 1000, "probes", [&] { return clock.now; });
    for (int i = 0; i < 1000; ++i) {
      clock.now += 0.05;  // 50 s in all: a line each 10 %, since those are 5 s apart
      progress.advance(1);
    }
  }
  const std::string text = out_.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 10) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_NE(text.find("extract    100/1000 probes, 10 %, 20 probes/s, 45 s left"), std::string::npos) << text;
  EXPECT_NE(text.find("extract    1000/1000 probes, 100 %, 20 probes/s, 50 s\n"), std::string::npos) << text;
}

TEST_F(ConsoleTest, ProgressOfASlowPhaseSpeaksEveryHalfMinute) {
  FakeClock clock;
  Console console(0, false, out_.get(), err_.get());
  Progress progress(console, "train", 100000, "steps", [&] { return clock.now; });
  for (int i = 0; i < 100; ++i) {
    clock.now += 1;
    progress.advance(1);
  }
  const std::string text = out_.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 3) << text;
}

TEST_F(ConsoleTest, ProgressOfAFastPhaseIsOneLine) {
  FakeClock clock;
  Console console(0, false, out_.get(), err_.get());
  {
    Progress progress(console, "read", 10, "", [&] { return clock.now; });
    for (int i = 0; i < 10; ++i) progress.advance(1);
  }
  EXPECT_EQ(out_.text().find("read       10/10, 100 %"), 0U);
  const std::string text = out_.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
}

TEST_F(ConsoleTest, ProgressOnATerminalRewritesItsLine) {
  FakeClock clock;
  Stream terminal(true);
  Console console(0, false, terminal.get(), err_.get());
  Progress progress(console, "extract", 100, "probes", [&] { return clock.now; });
  for (int i = 0; i < 50; ++i) {
    clock.now += 0.02;
    progress.advance(1);
  }
  progress.note("nano-550k step 64");
  console.line("a line in between");
  progress.finish();
  const std::string text = terminal.text();
  EXPECT_NE(text.find("\r\x1b[K"), std::string::npos);
  EXPECT_NE(text.find("\r\x1b[Ka line in between\r\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
}

TEST_F(ConsoleTest, TablesAlignCharactersNotBytes) {
  Table table({{"subject", Table::Side::left}, {"onset"}});
  table.row({"Völkerkunde", "64"});
  table.row({"law", "143000"});
  EXPECT_EQ(table.text(),
            "subject       onset\n"
            "-----------  ------\n"
            "Völkerkunde      64\n"
            "law          143000");
  EXPECT_THROW(table.row({"one"}), Error);
}

TEST(Wrapped, BreaksAtBlanksAndEndsInAnEllipsis) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrapped("one two three", 7, 3), (Lines{"one two", "three"}));
  EXPECT_EQ(wrapped("one two three", 7, 1), (Lines{"one…"}));
  EXPECT_EQ(wrapped("one two", 7, 1), (Lines{"one two"}));
  EXPECT_EQ(wrapped("abcdefgh", 3, 5), (Lines{"abc", "def", "gh"}));
  EXPECT_EQ(wrapped("abcdefgh", 3, 2), (Lines{"abc", "de…"}));
  EXPECT_EQ(wrapped("äöü ßé", 3, 2), (Lines{"äöü", "ßé"}));
  EXPECT_EQ(wrapped("", 5, 2), Lines{""});
}

TEST(Wrapped, LetsNoControlCharacterThrough) {
  EXPECT_EQ(wrapped(" a\n\tb\x1b[31mc\x7f\xc2\x9b"
                    "d ",
                    40, 1),
            (std::vector<std::string>{"a b [31mc d"}));
}

TEST_F(ConsoleTest, NumbersForPeople) {
  EXPECT_EQ(human_time(3.21), "3.2 s");
  EXPECT_EQ(human_time(90), "90 s");
  EXPECT_EQ(human_time(600), "10 min");
  EXPECT_EQ(human_time(7200), "2.0 h");
  EXPECT_EQ(human_time(200000), "2.3 d");
  EXPECT_EQ(human_bytes(12), "12 B");
  EXPECT_EQ(human_bytes(2.5e9), "2.5 GB");
}

}  // namespace
}  // namespace incipit::console
