#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "error.hpp"

/// What tests of one process need over and over.
namespace incipit::test {

/// A folder of its own for each test, gone at its end.
class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "incipit-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    folder_ = name;
  }
  ~FolderTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  /// Writes a file below the folder, with the folders above it; returns its path.
  std::filesystem::path write(const std::filesystem::path& name, std::string_view text) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  std::filesystem::path folder_;
};

/// How `f` ends: the code of the Error it throws, or Exit::done.
inline Exit code_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.code();
  }
  return Exit::done;
}

/// Expects `f` to throw an Error of that code whose message holds every one of `parts`.
inline void expect_error(Exit code, const std::vector<std::string>& parts, const std::function<void()>& f) {
  try {
    f();
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    for (const std::string& part : parts) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
          << "'" << part << "' is not in: " << error.what();
    }
  }
}

/// The material that lies beside the project and is not part of it; empty when it is not there.
inline std::filesystem::path shared_folder() {
  const char* const set = std::getenv("INCIPIT_SHARED");
  const std::filesystem::path folder =
      set != nullptr ? std::filesystem::path(set) : std::filesystem::path(INCIPIT_SOURCE_DIR) / "../shared";
  return std::filesystem::exists(folder / "science.md") ? folder : std::filesystem::path();
}

}  // namespace incipit::test
