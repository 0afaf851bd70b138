#pragma once

#include <hdf5.h>

#include <string>
#include <utility>

#include "error.hpp"

namespace incipit::store {

/// HDF5's own account of the last failure in this thread: the deepest message of its error stack.
[[nodiscard]] std::string hdf5_message();

/// Starts HDF5 with its printing of errors switched off (we fold them into our messages). Any number of
/// calls.
void start_hdf5();

[[noreturn]] void hdf5_failed(Exit code, const std::string& what);

/// Passes on what an HDF5 call returned; Error(code) with `what` and HDF5's message when it is negative.
template <class Result>
Result check_hdf5(Result result, Exit code, const std::string& what) {
  if (result < 0) hdf5_failed(code, what);
  return result;
}

/// Owns an HDF5 identifier and closes it by the function that fits its kind. Move-only.
class Handle {
 public:
  using Closer = herr_t (*)(hid_t);

  Handle() = default;
  /// Error(code): the id is negative, that is, the call that made it failed.
  Handle(hid_t id, Closer closer, Exit code, const std::string& what)
      : id_(check_hdf5(id, code, what)), closer_(closer) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), closer_(other.closer_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = std::exchange(other.id_, -1);
      closer_ = other.closer_;
    }
    return *this;
  }

  [[nodiscard]] hid_t get() const { return id_; }
  [[nodiscard]] explicit operator bool() const { return id_ >= 0; }
  /// Closes and says whether that worked; for files, where closing writes.
  herr_t close() {
    const hid_t id = std::exchange(id_, -1);
    return id < 0 ? 0 : closer_(id);
  }
  /// Gives up ownership without closing.
  hid_t release() noexcept { return std::exchange(id_, -1); }

 private:
  void reset() noexcept {
    if (id_ >= 0) closer_(std::exchange(id_, -1));
  }

  hid_t id_ = -1;
  Closer closer_ = nullptr;
};

}  // namespace incipit::store
