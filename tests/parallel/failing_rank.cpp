// The last rank fails while the others sit in a barrier that it will never enter: the job must end by itself,
// with that rank's exit code and message. Started by the test failing_rank.
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/communicator.hpp"
#include "parallel/environment.hpp"

int main(int argc, char** argv) {
  const incipit::parallel::Environment environment(argc, argv);
  const auto world = incipit::parallel::Communicator::world();
  try {
    incipit::parallel::together(world, "waiting", [&] {
      if (world.rank() == world.size() - 1)
        throw incipit::Error(incipit::Exit::numbers, "the last rank fails");
      world.barrier();
    });
  } catch (const incipit::Error&) {
    return 1;
  }
  return 0;
}
