/// System calls that write below one folder, counted, and failing where the environment says so:
///   INCIPIT_FAULT_FOLDER  the folder
///   INCIPIT_FAULT_AT      the number, from 1, of the first call of this process that fails; 0: none
///   INCIPIT_FAULT_TIMES   how many calls fail from there on
///   INCIPIT_FAULT_ERRNO   with what
///   INCIPIT_FAULT_RANK    the rank of the world it is about, others are left alone; unset: all
///   INCIPIT_FAULT_COUNT   a file to which the number of calls is appended at the end of the process

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

long number_in(const char* name, long otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atol(text);
}

struct Plan {
  const char* folder = std::getenv("INCIPIT_FAULT_FOLDER");
  long at = number_in("INCIPIT_FAULT_AT", 0);
  long times = number_in("INCIPIT_FAULT_TIMES", 1);
  int error = static_cast<int>(number_in("INCIPIT_FAULT_ERRNO", EIO));
  bool here = number_in("INCIPIT_FAULT_RANK", -1) < 0 ||
              number_in("INCIPIT_FAULT_RANK", -1) == number_in("OMPI_COMM_WORLD_RANK", 0);
  std::atomic<long> calls{0};

  ~Plan() {
    const char* counts = std::getenv("INCIPIT_FAULT_COUNT");
    if (counts == nullptr || calls == 0) return;
    if (std::FILE* file = std::fopen(counts, "ae")) {
      std::fprintf(file, "%ld\n", calls.load());
      std::fclose(file);
    }
  }
};

Plan& plan() {
  static Plan one;
  return one;
}

/// Whether this call, about this path, is to fail.
bool fails(std::string_view path) {
  Plan& p = plan();
  if (p.folder == nullptr || !p.here || !path.starts_with(p.folder)) return false;
  const long call = ++p.calls;
  if (p.at == 0 || call < p.at || call >= p.at + p.times) return false;
  errno = p.error;
  return true;
}

bool fails(int descriptor) {
  if (plan().folder == nullptr) return false;
  std::array<char, PATH_MAX> path{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
  return length > 0 && fails(std::string_view(path.data(), static_cast<std::size_t>(length)));
}

template <class F>
F* next(const char* name, F* /*like*/) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  static auto* real = next("write", &write);
  return fails(fd) ? -1 : real(fd, data, size);
}
ssize_t pwrite(int fd, const void* data, size_t size, off_t at) {
  static auto* real = next("pwrite", &pwrite);
  return fails(fd) ? -1 : real(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void* data, size_t size, off64_t at) {
  static auto* real = next("pwrite64", &pwrite64);
  return fails(fd) ? -1 : real(fd, data, size, at);
}
ssize_t writev(int fd, const iovec* parts, int count) {
  static auto* real = next("writev", &writev);
  return fails(fd) ? -1 : real(fd, parts, count);
}
ssize_t pwritev(int fd, const iovec* parts, int count, off_t at) {
  static auto* real = next("pwritev", &pwritev);
  return fails(fd) ? -1 : real(fd, parts, count, at);
}
ssize_t pwritev64(int fd, const iovec* parts, int count, off64_t at) {
  static auto* real = next("pwritev64", &pwritev64);
  return fails(fd) ? -1 : real(fd, parts, count, at);
}
int fsync(int fd) {
  static auto* real = next("fsync", &fsync);
  return fails(fd) ? -1 : real(fd);
}
int ftruncate(int fd, off_t size) noexcept {
  static auto* real = next("ftruncate", &ftruncate);
  return fails(fd) ? -1 : real(fd, size);
}
int ftruncate64(int fd, off64_t size) noexcept {
  static auto* real = next("ftruncate64", &ftruncate64);
  return fails(fd) ? -1 : real(fd, size);
}
int posix_fallocate(int fd, off_t from, off_t size) {
  static auto* real = next("posix_fallocate", &posix_fallocate);
  return fails(fd) ? plan().error : real(fd, from, size);
}
int posix_fallocate64(int fd, off64_t from, off64_t size) {
  static auto* real = next("posix_fallocate64", &posix_fallocate64);
  return fails(fd) ? plan().error : real(fd, from, size);
}
int fallocate(int fd, int mode, off_t from, off_t size) {
  static auto* real = next("fallocate", &fallocate);
  return fails(fd) ? -1 : real(fd, mode, from, size);
}
int fallocate64(int fd, int mode, off64_t from, off64_t size) {
  static auto* real = next("fallocate64", &fallocate64);
  return fails(fd) ? -1 : real(fd, mode, from, size);
}
int rename(const char* from, const char* to) noexcept {
  static auto* real = next("rename", &rename);
  return fails(to) ? -1 : real(from, to);
}
int link(const char* from, const char* to) noexcept {
  static auto* real = next("link", &link);
  return fails(to) ? -1 : real(from, to);
}
int mkdir(const char* path, mode_t mode) noexcept {
  static auto* real = next("mkdir", &mkdir);
  return fails(path) ? -1 : real(path, mode);
}
}
