#pragma once

#include <mpi.h>

#include <cstdint>

#include "parallel/communicator.hpp"

namespace incipit::parallel {

/// Numbers for whoever asks: 0, 1, 2, …, each given once over all ranks. The number lies in the memory of
/// rank 0 (a window for one-sided communication, opened once in a shared epoch), and a rank takes one by a
/// fetch-and-add of its own, without rank 0 having to call anything for it.
///
/// So says MPI. Whether rank 0 has to enter MPI all the same before the others get an answer, is the
/// library's affair: not where memory is shared (Open MPI's osc/sm, and osc/rdma within a node) or where the
/// network adds by itself (InfiniBand under osc/ucx); it has to under Open MPI's osc/pt2pt, under osc/ucx
/// without such a network, and under MPICH 4 even within a node. So rank 0 enters MPI at its signs of life
/// (parallel/watchdog), every `interval` at most, from the thread that made the counter: at each block of a
/// forward pass on the host.
class Counter {
 public:
  /// Collective. Error machine: MPI can make no window for these ranks.
  explicit Counter(const Communicator& comm);
  /// Collective.
  ~Counter();
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;

  /// The next number. Not collective. Error defect: an MPI call failed.
  [[nodiscard]] std::int64_t next() const;

 private:
  Communicator comm_;
  MPI_Win window_ = MPI_WIN_NULL;
};

}  // namespace incipit::parallel
