#pragma once

#include <filesystem>
#include <string>

#include "error.hpp"

namespace incipit {

/// Throws Error data: what is wrong with a file or a part of it.
[[noreturn]] inline void refuse(const std::string& where, const std::string& what) {
  throw Error(Exit::data, where + ": " + what);
}
[[noreturn]] inline void refuse(const std::filesystem::path& where, const std::string& what) {
  refuse(where.string(), what);
}

}  // namespace incipit
