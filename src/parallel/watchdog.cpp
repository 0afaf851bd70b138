#include "parallel/watchdog.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "error.hpp"
#include "parallel/links.hpp"
#include "parallel/node.hpp"
#include "parallel/roster.hpp"

namespace incipit::parallel {

namespace {

// A verdict is an exit code, and whether a rank calls MPI_Abort with it: then the launcher ends all ranks if
// it can, with that code, which may be lost when ranks end by themselves meanwhile.
constexpr int exit_code = 0xff;
constexpr int launcher_told = 0x100;
constexpr int between_looks = 500;  // milliseconds
// The launcher may be ending all ranks and have said why; and what a rank has announced may be under way.
constexpr std::int64_t time_to_be_sure = 500;
// Whoever is to speak has spoken by then: a launcher may end all ranks as soon as one has gone.
constexpr std::int64_t time_of_silence = 2000;
constexpr std::int64_t time_to_end = 2000;
constexpr std::int64_t time_to_abort = 5000;
constexpr std::int64_t time_for_launcher = 3000;
// A look that comes so late comes from a process that was itself stopped.
constexpr std::int64_t own_stop = 5000;
constexpr double seconds_to_connect = 10;

// Where signs of life go while no watchdog runs.
Roster::Entry nobody;
std::atomic<Roster::Entry*> own_entry{&nobody};
std::atomic<Roster*> own_roster{nullptr};
std::atomic<int> own_wake{-1};
std::atomic<int> ranks_of_job{1};
std::atomic<bool> to_be_passed_on{false};
std::atomic<bool> main_thread_ends{false};
std::atomic<std::uint64_t> signs{0};
thread_local void (*errand_of_thread)() noexcept = nullptr;
std::atomic<std::int64_t> patience_of_job{3'600'000};  // milliseconds

const std::string killed = "killed, perhaps for want of memory, or crashed. ";
const std::string goes_on = "What is finished is kept, the same command goes on";

void sleep_for(std::int64_t milliseconds) {
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
}

std::string seconds_text(std::int64_t milliseconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%g s", static_cast<double>(milliseconds) / 1000);
  return text;
}

std::string rank_list(const Standing& standing) {
  std::string text;
  for (const std::int32_t rank : standing.first)
    if (rank >= 0) text += (text.empty() ? "" : ", ") + std::to_string(rank);
  return standing.behind > std::ssize(standing.first) ? text + ", ..." : text;
}

std::string still_message(const Standing& standing, std::int64_t waited) {
  const std::string place = std::string("'") + standing.phase.data() + "' on " + standing.host.data();
  std::string text = "nothing moves: none of " + std::to_string(standing.ranks) +
                     " ranks has given a sign of life for " + seconds_text(waited) + " (run.patience). ";
  if (standing.arrivals == Standing::stopped) {
    text += "Stopped: rank " + rank_list(standing) + ", the first of them in " + place;
  } else if (standing.behind == standing.ranks) {
    text +=
        "All are between the same two agreements, rank " + std::to_string(standing.first[0]) + " in " + place;
  } else {
    text += "All others wait for " + std::to_string(standing.behind) + ": rank " + rank_list(standing) +
            "; the first of them is in " + place;
  }
  return text + ". " + goes_on;
}

std::string gone_message(const Roster::Entry& entry) {
  std::string phase;
  for (const auto& letter : entry.phase)
    if (letter != '\0') phase += letter;
  return "rank " + std::to_string(entry.rank) + " is gone without a word, in '" + phase + "': " + killed +
         goes_on;
}

std::string lost_message(const std::string& host) {
  return "the first rank on " + host + ", or all of " + host + ", is gone without a word: " + killed +
         goes_on;
}

}  // namespace

void sign_of_life() noexcept {
  signs.store(signs.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  if (errand_of_thread != nullptr) errand_of_thread();
}

void at_signs_of_life(void (*errand)() noexcept) noexcept {
  errand_of_thread = errand;
}

void enter_phase(std::string_view name) noexcept {
  own_entry.load(std::memory_order_relaxed)->set_phase(name);
  sign_of_life();
}

void arrive(int ranks) noexcept {
  auto& arrivals = own_entry.load(std::memory_order_relaxed)->arrivals;
  if (ranks == ranks_of_job)
    arrivals.store(arrivals.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  sign_of_life();
}

void announce_end(int code) noexcept {
  own_entry.load()->code.store(code);
}

bool claim_last_word() noexcept {
  Roster* roster = own_roster.load();
  std::int32_t nobody_yet = 0;
  return roster == nullptr || roster->head().deciding.compare_exchange_strong(nobody_yet, 1);
}

void announce_failure(int code) noexcept {
  Roster* roster = own_roster.load();
  if (roster == nullptr) return;
  main_thread_ends = true;
  roster->head().verdict = code | launcher_told;
  const std::uint64_t one = 1;
  if (write(own_wake.load(), &one, sizeof one) < 0) return;  // it looks twice a second anyway
  for (int i = 0; to_be_passed_on && roster->head().passed_on == 0 && i < 100; ++i) sleep_for(10);
}

void set_patience(double seconds) noexcept {
  patience_of_job = static_cast<std::int64_t>(1000 * seconds);
}

Watchdog::Watchdog() = default;

Watchdog::~Watchdog() {
  if (!thread_.joinable()) return;
  own_entry = &nobody;
  own_roster = nullptr;
  stop_ = true;
  const std::uint64_t one = 1;
  if (write(wake_, &one, sizeof one) < 0) std::perror("incipit: watchdog");
  thread_.join();
  close(wake_);
}

std::string Watchdog::start(const Communicator& world, int ranks_per_node) {
  if (world.size() == 1) return "";
  const Communicator node =
      ranks_per_node > 0 ? world.split(world.rank() / ranks_per_node, 0) : on_this_node(world);
  const Communicator firsts = world.split(node.root() ? 0 : 1, 0);
  several_nodes_ = world.sum(std::int64_t{node.root()}) > 1;
  roster_ = Roster::open(node, world.rank());
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (world.any(!roster_ || wake_ < 0)) {
    roster_.reset();
    return "no shared memory in /dev/shm: ranks do not notice when another is gone, and wait for it";
  }
  roster_->head().elsewhere_at = Roster::now();
  if (several_nodes_ && node.root()) links_ = Links::connect(firsts, seconds_to_connect);
  node_ = firsts.rank();
  sees_all_ = !several_nodes_ || !world.any(node.root() && !links_);

  own_entry = &roster_->mine();
  own_roster = roster_.get();
  own_wake = wake_;
  ranks_of_job = world.size();
  to_be_passed_on = several_nodes_ && sees_all_;
  looked_at_ = awake_since_ = Roster::now();
  // Signals are the main thread's.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { watch(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (sees_all_) return "";
  return "the nodes cannot reach each other by TCP: a rank that is gone is noticed on its own node alone";
}

void Watchdog::leave() noexcept {
  if (roster_) roster_->mine().left = 1;
}

void Watchdog::watch() {
  while (!stop_) {
    pause();
    look();
  }
  if (links_) links_->say_goodbye();
}

void Watchdog::pause() const {
  if (links_) {
    links_->pause(between_looks, wake_);
  } else {
    pollfd entry{wake_, POLLIN, 0};
    poll(&entry, 1, between_looks);
  }
  std::uint64_t count = 0;
  if (read(wake_, &count, sizeof count) < 0) return;  // the time was over
}

void Watchdog::look() {
  const auto now = Roster::now();
  if (now - looked_at_ > own_stop) awake_since_ = now;
  roster_->mine().looked_at = looked_at_ = now;
  note_life();
  if (const int verdict = roster_->head().verdict; verdict != 0) follow(verdict);
  look_at_neighbour();
  if (links_) look_at_nodes();
  // What nodes tell wakes their neighbours, who are not to answer each time.
  if (now - clock_at_ < between_looks) return;
  clock_at_ = now;
  look_at_clock();
}

void Watchdog::note_life() {
  const auto so_far = signs.load(std::memory_order_relaxed);
  if (so_far == signs_seen_) return;
  signs_seen_ = so_far;
  roster_->mine().alive_at = Roster::now();
}

/// Each rank watches the next one of its node that has not left: so every end has a witness.
void Watchdog::look_at_neighbour() {
  int next = roster_->rank();
  do {
    next = (next + 1) % roster_->size();
  } while (next != roster_->rank() && roster_->entry(next).left != 0);
  if (!roster_->gone(next) || roster_->entry(next).left != 0) {
    rank_gone_at_ = 0;
    return;
  }
  if (const int code = roster_->entry(next).code; code != 0) return decide(code, "");
  if (rank_gone_at_ == 0) rank_gone_at_ = looked_at_;
  const auto since = looked_at_ - rank_gone_at_;
  // The end of a node's first rank breaks its connections, and other nodes tell.
  const bool others_tell = next == 0 && several_nodes_ && sees_all_;
  if (since < (others_tell ? time_of_silence : time_to_be_sure)) return;
  decide(static_cast<int>(Exit::machine), others_tell ? "" : gone_message(roster_->entry(next)));
}

void Watchdog::look_at_nodes() {
  const auto news = links_->listen();
  if (news.verdict != 0) return decide(news.verdict, "");
  if (news.lost) {
    node_gone_at_ = looked_at_;
    node_gone_ = news;
  }
  if (node_gone_at_ == 0) return;
  const auto since = looked_at_ - node_gone_at_;
  if (since < (node_gone_.to_tell ? time_to_be_sure : time_of_silence)) return;
  decide(static_cast<int>(Exit::machine), node_gone_.to_tell ? lost_message(node_gone_.host) : "");
}

void Watchdog::look_at_clock() {
  Standing all = roster_->standing();
  if (links_) {
    links_->tell(all);
    const Standing elsewhere = links_->elsewhere();
    roster_->head().elsewhere_at = looked_at_ - elsewhere.quiet;
    all.add(elsewhere);
  } else if (several_nodes_) {
    all.quiet = std::min(all.quiet, looked_at_ - roster_->head().elsewhere_at);
  }
  const std::int64_t limit = patience_of_job;
  if (limit == 0 || !sees_all_ || all.ranks == 0) return;
  // One speaks if it can: the first rank of the first node, then of others, then any.
  std::int64_t turn = node_ == 0 ? 0 : 5000 + 500 * std::min(node_, 20);
  if (several_nodes_ && !links_) turn += 3000;
  if (std::min(all.quiet, looked_at_ - awake_since_) < limit + turn) return;
  decide(static_cast<int>(Exit::machine), still_message(all, limit));
}

/// Ends the job, unless another rank of the node does so already.
void Watchdog::decide(int verdict, const std::string& message) {
  if (!claim_last_word()) return;
  if (!message.empty()) {
    std::fprintf(stderr, "incipit: error: %s\n", message.c_str());
    std::fflush(stderr);
  }
  roster_->head().verdict = verdict;
  pass_on(verdict);
  if ((verdict & launcher_told) != 0) sleep_for(time_for_launcher);
  end_stragglers();
  _exit(verdict & exit_code);
}

void Watchdog::follow(int verdict) {
  pass_on(verdict);
  if (main_thread_ends) {
    sleep_for(time_to_abort);
  } else if ((verdict & launcher_told) != 0) {
    sleep_for(time_for_launcher);
  }
  _exit(verdict & exit_code);
}

void Watchdog::pass_on(int verdict) {
  if (links_) links_->pass_on(verdict);
  if (links_) roster_->head().passed_on = 1;
}

/// A process that is stopped never looks.
void Watchdog::end_stragglers() const {
  const auto there = [&](int rank) { return !roster_->gone(rank) && roster_->entry(rank).left == 0; };
  const auto until = Roster::now() + time_to_end;
  for (int rank = 0; rank < roster_->size(); ++rank) {
    if (rank == roster_->rank()) continue;
    while (there(rank) && Roster::now() < until) sleep_for(20);
    if (const int process = roster_->process(rank); there(rank) && process > 0) kill(process, SIGKILL);
  }
}

}  // namespace incipit::parallel
