#include "parallel/environment.hpp"

#include <mpi.h>
#include <unistd.h>

#include <cstdio>

#include "error.hpp"
#include "parallel/communicator.hpp"

namespace incipit::parallel {

Environment::Environment(int& argc, char**& argv) {
  int provided = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
    throw Error(Exit::machine, "MPI cannot be started (MPI_Init_thread failed)");
  }
  if (provided < MPI_THREAD_FUNNELED) {
    throw Error(Exit::machine, "this MPI library offers no MPI_THREAD_FUNNELED, which our threads need");
  }
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check_mpi(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
}

Environment::~Environment() {
  MPI_Finalize();
}

void leave(const Communicator& world, Exit code) {
  std::fflush(nullptr);
  world.barrier();
  _exit(static_cast<int>(code));
}

}  // namespace incipit::parallel
