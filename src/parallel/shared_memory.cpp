#include "parallel/shared_memory.hpp"

#include <sys/statvfs.h>

#include <cstdint>
#include <cstring>

namespace incipit::parallel {
namespace {

constexpr std::size_t line = 64;

/// MPIs promise memory there that need not be there: whoever touches it then dies of a bus error.
bool is_room_for(std::size_t bytes) {
  struct statvfs status {};
  if (statvfs("/dev/shm", &status) != 0) return false;
  return status.f_bavail * static_cast<std::uint64_t>(status.f_frsize) > bytes + bytes / 16;
}

}  // namespace

std::unique_ptr<SharedMemory> SharedMemory::open(const Communicator& node, std::size_t bytes) {
  if (node.any(node.root() && !is_room_for(bytes))) return nullptr;
  MPI_Win window = MPI_WIN_NULL;
  void* own = nullptr;
  // All of it is the first rank's, with some to align it.
  const auto size = static_cast<MPI_Aint>(node.root() ? bytes + line : 0);
  const bool failed =
      MPI_Win_allocate_shared(size, 1, MPI_INFO_NULL, node.handle(), &own, &window) != MPI_SUCCESS;
  if (node.any(failed)) return nullptr;  // a window that some have is lost, and costs them its pages
  MPI_Aint found = 0;
  int unit = 0;
  void* first = nullptr;
  check_mpi(MPI_Win_shared_query(window, 0, &found, &unit, &first), "MPI_Win_shared_query");
  const auto address = reinterpret_cast<std::uintptr_t>(first);
  // Ranks have it mapped at other addresses, but all of them at the beginning of a page.
  auto* const data = static_cast<std::byte*>(first) + (line - address % line) % line;
  if (node.root()) std::memset(data, 0, bytes);
  node.barrier();
  return std::unique_ptr<SharedMemory>(new SharedMemory(window, data, bytes));
}

SharedMemory::~SharedMemory() {
  MPI_Win_free(&window_);
}

}  // namespace incipit::parallel
