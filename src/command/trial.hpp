#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "command/checkup.hpp"
#include "parallel/communicator.hpp"

namespace incipit::command {

/// Tries on a folder what a run will ask of it: locks, renaming, flushing, a file that all ranks write
/// together, and whether all nodes see the same. Leaves nothing behind. Collective; what fails is a finding,
/// the same on all ranks. `hints` as in the deck.
[[nodiscard]] std::vector<Finding> try_folder(const parallel::Communicator& world,
                                              const std::filesystem::path& folder, const std::string& hints);

/// What the operating system says of it. Of this rank.
[[nodiscard]] FileSystem look_at_file_system(const std::filesystem::path& folder);

/// What an open file there says of each hint ("name=value"), "" where it says nothing. Collective. Error io.
[[nodiscard]] std::vector<std::string> hints_taken(const parallel::Communicator& world,
                                                   const std::filesystem::path& folder,
                                                   const std::vector<std::string>& hints);

/// A text that the MPI library holds under that name for its tools to read (MPI_T), as Open MPI's "io"; or
/// "".
[[nodiscard]] std::string mpi_setting(const std::string& name);

}  // namespace incipit::command
