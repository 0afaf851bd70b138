#pragma once

#include <cstddef>

namespace incipit::shim {

/// A stack of its own on which functions run that may stop in their middle and go on later: one thread of a
/// block. A fiber that has ended its function can be given another.
class Fiber {
 public:
  Fiber();
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs `body(argument)` until it suspends or ends. It must not throw.
  void start(void (*body)(void*), void* argument);
  /// Goes on after the last suspend.
  void resume();
  /// From within: back to whoever started or resumed this fiber.
  void suspend();
  [[nodiscard]] bool idle() const { return body_ == nullptr; }

 private:
  struct Machine;
  static void enter(Fiber* fiber);
  void loop();
  void switch_in();

  Machine* machine_;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  /// For the address sanitizer: where the stack of the caller lies, and both sides' fake frames.
  void* own_frames_ = nullptr;
  void* caller_frames_ = nullptr;
  const void* caller_stack_ = nullptr;
  std::size_t caller_size_ = 0;
};

}  // namespace incipit::shim
