#include "command/machine.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>

#include "parallel/communicator.hpp"

namespace incipit::command {
namespace {

std::optional<std::uint64_t> first_number(const char* path) {
  std::ifstream in(path);
  std::uint64_t number = 0;
  if (in >> number) return number;
  return std::nullopt;  // absent, or the word "max"
}

}  // namespace

std::uint64_t available_memory() {
  std::uint64_t available = std::numeric_limits<std::uint64_t>::max();
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("MemAvailable:")) available = std::stoull(line.substr(13)) * 1024;
  const auto limit = first_number("/sys/fs/cgroup/memory.max"),
             used = first_number("/sys/fs/cgroup/memory.current");
  if (limit && used) available = std::min(available, *limit > *used ? *limit - *used : 0);
  return available;
}

std::string hints_of_files(std::string mpi_hints) {
  std::ranges::replace(mpi_hints, ',', ';');
  return mpi_hints;
}

store::Header machine_free_header() {
  store::Header header;
  header.precision = "fp32";
  header.device = "host";
  header.cpu = "any";
  header.split = "none";
  header.libraries = library_versions();
  return header;
}

std::uint64_t peak_memory() {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

std::string library_versions() {
  char mpi[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  parallel::check_mpi(MPI_Get_library_version(mpi, &length), "MPI_Get_library_version");
  std::string text(mpi, static_cast<std::size_t>(length));
  if (const auto comma = text.find(','); comma != std::string::npos) text.resize(comma);
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}; HDF5 {}.{}.{}", text, major, minor, release);
}

std::string thread_level() {
  int level = MPI_THREAD_SINGLE;
  parallel::check_mpi(MPI_Query_thread(&level), "MPI_Query_thread");
  switch (level) {
    case MPI_THREAD_FUNNELED:
      return "MPI_THREAD_FUNNELED";
    case MPI_THREAD_SERIALIZED:
      return "MPI_THREAD_SERIALIZED";
    case MPI_THREAD_MULTIPLE:
      return "MPI_THREAD_MULTIPLE";
    default:
      return "MPI_THREAD_SINGLE";
  }
}

}  // namespace incipit::command
