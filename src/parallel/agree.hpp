#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include "error.hpp"
#include "parallel/communicator.hpp"

namespace incipit::parallel {

/// The failure that all ranks of a communicator agreed on: code and message of the lowest failing rank, on
/// every rank. Exactly one rank, that one, is the speaker: it prints.
class Agreed : public Error {
 public:
  Agreed(Exit code, const std::string& message, bool speaker, MPI_Comm where)
      : Error(code, message), speaker_(speaker), where_(where) {}
  [[nodiscard]] bool speaker() const noexcept { return speaker_; }
  /// The agreement handle of the communicator whose ranks all know of this failure.
  [[nodiscard]] MPI_Comm where() const noexcept { return where_; }

 private:
  bool speaker_;
  MPI_Comm where_;
};

/// The end of a phase; every rank of the communicator calls it. `mine` is what went wrong here, or null.
/// Returns when no rank failed; otherwise throws Agreed on every rank. An exception that is not an Error
/// counts as a defect, except std::bad_alloc (machine). A failing rank gives the others 10 s to arrive. If
/// they do not, they are caught in a collective operation that waits for it: it prints its message and ends
/// the whole job with its exit code. Ranks without a failure of their own wait without limit. An Agreed that
/// this very communicator threw before is passed on without asking again.
void agree(const Communicator& comm, const std::exception_ptr& mine, std::string_view phase);

/// The same in a call that all ranks must make alike, and with one number to go with it: returns the largest
/// `value`. `mark` ≥ 0 stands for what the call is about; when ranks come with different marks, all throw
/// Agreed (defect) with rank 0's `what`. One message round for all three.
std::int64_t agree_alike(const Communicator& comm, std::string_view what, std::int64_t mark,
                         std::int64_t value);

/// Ends the whole job at once, for a failure on which the ranks cannot agree: prints the message, and every
/// rank leaves with the code. MPI has been started.
[[noreturn]] void end_job(const Communicator& comm, Exit code, const std::string& message);

/// Runs f on every rank and agrees on how it went.
template <class F>
void together(const Communicator& comm, std::string_view phase, F&& f) {
  std::exception_ptr mine;
  try {
    std::forward<F>(f)();
  } catch (...) {
    mine = std::current_exception();
  }
  agree(comm, mine, phase);
}

}  // namespace incipit::parallel
