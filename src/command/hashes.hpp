#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::command {

/// Size and modification time (ns): what tells that a file is still the one that was hashed. Error io.
std::string file_stamp(const std::filesystem::path& path);

/// SHA-256 of every file in `paths`, by its path as given. Shared out over the ranks by size; what was
/// hashed before and has not changed (size, modification time) is taken from `cache`, which is rewritten
/// atomically by rank 0. `known` holds hashes of files just read, the same on every rank. `between` is called
/// before each file and may throw; what was hashed by then is in the cache. Collective. Error io where a file
/// cannot be read.
std::map<std::string, std::string> hash_files(const parallel::Communicator& world,
                                              const std::vector<std::filesystem::path>& paths,
                                              const std::filesystem::path& cache,
                                              const std::map<std::string, std::string>& known = {},
                                              const std::function<void()>& between = {});

}  // namespace incipit::command
