#include <cstdio>
#include <string>
#include <vector>

#include "command/command.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/communicator.hpp"
#include "parallel/environment.hpp"

/// Parse, dispatch, turn errors into exit codes.
int main(int argc, char** argv) {
  using namespace incipit;
  try {
    const parallel::Environment mpi(argc, argv);
    const auto world = parallel::Communicator::world();
    try {
      // All ranks agree on every failure, so that each leaves with the same code and one of them speaks.
      parallel::together(world, "command",
                         [&] { command::dispatch(world, std::vector<std::string>(argv + 1, argv + argc)); });
    } catch (const parallel::Agreed& error) {
      if (error.speaker()) std::fprintf(stderr, "incipit: %s\n", error.what());
      if (error.code() == Exit::io) parallel::leave(world, error.code());
      return static_cast<int>(error.code());
    }
    return static_cast<int>(Exit::done);
  } catch (const Error& error) {
    std::fprintf(stderr, "incipit: %s\n", error.what());
    return static_cast<int>(error.code());
  }
}
