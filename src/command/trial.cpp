#include "command/trial.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <mpi.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <numeric>
#include <system_error>
#include <thread>

#include "console/progress.hpp"
#include "console/timing.hpp"
#include "parallel/agree.hpp"
#include "store/files.hpp"
#include "store/lock.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;
using Kind = Finding::Kind;

/// Of one rank, 8 MiB.
constexpr std::int64_t numbers_of_a_rank = 2 << 20;

/// Removes a file at the end of a scope.
struct Removed {
  fs::path path;
  explicit Removed(fs::path of) : path(std::move(of)) {}
  ~Removed() {
    std::error_code none;
    fs::remove(path, none);
  }
  Removed(const Removed&) = delete;
  Removed& operator=(const Removed&) = delete;
};

std::string errno_text() {
  return std::error_code(errno, std::generic_category()).message();
}

Finding try_locks(const fs::path& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0)
    return {Kind::failure, "locks", "no file can be made: " + errno_text(), "check the rights of the folder",
            Exit::io};
  std::string missing;
  if (flock(file, LOCK_EX | LOCK_NB) != 0) missing = "flock: " + errno_text();
  flock(file, LOCK_UN);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(file, F_SETLK, &whole) != 0)
    missing += (missing.empty() ? "" : "; ") + ("fcntl: " + errno_text());
  close(file);
  if (!missing.empty())
    return {Kind::warning, "locks", missing,
            "export HDF5_USE_FILE_LOCKING=FALSE; our own locks are made of links and need neither"};
  return {Kind::ok, "locks", "flock and fcntl work"};
}

Finding try_own_lock(const fs::path& path) {
  try {
    const store::FileLock lock(path, "doctor");
    if (!store::FileLock::holder(path))
      return {Kind::failure, "job locks", "a lock was taken and is not there",
              "choose another folder: jobs could not share it", Exit::io};
    return {Kind::ok, "job locks", "taken and seen"};
  } catch (const Error& error) {
    return {Kind::failure, "job locks", error.what(), "choose another folder: jobs could not share it",
            Exit::io};
  }
}

Finding try_rename(const fs::path& path) {
  const double begin = console::monotonic_seconds();
  try {
    store::write_text_atomic(path, "old");
    store::write_text_atomic(path, "new");
    if (store::read_text(path) != "new")
      return {Kind::failure, "rename", "a file renamed onto another reads as the old one",
              "choose another folder", Exit::io};
  } catch (const Error& error) {
    return {Kind::failure, "rename", error.what(), "make room, or check the rights of the folder", Exit::io};
  }
  const double seconds = (console::monotonic_seconds() - begin) / 2;
  const auto found = fmt::format("a file flushed and renamed in {:.3f} s", seconds);
  if (seconds <= 1) return {Kind::ok, "rename, fsync", found};
  return {Kind::warning, "rename, fsync", found,
          "every checkpoint's file waits so long at its end: choose a faster file system"};
}

/// What rank 0 has written, on every node. Attributes of files may be cached elsewhere for seconds.
bool seen_by_all(const parallel::Communicator& world, const fs::path& path) {
  world.barrier();
  std::error_code none;
  for (int i = 0; i < 100 && !fs::exists(path, none); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  return !world.any(!fs::exists(path, none));
}

Finding try_collective(const parallel::Communicator& world, const fs::path& path, const std::string& hints) {
  const std::int64_t all = numbers_of_a_rank * world.size(), first = numbers_of_a_rank * world.rank();
  std::vector<float> mine(static_cast<std::size_t>(numbers_of_a_rank));
  std::iota(mine.begin(), mine.end(), static_cast<float>(world.rank()));
  try {
    store::Header header;
    header.kind = "doctor";
    header.mpi_hints = hints;
    const double begin = console::monotonic_seconds();
    store::Writer writer(world, path, header);
    writer.create<float>("numbers", {all}, {"1", "numbers"});
    writer.write_slab<float>("numbers", {first}, {numbers_of_a_rank}, mine);
    const bool collective = writer.collective() || world.size() == 1;
    const auto why = writer.why_not_collective();
    writer.commit();
    const double seconds = world.max(console::monotonic_seconds() - begin);
    bool same = true;
    parallel::together(world, "reading back", [&] {
      const store::Reader reader(path, "doctor");
      std::vector<float> back(mine.size());
      reader.read_slab<float>("numbers", {first}, {numbers_of_a_rank}, back);
      same = back == mine;
    });
    if (world.any(!same))
      return {Kind::failure, "collective write", "a file reads back otherwise than it was written",
              "do not run here: tell the site, with the versions above", Exit::io};
    const auto bytes = static_cast<double>(all) * sizeof(float);
    const auto found = fmt::format("{} in {:.2f} s, {}/s, read back as written", console::human_bytes(bytes),
                                   seconds, console::human_bytes(bytes / seconds));
    if (world.any(!collective))
      return {Kind::warning, "collective write", found + "; not collective: " + why,
              "large files will be slow: is HDF5 built with this MPI?"};
    return {Kind::ok, "collective write", found};
  } catch (const Error& error) {
    return {Kind::failure, "collective write", error.what(), "make room, or choose another folder", Exit::io};
  }
}

std::string type_of(std::uint64_t magic) {
  // linux/magic.h and the file systems' own sources.
  switch (magic) {
    case 0x0BD00BD0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x19830326:
      return "BeeGFS";
    case 0x6969:
      return "NFS";
    case 0x01021994:
      return "tmpfs";
    case 0x794C7630:
      return "overlay";
    case 0xEF53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683E:
      return "btrfs";
    case 0x2FC12FC1:
      return "ZFS";
    case 0x00C36400:
      return "Ceph";
    case 0x65735546:
      return "FUSE";
    case 0xFF534D42:
    case 0xFE534D42:
      return "SMB";
    default:
      return fmt::format("unknown (magic {:#x})", magic);
  }
}

std::int64_t stripes_of(const fs::path& folder) {
  const auto command = fmt::format("lfs getstripe -c '{}' 2>/dev/null", folder.string());
  if (folder.string().find('\'') != std::string::npos) return 0;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  long stripes = 0;
  if (!pipe || std::fscanf(pipe.get(), "%ld", &stripes) != 1) return 0;
  return stripes;
}

/// The hints in force of an open file.
class Info {
 public:
  explicit Info(MPI_File file) { parallel::check_mpi(MPI_File_get_info(file, &info_), "MPI_File_get_info"); }
  ~Info() { MPI_Info_free(&info_); }
  Info(const Info&) = delete;
  Info& operator=(const Info&) = delete;
  [[nodiscard]] std::string value(const std::string& key) const {
    char text[MPI_MAX_INFO_VAL + 1] = "";
    int there = 0;
    parallel::check_mpi(MPI_Info_get(info_, key.c_str(), MPI_MAX_INFO_VAL, text, &there), "MPI_Info_get");
    return there != 0 ? text : "";
  }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

}  // namespace

std::vector<Finding> try_folder(const parallel::Communicator& world, const fs::path& folder,
                                const std::string& hints) {
  const Removed marker(folder / ".doctor"), lock(folder / ".doctor.lock"), own(folder / ".doctor.own"),
      data(folder / ".doctor.h5");
  std::vector<Finding> findings;
  if (world.root()) findings = {try_locks(lock.path), try_own_lock(own.path), try_rename(marker.path)};
  if (!seen_by_all(world, marker.path)) {
    findings.push_back({Kind::failure, "one folder", "not every node sees what rank 0 writes there",
                        "choose a folder on a file system that all nodes share", Exit::io});
    return findings;
  }
  findings.push_back(try_collective(world, data.path, hints));
  world.barrier();
  return findings;
}

FileSystem look_at_file_system(const fs::path& folder) {
  FileSystem system;
  struct statfs kernel {};
  struct statvfs room {};
  if (statfs(folder.c_str(), &kernel) == 0) system.type = type_of(static_cast<std::uint32_t>(kernel.f_type));
  if (statvfs(folder.c_str(), &room) == 0)
    system.free = static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
  if (system.type == "Lustre") system.stripes = stripes_of(folder);
  // Read before any thread could change the environment.
  if (const char* value = std::getenv("HDF5_USE_FILE_LOCKING"); value != nullptr) system.locking = value;
  return system;
}

std::vector<std::string> hints_taken(const parallel::Communicator& world, const fs::path& folder,
                                     const std::vector<std::string>& hints) {
  const Removed at(folder / ".doctor.mpi");
  MPI_Info wanted = MPI_INFO_NULL;
  parallel::check_mpi(MPI_Info_create(&wanted), "MPI_Info_create");
  for (const auto& hint : hints) {
    const auto equals = hint.find('=');
    parallel::check_mpi(MPI_Info_set(wanted, hint.substr(0, equals).c_str(), hint.substr(equals + 1).c_str()),
                        "MPI_Info_set");
  }
  MPI_File file = MPI_FILE_NULL;
  const int status =
      MPI_File_open(world.handle(), at.path.c_str(), MPI_MODE_CREATE | MPI_MODE_RDWR, wanted, &file);
  MPI_Info_free(&wanted);
  if (world.any(status != MPI_SUCCESS))
    throw Error(Exit::io, at.path.string() + ": MPI-IO cannot open a file here");
  std::vector<std::string> taken;
  {
    const Info info(file);
    for (const auto& hint : hints) taken.push_back(info.value(hint.substr(0, hint.find('='))));
  }
  parallel::check_mpi(MPI_File_close(&file), "MPI_File_close");
  world.barrier();
  return taken;
}

std::string mpi_setting(const std::string& name) {
  int provided = 0, index = 0, count = 0;
  if (MPI_T_init_thread(MPI_THREAD_SINGLE, &provided) != MPI_SUCCESS) return "";
  std::string text;
  MPI_T_cvar_handle handle = MPI_T_CVAR_HANDLE_NULL;
  if (MPI_T_cvar_get_index(name.c_str(), &index) == MPI_SUCCESS &&
      MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count) == MPI_SUCCESS) {
    std::vector<char> value(static_cast<std::size_t>(std::max(count, 1)) + 1, '\0');
    if (MPI_T_cvar_read(handle, value.data()) == MPI_SUCCESS) text = value.data();
    MPI_T_cvar_handle_free(&handle);
  }
  MPI_T_finalize();
  return text;
}

}  // namespace incipit::command
