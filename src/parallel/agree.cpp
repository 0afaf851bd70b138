#include "parallel/agree.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <new>
#include <thread>

#include "meters.hpp"
#include "parallel/watchdog.hpp"

namespace incipit::parallel {

namespace {

constexpr std::chrono::seconds patience{10};

struct Failure {
  Exit code;
  std::string message;
};

Failure explain(const std::exception_ptr& mine, std::string_view phase) {
  const std::string where = phase.empty() ? std::string() : std::string(phase) + ": ";
  try {
    std::rethrow_exception(mine);
  } catch (const Agreed& error) {
    return {error.code(), error.what()};
  } catch (const Error& error) {
    return {error.code(), where + error.what()};
  } catch (const std::bad_alloc&) {
    return {Exit::machine,
            where + "out of memory on this rank; use fewer ranks per node, or lower run.memory"};
  } catch (const std::exception& error) {
    return {Exit::defect, where + "unexpected: " + error.what()};
  } catch (...) {
    return {Exit::defect, where + "unexpected failure of unknown kind"};
  }
}

bool agreed_already(const Communicator& comm, const std::exception_ptr& mine) {
  try {
    std::rethrow_exception(mine);
  } catch (const Agreed& error) {
    return error.where() == comm.agreement_handle();
  } catch (...) {
    return false;
  }
}

void wait_for(MPI_Request& request) {
  check_mpi(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
}

bool done_in_time(MPI_Request& request) {
  const auto limit = std::chrono::steady_clock::now() + patience;
  for (;;) {
    int done = 0;
    check_mpi(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (done != 0) return true;
    if (std::chrono::steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

/// What ranks bring to an agreement; every field's minimum over the ranks comes back.
struct Votes {
  std::int64_t failing;  // the lowest failing rank, or the number of ranks when none failed
  std::int64_t mark, minus_mark, minus_value;
};

Votes vote(const Communicator& comm, const Failure* mine, std::int64_t mark, std::int64_t value) {
  arrive(comm.size());
  const Votes brought{mine == nullptr ? comm.size() : comm.rank(), mark, -mark, -value};
  Votes result{};
  constexpr int numbers = sizeof(Votes) / sizeof(std::int64_t);
  MPI_Request request = MPI_REQUEST_NULL;
  check_mpi(
      MPI_Iallreduce(&brought, &result, numbers, MPI_INT64_T, MPI_MIN, comm.agreement_handle(), &request),
      "MPI_Iallreduce");
  const Stopwatch watch(meters.waited);
  if (mine == nullptr) {
    wait_for(request);
  } else if (!done_in_time(request)) {
    end_job(comm, mine->code, mine->message);
  }
  return result;
}

/// Every rank throws what the speaker knows.
[[noreturn]] void throw_agreed(const Communicator& comm, int speaker, const Failure& mine) {
  int code = static_cast<int>(mine.code);
  check_mpi(MPI_Bcast(&code, 1, MPI_INT, speaker, comm.agreement_handle()), "MPI_Bcast");
  const std::string message = comm.broadcast(mine.message, speaker);
  throw Agreed(static_cast<Exit>(code), message, comm.rank() == speaker, comm.agreement_handle());
}

}  // namespace

void end_job(const Communicator& comm, Exit code, const std::string& message) {
  // Where another rank of this node has spoken already, the watchdog ends this one.
  if (!claim_last_word()) std::this_thread::sleep_for(patience);
  std::fprintf(stderr, "incipit: error: %s\n", message.c_str());
  std::fflush(nullptr);
  announce_failure(static_cast<int>(code));
  MPI_Abort(comm.agreement_handle(), static_cast<int>(code));
  // MPI_Abort of a broken job may come back.
  _exit(static_cast<int>(code));
}

void agree(const Communicator& comm, const std::exception_ptr& mine, std::string_view phase) {
  if (mine && agreed_already(comm, mine)) std::rethrow_exception(mine);
  Failure failure{Exit::done, ""};
  if (mine) failure = explain(mine, phase);
  const Votes votes = vote(comm, mine ? &failure : nullptr, 0, 0);
  if (votes.failing < comm.size()) throw_agreed(comm, static_cast<int>(votes.failing), failure);
}

std::int64_t agree_alike(const Communicator& comm, std::string_view what, std::int64_t mark,
                         std::int64_t value) {
  const Votes votes = vote(comm, nullptr, mark, value);
  if (votes.failing < comm.size()) throw_agreed(comm, static_cast<int>(votes.failing), {Exit::done, ""});
  if (votes.mark != -votes.minus_mark) {
    throw_agreed(comm, 0, {Exit::defect, "ranks do different things; rank 0: " + std::string(what)});
  }
  return -votes.minus_value;
}

}  // namespace incipit::parallel
