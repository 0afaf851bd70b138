#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "parallel/communicator.hpp"
#include "parallel/links.hpp"
#include "parallel/roster.hpp"

namespace incipit::parallel {

/// Signs of life of this rank, for its watchdog: a few stores each, no system call, nothing where no watchdog
/// runs.
void sign_of_life() noexcept;
/// What the calling thread does at each of its signs of life from now on; null: nothing.
void at_signs_of_life(void (*errand)() noexcept) noexcept;
/// Names what the rank does from now on, for the message of a job that stands still.
void enter_phase(std::string_view name) noexcept;
/// The rank arrives at an agreement of so many ranks; those of the whole job are counted.
void arrive(int ranks) noexcept;

/// The process is about to end with this code and has said why: the other ranks end with it too. May be
/// called by a signal handler.
void announce_end(int code) noexcept;
/// Whether this rank is the first of its node that has to say why the job ends; the others stay silent.
[[nodiscard]] bool claim_last_word() noexcept;
/// Behind claim_last_word and the message: the job ends with this code. Returns when all nodes have been
/// told, after a second at most. A caller that is still there five seconds later is ended.
void announce_failure(int code) noexcept;

/// How long no rank of the job may give a sign of life before the job is ended; 0: for ever.
void set_patience(double seconds) noexcept;

/// Ends this rank when a rank of the job is gone, or when all stand still: the others would wait for ever in
/// a call of MPI, and not every launcher ends them. A thread of each rank looks twice a second, and makes no
/// MPI call. Ranks of a node see each other (Roster), nodes are connected (Links). One rank says what
/// happened; all end by `_exit`, with the code that a failing rank has announced, or else with Exit::machine.
/// Processes of the node that do not end, since they are stopped, are killed.
///
/// A rank that is stopped, by a debugger say, is no alarm while the patience lasts, nor is a whole job that
/// was stopped and goes on. Lives longer than MPI, so that a rank lost while MPI ends is noticed too.
class Watchdog {
 public:
  Watchdog();
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Collective, once. With one rank nothing is started. Returns what cannot be watched and why, or "".
  /// `ranks_per_node`: for tests, as if so many ranks each were a node; 0: as they are.
  std::string start(const Communicator& world, int ranks_per_node = 0);

  /// From now on the end of this process is in good order. Without it the other ranks take its end for a
  /// failure.
  void leave() noexcept;

 private:
  void watch();
  void look();
  void note_life();
  void look_at_neighbour();
  void look_at_nodes();
  void look_at_clock();
  void pause() const;
  void decide(int verdict, const std::string& message);
  [[noreturn]] void follow(int verdict);
  void pass_on(int verdict);
  void end_stragglers() const;

  std::unique_ptr<Roster> roster_;
  std::unique_ptr<Links> links_;
  std::thread thread_;
  int wake_ = -1;
  int node_ = 0;
  bool several_nodes_ = false;
  bool sees_all_ = true;  // of the job; else nobody can tell that all stand still
  std::atomic<bool> stop_{false};

  // The thread's own, in milliseconds of Roster::now; 0: not happened.
  std::uint64_t signs_seen_ = 0;
  std::int64_t looked_at_ = 0;
  std::int64_t awake_since_ = 0;  // since when this process has not itself been stopped
  std::int64_t clock_at_ = 0;
  std::int64_t rank_gone_at_ = 0, node_gone_at_ = 0;
  Links::News node_gone_;
};

}  // namespace incipit::parallel
