#include "store/failing_disk.hpp"

#include <mpi.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "error.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::store {
namespace {

struct Clock {
  std::mutex mutex;
  std::string path;
  std::string failure;  ///< the first; empty while nothing failed
  long turn = 0;        ///< counts what is written
};

Clock& the_clock() {
  static Clock one;
  return one;
}

[[noreturn]] void leave(const std::string& path, const std::string& failure) {
  std::fprintf(stderr,
               "incipit: error: cannot write %s: %s; the ranks wait for each other in the call that failed\n",
               path.c_str(), failure.c_str());
  std::fflush(nullptr);
  parallel::announce_end(static_cast<int>(Exit::io));
  _exit(static_cast<int>(Exit::io));
}

void run_out(long turn) {
  std::this_thread::sleep_for(std::chrono::seconds(seconds_to_leave));
  Clock& clock = the_clock();
  const std::lock_guard lock(clock.mutex);
  if (clock.turn == turn && !clock.failure.empty()) leave(clock.path, clock.failure);
}

void start_clock(int reason) {
  Clock& clock = the_clock();
  const std::lock_guard lock(clock.mutex);
  if (clock.path.empty() || !clock.failure.empty()) return;
  clock.failure = reason == 0 ? "MPI-IO failed" : std::strerror(reason);
  std::thread(run_out, clock.turn).detach();
}

bool is_whole(int count, MPI_Datatype type, const MPI_Status& status) {
  MPI_Count size = 0, written = 0;
  PMPI_Type_size_x(type, &size);
  PMPI_Get_elements_x(&status, MPI_BYTE, &written);
  return written == size * count;
}

/// Carries out one of MPI-IO's writes; their last argument is the status.
template <class Write>
int watched_write(int count, MPI_Datatype type, MPI_Status* status, Write write) {
  MPI_Status own;
  MPI_Status* const seen = status == MPI_STATUS_IGNORE ? &own : status;
  errno = 0;
  const int code = write(seen);
  const int reason = errno;
  if (code != MPI_SUCCESS || !is_whole(count, type, *seen)) start_clock(reason);
  return code;
}

}  // namespace

void writing(const std::string& path) {
  Clock& clock = the_clock();
  const std::lock_guard lock(clock.mutex);
  clock.path = path;
  clock.failure.clear();
  ++clock.turn;
}

void writing_ended() noexcept {
  Clock& clock = the_clock();
  const std::lock_guard lock(clock.mutex);
  clock.path.clear();
  clock.failure.clear();
}

}  // namespace incipit::store

extern "C" {

int MPI_File_write_at(MPI_File file, MPI_Offset at, const void* data, int count, MPI_Datatype type,
                      MPI_Status* status) {
  return incipit::store::watched_write(count, type, status, [&](MPI_Status* seen) {
    return PMPI_File_write_at(file, at, data, count, type, seen);
  });
}

int MPI_File_write_at_all(MPI_File file, MPI_Offset at, const void* data, int count, MPI_Datatype type,
                          MPI_Status* status) {
  return incipit::store::watched_write(count, type, status, [&](MPI_Status* seen) {
    return PMPI_File_write_at_all(file, at, data, count, type, seen);
  });
}

int MPI_File_sync(MPI_File file) {
  errno = 0;
  const int code = PMPI_File_sync(file);
  const int reason = errno;
  if (code != MPI_SUCCESS) incipit::store::start_clock(reason);
  return code;
}
}
