#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::command {

/// SHA-256 of every file in `paths`, by its path as given. Shared out over the ranks by size; what was
/// hashed before and has not changed (size, modification time) is taken from `cache`, which is rewritten
/// atomically by rank 0. Collective. Error io where a file cannot be read.
std::map<std::string, std::string> hash_files(const parallel::Communicator& world,
                                              const std::vector<std::filesystem::path>& paths,
                                              const std::filesystem::path& cache);

}  // namespace incipit::command
