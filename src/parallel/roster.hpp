#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "parallel/communicator.hpp"

namespace incipit::parallel {

/// How the ranks of some part of the job stand. Plain bytes, for sockets.
struct Standing {
  static constexpr std::int64_t never = INT64_MAX / 4;
  static constexpr std::int64_t stopped =
      -1;  ///< the process does not run; further behind than any that does

  std::int64_t quiet = never;  ///< milliseconds since the youngest sign of life
  std::int64_t arrivals =
      never;                ///< at agreements of the whole job, of the ranks furthest behind; or `stopped`
  std::int64_t ranks = 0;   ///< in this part
  std::int64_t behind = 0;  ///< how many of them are furthest behind
  std::array<std::int32_t, 8> first{-1, -1, -1, -1, -1, -1, -1, -1};  ///< the lowest of these, then -1
  std::array<char, 48> phase{};                                       ///< where the lowest of them is
  std::array<char, 64> host{};                                        ///< and on which machine

  /// Takes in a part that has no rank in common with this one.
  void add(const Standing& other);
};

/// What the ranks of a node let each other see without MPI: a page of memory that all have mapped, and a lock
/// of each, which the kernel takes back when the process ends, however it ends. Process ids are not trusted:
/// ranks in containers may not see each other's.
class Roster {
 public:
  /// One rank of the node. A cache line's worth of its own, so that nobody's signs of life slow another's.
  struct alignas(256) Entry {
    std::atomic<std::int64_t> alive_at;   ///< milliseconds of `now`, when its watchdog last saw it move
    std::atomic<std::int64_t> looked_at;  ///< when its watchdog last looked
    std::atomic<std::int64_t> arrivals;
    std::atomic<std::int32_t> rank;  ///< in the job
    std::atomic<std::int32_t> left;  ///< 1: the end of its process is in good order
    std::atomic<std::int32_t> code;  ///< with which it has said it would end, else 0
    std::array<std::atomic<char>, 48> phase;

    void set_phase(std::string_view name) noexcept;
  };

  /// Of the node as a whole.
  struct alignas(256) Head {
    std::atomic<std::int32_t> verdict;   ///< how the job ends once it is known to fail (watchdog.cpp), else 0
    std::atomic<std::int32_t> deciding;  ///< 1: some rank decides, and says why
    std::atomic<std::int32_t> passed_on;     ///< 1: the other nodes have been told
    std::atomic<std::int64_t> elsewhere_at;  ///< milliseconds of `now`: the youngest sign of life elsewhere
  };

  /// Collective over the ranks of a node. Nothing, on all of them, where the machine has no room for it.
  static std::unique_ptr<Roster> open(const Communicator& node, int rank_in_job);
  ~Roster();
  Roster(const Roster&) = delete;
  Roster& operator=(const Roster&) = delete;

  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] int size() const { return size_; }
  [[nodiscard]] Head& head() const { return *head_; }
  [[nodiscard]] Entry& entry(int rank) const { return entries_[rank]; }
  [[nodiscard]] Entry& mine() const { return entries_[rank_]; }

  /// Whether the process of a rank of the node has ended.
  [[nodiscard]] bool gone(int rank) const;
  /// Its process id as this process sees it; 0 when it is gone or cannot be seen.
  [[nodiscard]] int process(int rank) const;
  /// How the ranks of this node stand; those that left are not counted.
  [[nodiscard]] Standing standing() const;

  /// Milliseconds of a clock that all processes of a node share.
  static std::int64_t now();

 private:
  Roster(int file, void* page, std::size_t bytes, int rank, int size);

  int file_;
  void* page_;
  std::size_t bytes_;
  int rank_, size_;
  Head* head_;
  Entry* entries_;
};

}  // namespace incipit::parallel
