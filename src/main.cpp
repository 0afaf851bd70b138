#include <cstdio>
#include <string>
#include <vector>

#include "command/command.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/communicator.hpp"
#include "parallel/environment.hpp"
#include "parallel/watchdog.hpp"

namespace {

using namespace incipit;

void say(const std::string& what) {
  std::fprintf(stderr, "incipit: %s\n", what.c_str());
}

Exit job(int argc, char** argv, parallel::Watchdog& watchdog) {
  const parallel::Environment mpi(argc, argv);
  const auto world = parallel::Communicator::world();
  try {
    const auto unwatched = watchdog.start(world);
    if (!unwatched.empty() && world.root()) say("warning: " + unwatched);
    // All ranks agree on every failure, so that each leaves with the same code and one of them speaks.
    parallel::together(world, "command",
                       [&] { command::dispatch(world, std::vector<std::string>(argv + 1, argv + argc)); });
  } catch (const parallel::Agreed& error) {
    if (error.speaker()) say(error.what());
    if (error.code() == Exit::io) {
      watchdog.leave();
      parallel::leave(world, error.code());
    }
    return error.code();
  } catch (const Error& error) {
    parallel::end_job(world, error.code(), error.what());
  }
  return Exit::done;
}

}  // namespace

/// Parse, dispatch, turn errors into exit codes.
int main(int argc, char** argv) {
  parallel::Watchdog watchdog;  // outlives MPI: a rank that is lost while MPI ends is noticed too
  try {
    const Exit code = job(argc, argv, watchdog);
    watchdog.leave();
    return static_cast<int>(code);
  } catch (const Error& error) {
    say(error.what());
    return static_cast<int>(error.code());
  }
}
