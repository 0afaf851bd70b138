// watched_rank WHAT [RANKS_PER_NODE [PATIENCE]]: something befalls the last rank while all others sit in a
// barrier that it will never enter. Started by watchdog_test.py, which looks at how the ranks end.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/communicator.hpp"
#include "parallel/environment.hpp"
#include "parallel/watchdog.hpp"

namespace {

using namespace incipit;

void befall(const std::string& what) {
  if (what == "killed" || what == "first-killed") raise(SIGKILL);
  if (what == "stopped") raise(SIGSTOP);
  if (what == "crashed") {
    signal(SIGSEGV, SIG_DFL);  // Open MPI would print where
    raise(SIGSEGV);
  }
  if (what == "leaves-with-75") {
    parallel::announce_end(75);
    _exit(75);
  }
  if (what == "announces" && parallel::claim_last_word()) {
    // As before an MPI_Abort that no launcher hears.
    std::fprintf(stderr, "incipit: it diverged\n");
    parallel::announce_failure(static_cast<int>(Exit::numbers));
    pause();
  }
  if (what == "throws") throw Error(Exit::numbers, "it diverged");
  if (what == "slow") std::this_thread::sleep_for(std::chrono::seconds(3));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argv[1];
  const auto number = [&](int at) { return argc > at ? std::atof(argv[at]) : 0; };
  parallel::Watchdog watchdog;
  {
    const parallel::Environment mpi(argc, argv);
    const auto world = parallel::Communicator::world();
    const auto unwatched = watchdog.start(world, static_cast<int>(number(2)));
    if (!unwatched.empty()) std::fprintf(stderr, "%s\n", unwatched.c_str());
    parallel::set_patience(number(3));
    try {
      parallel::together(world, "first", [] {});
      parallel::enter_phase("the phase");
      parallel::together(world, "second", [&] {
        const int victim = what == "first-killed" ? 0 : world.size() - 1;
        if (world.rank() == victim) befall(what);
        world.barrier();
      });
    } catch (const Error& error) {
      parallel::end_job(world, error.code(), error.what());
    }
  }
  watchdog.leave();
  return 0;
}
