#include "parallel/roster.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <vector>

namespace incipit::parallel {

namespace {

static_assert(std::atomic<std::int64_t>::is_always_lock_free && std::atomic<char>::is_always_lock_free,
              "processes share these");

// Milliseconds between two looks of a watchdog that runs, and some.
constexpr std::int64_t late_look = 1500;

std::string fresh_name() {
  std::random_device random;
  return "/incipit-" + std::to_string(getpid()) + "-" + std::to_string(random());
}

int make_page(const std::string& name, std::size_t bytes) {
  const int file = shm_open(name.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR);
  // Memory that is promised but not there would be a bus error later.
  if (file >= 0 && posix_fallocate(file, 0, static_cast<off_t>(bytes)) != 0) {
    close(file);
    return -1;
  }
  return file;
}

struct flock byte_of(int rank) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = rank;
  lock.l_len = 1;
  return lock;
}

/// Whoever holds a rank's lock: its process id, 0 for one that cannot be seen, -1 for nobody.
int holder(int file, int rank) {
  auto lock = byte_of(rank);
  if (fcntl(file, F_GETLK, &lock) != 0) return 0;
  return lock.l_type == F_UNLCK ? -1 : std::max(0, static_cast<int>(lock.l_pid));
}

}  // namespace

void Standing::add(const Standing& other) {
  quiet = std::min(quiet, other.quiet);
  ranks += other.ranks;
  if (other.arrivals > arrivals || other.behind == 0) return;
  if (other.arrivals < arrivals) {
    arrivals = other.arrivals;
    behind = other.behind;
    first = other.first;
    phase = other.phase;
    host = other.host;
    return;
  }
  behind += other.behind;
  if (other.first[0] < first[0]) {
    phase = other.phase;
    host = other.host;
  }
  std::vector<std::int32_t> all;
  for (const auto& part : {first, other.first})
    std::copy_if(part.begin(), part.end(), std::back_inserter(all),
                 [](std::int32_t rank) { return rank >= 0; });
  std::sort(all.begin(), all.end());
  all.resize(first.size(), -1);
  std::copy(all.begin(), all.end(), first.begin());
}

void Roster::Entry::set_phase(std::string_view name) noexcept {
  for (std::size_t i = 0; i < phase.size(); ++i)
    phase[i].store(i < name.size() && i + 1 < phase.size() ? name[i] : '\0', std::memory_order_relaxed);
}

std::int64_t Roster::now() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::unique_ptr<Roster> Roster::open(const Communicator& node, int rank_in_job) {
  const std::size_t bytes = sizeof(Head) + sizeof(Entry) * static_cast<std::size_t>(node.size());
  std::string name = node.root() ? fresh_name() : std::string();
  int file = node.root() ? make_page(name, bytes) : -1;
  name = node.broadcast(name);
  if (!node.root()) {
    file = shm_open(name.c_str(), O_RDWR | O_CLOEXEC, 0);
  }
  void* page = file < 0 ? MAP_FAILED : mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  std::unique_ptr<Roster> roster;
  if (page != MAP_FAILED) {
    roster.reset(new Roster(file, page, bytes, node.rank(), node.size()));
    roster->mine().rank = rank_in_job;
    roster->mine().alive_at = roster->mine().looked_at = now();
    roster->mine().set_phase("start");
  } else if (file >= 0) {
    close(file);
  }
  auto mine = byte_of(node.rank());
  const bool here = roster && fcntl(file, F_SETLK, &mine) == 0;
  const bool all = !node.any(!here);
  // Nobody opens it any more: no name is left behind, however the ranks end.
  if (node.root()) shm_unlink(name.c_str());
  if (!all) return nullptr;
  return roster;
}

Roster::Roster(int file, void* page, std::size_t bytes, int rank, int size)
    : file_(file),
      page_(page),
      bytes_(bytes),
      rank_(rank),
      size_(size),
      // The kernel hands out zeros, which is what every field begins with.
      head_(static_cast<Head*>(page)),
      entries_(reinterpret_cast<Entry*>(static_cast<std::byte*>(page) + sizeof(Head))) {}

Roster::~Roster() {
  munmap(page_, bytes_);
  close(file_);
}

bool Roster::gone(int rank) const {
  return rank != rank_ && holder(file_, rank) == -1;
}

int Roster::process(int rank) const {
  return rank == rank_ ? getpid() : std::max(0, holder(file_, rank));
}

Standing Roster::standing() const {
  Standing all;
  for (int rank = 0; rank < size_; ++rank) {
    const Entry& from = entries_[rank];
    if (from.left.load() != 0) continue;
    Standing one;
    one.quiet = std::max<std::int64_t>(0, now() - from.alive_at.load());
    one.arrivals = now() - from.looked_at.load() > late_look ? Standing::stopped : from.arrivals.load();
    one.ranks = one.behind = 1;
    one.first[0] = from.rank.load();
    for (std::size_t i = 0; i < one.phase.size(); ++i) one.phase[i] = from.phase[i].load();
    gethostname(one.host.data(), one.host.size() - 1);
    all.add(one);
  }
  return all;
}

}  // namespace incipit::parallel
