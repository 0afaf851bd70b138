#pragma once

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

}  // namespace incipit::parallel
