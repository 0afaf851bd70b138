#pragma once

#include <cstdint>
#include <string>

#include "store/schema.hpp"

namespace incipit::command {

/// Bytes of memory that processes on this node may still take: what the kernel calls available, or what is
/// left of the control group's limit where that is less.
std::uint64_t available_memory();

/// run.mpi_hints as store::Header has them.
std::string hints_of_files(std::string mpi_hints);

/// Of a file that hangs on no machine.
store::Header machine_free_header();

/// Most bytes of memory that this process has held at once so far; 0 where the system does not say.
std::uint64_t peak_memory();

/// Versions of the MPI and HDF5 libraries in use.
std::string library_versions();

/// What MPI gives to a program with threads: "MPI_THREAD_FUNNELED" or more.
std::string thread_level();

}  // namespace incipit::command
