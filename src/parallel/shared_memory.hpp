#pragma once

#include <mpi.h>

#include <cstddef>
#include <memory>

#include "parallel/communicator.hpp"

namespace incipit::parallel {

/// Memory that the ranks of a node have in common: an MPI-3 shared window, of which only the memory is used.
/// What they write there they order by atomics of their own; those must be lock-free.
class SharedMemory {
 public:
  /// So many bytes, all zero. All ranks of `node` must be able to share memory (on_this_node). Null, on all
  /// of them, where the machine has no room for it or MPI does not make it: nothing may hang on it.
  /// Collective.
  static std::unique_ptr<SharedMemory> open(const Communicator& node, std::size_t bytes);
  /// Collective.
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Aligned as a cache line is at least.
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  SharedMemory(MPI_Win window, std::byte* data, std::size_t size)
      : window_(window), data_(data), size_(size) {}

  MPI_Win window_;
  std::byte* data_;
  std::size_t size_;
};

}  // namespace incipit::parallel
