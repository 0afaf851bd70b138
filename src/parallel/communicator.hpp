#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace incipit::parallel {

/// A group of ranks that talk to each other. Owns duplicates of the MPI communicator it was made from, one
/// for data and one for agreements on failure (agree.hpp), so that libraries and we never take each other's
/// messages. Counts are elements and may exceed 2^31. All members but rank, size, root and handles are
/// collective. Error defect: an MPI call failed; the message holds MPI's own.
class Communicator {
 public:
  /// Every rank of the job. For `main`, `command` and tests alone: everything below is handed a communicator.
  static Communicator world();
  /// This rank alone.
  static Communicator self();

  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&& other) noexcept;
  ~Communicator();

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] bool root() const { return rank_ == 0; }
  [[nodiscard]] MPI_Comm handle() const { return data_; }
  [[nodiscard]] MPI_Comm agreement_handle() const { return agreement_; }

  /// Ranks of one colour form a new communicator, ordered by key, then by rank. color ≥ 0.
  [[nodiscard]] Communicator split(int color, int key) const;

  void barrier() const;

  /// What `root` passed, on every rank.
  [[nodiscard]] std::string broadcast(std::string text, int root = 0) const;
  /// Gives every rank the values (and the number of them) of `root`.
  template <class T>
  void broadcast(std::vector<T>& values, int root = 0) const {
    static_assert(std::is_trivially_copyable_v<T>);
    std::int64_t count = static_cast<std::int64_t>(values.size());
    broadcast_bytes(std::as_writable_bytes(std::span(&count, 1)), root);
    values.resize(static_cast<std::size_t>(count));
    broadcast_bytes(std::as_writable_bytes(std::span(values)), root);
  }

  /// Everybody's values, concatenated in rank order; the numbers may differ and be 0.
  template <class T>
  [[nodiscard]] std::vector<T> all_gather(std::span<const T> mine) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const std::vector<std::int64_t> bytes = gather_counts(static_cast<std::int64_t>(mine.size_bytes()));
    std::vector<T> all(static_cast<std::size_t>(total(bytes)) / sizeof(T));
    all_gather_bytes(std::as_bytes(mine), bytes, std::as_writable_bytes(std::span(all)));
    return all;
  }
  template <class T>
  [[nodiscard]] std::vector<T> all_gather(const std::vector<T>& mine) const {
    return all_gather(std::span<const T>(mine));
  }
  /// One text of each rank, in rank order.
  [[nodiscard]] std::vector<std::string> all_gather(const std::string& mine) const;

  /// `send` holds send_counts[r] elements for each rank r, one rank after the other; returns what the ranks
  /// sent to this one, concatenated by source rank.
  template <class T>
  [[nodiscard]] std::vector<T> all_to_all(std::span<const T> send,
                                          std::span<const std::int64_t> send_counts) const {
    static_assert(std::is_trivially_copyable_v<T>);
    const Exchange plan = plan_exchange(send_counts, sizeof(T), send.size_bytes());
    std::vector<T> received(static_cast<std::size_t>(total(plan.receive_bytes)) / sizeof(T));
    exchange(plan, std::as_bytes(send), std::as_writable_bytes(std::span(received)));
    return received;
  }

  [[nodiscard]] std::int64_t max(std::int64_t value) const;
  [[nodiscard]] std::int64_t min(std::int64_t value) const;
  [[nodiscard]] std::int64_t sum(std::int64_t value) const;
  /// NaN if any rank's value is NaN.
  [[nodiscard]] double max(double value) const;
  [[nodiscard]] bool any(bool value) const;

  /// Largest number of bytes in one message; more is sent in pieces. Tests lower it; equal on all ranks.
  void set_message_limit(std::int64_t bytes) { message_limit_ = bytes; }

 private:
  struct Exchange {
    std::vector<std::int64_t> send_bytes, receive_bytes;
  };

  /// Takes ownership of `data`.
  explicit Communicator(MPI_Comm data);
  void free() noexcept;

  static std::int64_t total(const std::vector<std::int64_t>& counts);
  void broadcast_bytes(std::span<std::byte> bytes, int root) const;
  [[nodiscard]] std::vector<std::int64_t> gather_counts(std::int64_t mine) const;
  void all_gather_bytes(std::span<const std::byte> mine, const std::vector<std::int64_t>& bytes,
                        std::span<std::byte> all) const;
  [[nodiscard]] Exchange plan_exchange(std::span<const std::int64_t> send_counts, std::size_t element_bytes,
                                       std::size_t send_bytes) const;
  void exchange(const Exchange& plan, std::span<const std::byte> send, std::span<std::byte> received) const;

  MPI_Comm data_ = MPI_COMM_NULL;
  MPI_Comm agreement_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::int64_t message_limit_ = std::int64_t{1} << 30;
};

/// Turns a failed MPI call into an Error naming it.
void check_mpi(int code, const char* call);

}  // namespace incipit::parallel
