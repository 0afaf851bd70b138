#include "parallel/counter.hpp"

#include <chrono>
#include <string>

#include "error.hpp"
#include "meters.hpp"
#include "parallel/agree.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::parallel {
namespace {

constexpr std::chrono::milliseconds interval{5};

thread_local MPI_Comm served = MPI_COMM_NULL;
thread_local std::chrono::steady_clock::time_point served_at;

/// Nobody sends messages there: looking for one lets MPI answer those who take numbers.
void serve() noexcept {
  const auto now = std::chrono::steady_clock::now();
  if (now - served_at < interval) return;
  served_at = now;
  int found = 0;
  MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, served, &found, MPI_STATUS_IGNORE);
}

std::string no_window(const Error& error) {
  return std::string("this MPI has no one-sided communication between these ranks (") + error.what() +
         "): set run.queue = no, or let MPI use a transport that has it";
}

}  // namespace

Counter::Counter(const Communicator& comm) : comm_(comm.split(0, comm.rank())) {
  std::int64_t* number = nullptr;
  together(comm_, "", [&] {
    try {
      const MPI_Aint bytes = comm_.root() ? sizeof(std::int64_t) : 0;
      check_mpi(MPI_Win_allocate(bytes, sizeof(std::int64_t), MPI_INFO_NULL, comm_.handle(),
                                 static_cast<void*>(&number), &window_),
                "MPI_Win_allocate");
      check_mpi(MPI_Win_set_errhandler(window_, MPI_ERRORS_RETURN), "MPI_Win_set_errhandler");
      check_mpi(MPI_Win_lock_all(MPI_MODE_NOCHECK, window_), "MPI_Win_lock_all");
      if (!comm_.root()) return;
      *number = 0;
      check_mpi(MPI_Win_sync(window_), "MPI_Win_sync");
    } catch (const Error& error) {
      throw Error(Exit::machine, no_window(error));
    }
  });
  if (!comm_.root() || comm_.size() == 1) return;
  served = comm_.handle();
  at_signs_of_life(serve);
}

Counter::~Counter() {
  if (served == comm_.handle()) {
    at_signs_of_life(nullptr);
    served = MPI_COMM_NULL;
  }
  MPI_Win_unlock_all(window_);
  MPI_Win_free(&window_);
}

std::int64_t Counter::next() const {
  const Stopwatch watch(meters.waited);
  const std::int64_t one = 1;
  std::int64_t number = 0;
  check_mpi(MPI_Fetch_and_op(&one, &number, MPI_INT64_T, 0, 0, MPI_SUM, window_), "MPI_Fetch_and_op");
  check_mpi(MPI_Win_flush(0, window_), "MPI_Win_flush");
  return number;
}

}  // namespace incipit::parallel
