#include "parallel/communicator.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "error.hpp"
#include "meters.hpp"

namespace incipit::parallel {

namespace {

MPI_Comm duplicate(MPI_Comm comm) {
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(comm, &copy), "MPI_Comm_dup");
  check_mpi(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return copy;
}

template <class T>
T reduce(T value, MPI_Datatype type, MPI_Op operation, MPI_Comm comm) {
  T result{};
  const Stopwatch watch(meters.waited);
  check_mpi(MPI_Allreduce(&value, &result, 1, type, operation, comm), "MPI_Allreduce");
  return result;
}

}  // namespace

void check_mpi(int code, const char* call) {
  if (code == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw Error(Exit::defect,
              std::string(call) + " failed: " + std::string(text, static_cast<std::size_t>(length)));
}

Communicator Communicator::world() {
  return Communicator(duplicate(MPI_COMM_WORLD));
}
Communicator Communicator::self() {
  return Communicator(duplicate(MPI_COMM_SELF));
}

Communicator::Communicator(MPI_Comm data) : data_(data) {
  check_mpi(MPI_Comm_set_errhandler(data_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  agreement_ = duplicate(data_);
  check_mpi(MPI_Comm_rank(data_, &rank_), "MPI_Comm_rank");
  check_mpi(MPI_Comm_size(data_, &size_), "MPI_Comm_size");
}

Communicator::Communicator(Communicator&& other) noexcept
    : data_(std::exchange(other.data_, MPI_COMM_NULL)),
      agreement_(std::exchange(other.agreement_, MPI_COMM_NULL)),
      rank_(other.rank_),
      size_(other.size_),
      message_limit_(other.message_limit_) {}

Communicator& Communicator::operator=(Communicator&& other) noexcept {
  if (this != &other) {
    free();
    data_ = std::exchange(other.data_, MPI_COMM_NULL);
    agreement_ = std::exchange(other.agreement_, MPI_COMM_NULL);
    rank_ = other.rank_;
    size_ = other.size_;
    message_limit_ = other.message_limit_;
  }
  return *this;
}

Communicator::~Communicator() {
  free();
}

void Communicator::free() noexcept {
  int finalized = 0;
  MPI_Finalized(&finalized);
  if (finalized != 0) return;
  if (agreement_ != MPI_COMM_NULL) MPI_Comm_free(&agreement_);
  if (data_ != MPI_COMM_NULL) MPI_Comm_free(&data_);
}

Communicator Communicator::split(int color, int key) const {
  MPI_Comm part = MPI_COMM_NULL;
  check_mpi(MPI_Comm_split(data_, color, key, &part), "MPI_Comm_split");
  Communicator made(part);
  made.message_limit_ = message_limit_;
  return made;
}

void Communicator::barrier() const {
  const Stopwatch watch(meters.waited);
  check_mpi(MPI_Barrier(data_), "MPI_Barrier");
}

std::string Communicator::broadcast(std::string text, int root) const {
  std::vector<char> bytes(text.begin(), text.end());
  broadcast(bytes, root);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::string> Communicator::all_gather(const std::string& mine) const {
  const std::vector<std::int64_t> lengths = gather_counts(static_cast<std::int64_t>(mine.size()));
  const std::vector<char> all = all_gather(std::span<const char>(mine.data(), mine.size()));
  std::vector<std::string> texts;
  auto next = all.begin();
  for (const std::int64_t length : lengths) {
    texts.emplace_back(next, next + length);
    next += length;
  }
  return texts;
}

std::int64_t Communicator::max(std::int64_t value) const {
  return reduce(value, MPI_INT64_T, MPI_MAX, data_);
}
std::int64_t Communicator::min(std::int64_t value) const {
  return reduce(value, MPI_INT64_T, MPI_MIN, data_);
}
std::int64_t Communicator::sum(std::int64_t value) const {
  return reduce(value, MPI_INT64_T, MPI_SUM, data_);
}
bool Communicator::any(bool value) const {
  return max(std::int64_t{value}) != 0;
}

double Communicator::max(double value) const {
  // What MPI_MAX makes of NaN is left open by the standard.
  if (any(std::isnan(value))) return std::numeric_limits<double>::quiet_NaN();
  return reduce(value, MPI_DOUBLE, MPI_MAX, data_);
}

std::int64_t Communicator::total(const std::vector<std::int64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

void Communicator::broadcast_bytes(std::span<std::byte> bytes, int root) const {
  const Stopwatch watch(meters.waited);
  while (!bytes.empty()) {
    const std::size_t now = std::min(bytes.size(), static_cast<std::size_t>(message_limit_));
    check_mpi(MPI_Bcast(bytes.data(), static_cast<int>(now), MPI_BYTE, root, data_), "MPI_Bcast");
    bytes = bytes.subspan(now);
  }
}

std::vector<std::int64_t> Communicator::gather_counts(std::int64_t mine) const {
  std::vector<std::int64_t> all(static_cast<std::size_t>(size_));
  const Stopwatch watch(meters.waited);
  check_mpi(MPI_Allgather(&mine, 1, MPI_INT64_T, all.data(), 1, MPI_INT64_T, data_), "MPI_Allgather");
  return all;
}

void Communicator::all_gather_bytes(std::span<const std::byte> mine, const std::vector<std::int64_t>& bytes,
                                    std::span<std::byte> all) const {
  if (static_cast<std::int64_t>(all.size()) <= message_limit_) {
    const Stopwatch watch(meters.waited);
    const std::vector<int> counts(bytes.begin(), bytes.end());
    std::vector<int> starts(counts.size());
    std::exclusive_scan(counts.begin(), counts.end(), starts.begin(), 0);
    check_mpi(MPI_Allgatherv(mine.data(), counts[static_cast<std::size_t>(rank_)], MPI_BYTE, all.data(),
                             counts.data(), starts.data(), MPI_BYTE, data_),
              "MPI_Allgatherv");
    return;
  }
  std::size_t start = 0;
  for (int source = 0; source < size_; ++source) {
    const auto count = static_cast<std::size_t>(bytes[static_cast<std::size_t>(source)]);
    const std::span<std::byte> place = all.subspan(start, count);
    if (source == rank_) std::copy(mine.begin(), mine.end(), place.begin());
    broadcast_bytes(place, source);
    start += count;
  }
}

Communicator::Exchange Communicator::plan_exchange(std::span<const std::int64_t> send_counts,
                                                   std::size_t element_bytes, std::size_t send_bytes) const {
  Exchange plan;
  for (const std::int64_t count : send_counts) {
    plan.send_bytes.push_back(count * static_cast<std::int64_t>(element_bytes));
  }
  if (plan.send_bytes.size() != static_cast<std::size_t>(size_) ||
      total(plan.send_bytes) != static_cast<std::int64_t>(send_bytes)) {
    throw Error(Exit::defect, "all_to_all: the counts do not add up to what is sent");
  }
  plan.receive_bytes.resize(plan.send_bytes.size());
  check_mpi(
      MPI_Alltoall(plan.send_bytes.data(), 1, MPI_INT64_T, plan.receive_bytes.data(), 1, MPI_INT64_T, data_),
      "MPI_Alltoall");
  return plan;
}

void Communicator::exchange(const Exchange& plan, std::span<const std::byte> send,
                            std::span<std::byte> received) const {
  std::vector<MPI_Request> requests;
  const auto in_pieces = [&](std::int64_t bytes, auto&& start_message) {
    for (std::int64_t done = 0; done < bytes; done += message_limit_) {
      requests.push_back(MPI_REQUEST_NULL);
      start_message(done, static_cast<int>(std::min(message_limit_, bytes - done)), &requests.back());
    }
  };
  std::int64_t send_start = 0, receive_start = 0;
  for (int peer = 0; peer < size_; ++peer) {
    const std::int64_t incoming = plan.receive_bytes[static_cast<std::size_t>(peer)];
    in_pieces(incoming, [&](std::int64_t done, int count, MPI_Request* request) {
      check_mpi(MPI_Irecv(received.data() + receive_start + done, count, MPI_BYTE, peer, 0, data_, request),
                "MPI_Irecv");
    });
    receive_start += incoming;
  }
  for (int peer = 0; peer < size_; ++peer) {
    const std::int64_t outgoing = plan.send_bytes[static_cast<std::size_t>(peer)];
    in_pieces(outgoing, [&](std::int64_t done, int count, MPI_Request* request) {
      check_mpi(MPI_Isend(send.data() + send_start + done, count, MPI_BYTE, peer, 0, data_, request),
                "MPI_Isend");
    });
    send_start += outgoing;
  }
  check_mpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
            "MPI_Waitall");
}

}  // namespace incipit::parallel
