#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "deck/deck.hpp"
#include "error.hpp"

namespace incipit::deck {

/// A folder of its own that goes with the test, with decks written into it.
class DeckFiles : public ::testing::Test {
 protected:
  DeckFiles()
      : folder_(std::filesystem::temp_directory_path() /
                ("incipit_deck_" + std::to_string(::getpid()) + "_" +
                 ::testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::create_directories(folder_);
  }
  ~DeckFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path write(const std::string& text, const std::string& name = "some.ini") {
    const auto path = folder_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  /// Loads `lines` below the two keys that every deck needs.
  Deck load_lines(const std::string& lines, const std::vector<std::string>& overrides = {}) {
    return load(write("[family]\npath = fam\n[probes]\npath = probes.jsonl\n" + lines), overrides);
  }

  std::filesystem::path folder_;
};

/// The message of the usage error that `run` throws; a failure when it throws nothing or another error.
inline std::string usage_message(const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return "";
}

inline void expect_holds(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << "'" << part << "' is not in:\n" << text;
}

}  // namespace incipit::deck
