#pragma once

#include "error.hpp"
#include "parallel/communicator.hpp"

namespace incipit::parallel {

/// Starts MPI for the life of the object; `main` makes one. Thread level: FUNNELED, so only the thread that
/// made the environment calls MPI. MPI's errors are returned, not fatal. Works with and without a launcher.
/// Error machine: MPI cannot be started or gives less than FUNNELED.
class Environment {
 public:
  Environment(int& argc, char**& argv);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
};

/// Ends this process without ending MPI, once all ranks are here and what they said is out. After a failure
/// of input or output: MPI would have HDF5 close files that it can no longer write, and crash or wait for
/// ever.
[[noreturn]] void leave(const Communicator& world, Exit code);

}  // namespace incipit::parallel
