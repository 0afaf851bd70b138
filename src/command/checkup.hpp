#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "error.hpp"

namespace incipit::command {

/// One thing that `incipit doctor` has looked at.
struct Finding {
  enum class Kind { ok, warning, failure };
  Kind kind = Kind::ok;
  std::string what, found;
  std::string advice = {};    ///< of what is not ok
  Exit code = Exit::machine;  ///< of a failure: machine or io
};

/// What a rank knows of itself and its node. Plain bytes, so that all ranks' can be gathered.
struct RankFacts {
  char host[64] = "";
  int rank = 0;
  int threads = 1;          ///< that it would compute with
  int cores = 1;            ///< it may run on
  int cores_of_node = 1;    ///< that any rank of its node may run on
  int threads_of_node = 1;  ///< sum over the ranks of its node
  int ranks_of_node = 1;
  int shared_cores = 0;  ///< of its node, that more than one of its ranks may run on
  int cuda_devices = 0;  ///< it sees
  std::uint64_t open_files = 0, locked = 0, stack = 0, core_size = 0, address_space = 0;  ///< soft limits
  std::uint64_t memory = 0;         ///< bytes that processes of the node may still take
  std::uint64_t shared_memory = 0;  ///< bytes free in /dev/shm
  std::int64_t clock = 0;           ///< milliseconds since 1970, read by all ranks at once
  bool infiniband = false;
};

/// The libraries, by what they say of themselves.
struct Libraries {
  std::string mpi;           ///< as MPI_Get_library_version: "Open MPI v4.1.4, ..."
  std::string thread_level;  ///< "MPI_THREAD_FUNNELED"
  std::string io;            ///< who does MPI-IO (io_component)
  std::string fcoll;         ///< Open MPI's setting of its collective component, or ""
  unsigned hdf5[3] = {0, 0, 0};
  std::string blas;  ///< of the device
};

/// What the operating system says of a folder's file system.
struct FileSystem {
  std::string type;          ///< "Lustre", "NFS", "ext4", ... or a magic number
  std::uint64_t free = 0;    ///< bytes
  std::int64_t stripes = 0;  ///< of Lustre: over how many servers a file is spread; 0: not known
  std::string locking;       ///< of the environment: HDF5_USE_FILE_LOCKING, or ""
};

constexpr std::uint64_t no_limit = UINT64_MAX;

/// The judgements; none of them looks at the machine itself.
[[nodiscard]] std::vector<Finding> judge_ranks(const std::vector<RankFacts>& ranks, bool cuda_wanted);
[[nodiscard]] std::vector<Finding> judge_libraries(const Libraries& libraries);
[[nodiscard]] std::vector<Finding> judge_file_system(const FileSystem& system, std::size_t hosts);
/// `need`: bytes of the results; `activations`: those of them that run.keep_activations = no gives back.
[[nodiscard]] Finding judge_room(std::uint64_t need, std::uint64_t activations, std::uint64_t there,
                                 std::uint64_t free, bool keep);
/// "ompio" or "ROMIO": who does MPI-IO in that library, with Open MPI's setting `io` ("" where it has none),
/// on such a file system.
[[nodiscard]] std::string io_component(const std::string& mpi, const std::string& setting,
                                       const std::string& file_system);
/// Hints that were given, as "name=value", beside what an open file says of each, "" where it says nothing.
/// Open MPI repeats whatever it was given.
[[nodiscard]] std::vector<Finding> judge_hints(const std::vector<std::string>& given,
                                               const std::vector<std::string>& taken,
                                               const std::string& component);

}  // namespace incipit::command
