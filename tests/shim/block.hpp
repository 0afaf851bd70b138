#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <vector>

#include "fiber.hpp"

/// How one block of threads is carried out on the host: each thread is a fiber, run until it waits for
/// others.
namespace incipit::shim {

struct Index {
  unsigned x = 0, y = 0, z = 0;
};

/// Something a kernel must not do. The message names kernel, block and thread.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline constexpr int warp_size = 32;

/// What threads of a warp do together.
enum class Collective : std::uint8_t { none, syncwarp, shuffle, ballot, product };

/// One thread's part in it, and what it gets out of it.
struct Contribution {
  Collective kind = Collective::none;
  std::uint32_t mask = 0;
  int source = 0;              ///< shuffle: the lane whose value is wanted
  std::uint64_t value = 0;     ///< the bits of a shuffle's value; a ballot's vote
  std::source_location where;  ///< of the call in the kernel
};

/// One array in shared memory, with who touched each element last.
struct SharedArray {
  struct Touch {
    std::uint32_t write_epoch = 0, write_warp_epoch = 0;  ///< epochs count from 1: 0 is never
    std::uint32_t read_epoch = 0, read_warp_epoch = 0;
    std::int16_t writer = 0, reader = 0, reader_warp = 0;  ///< reader, warp: −1 for several
    bool atomic = false;
  };
  const void* key;
  std::size_t offset;  ///< in dynamic shared memory; of no meaning for a static array
  std::size_t size;    ///< elements
  std::size_t element;
  std::unique_ptr<std::byte[]> data;
  std::vector<Touch> touches;
  bool dynamic;
};

class Block {
 public:
  /// The block whose thread runs now on this host thread; only valid within a kernel.
  static Block& current();

  Block(const char* kernel, Index index, Index threads, std::size_t dynamic_bytes,
        std::vector<std::unique_ptr<Fiber>>& fibers);
  /// Runs `body(argument)` once for each thread. Throws Violation.
  void run(void (*body)(void*), void* argument);

  // Called by threads.
  void barrier(std::source_location where);
  std::uint64_t collective(const Contribution& mine);
  [[nodiscard]] int lane() const { return running_ % warp_size; }
  SharedArray& static_array(const void* key, std::size_t size, std::size_t element);
  SharedArray& dynamic_array(std::size_t offset, std::size_t size, std::size_t element);
  /// One thread's access to an element. Throws Violation where it is out of bounds, reads what was never
  /// written, or races with another thread.
  void* read(SharedArray& array, std::int64_t i);
  void* write(SharedArray& array, std::int64_t i);
  void* update_atomically(SharedArray& array, std::int64_t i);
  [[noreturn]] void violation(const std::string& what) const;

 private:
  enum class State : std::uint8_t { fresh, ready, at_barrier, in_warp, done };
  struct Thread {
    State state = State::fresh;
    Fiber* fiber = nullptr;
    std::source_location where;
    Contribution mine;
    std::uint64_t result = 0;
  };

  static void body_of_thread(void* block);
  void run_all();
  void run_thread(int t);
  bool run_warp(int warp);
  void release_barrier();
  void complete(int warp, std::uint32_t mask);
  void wait(State state);
  [[nodiscard]] bool ordered(std::uint32_t epoch, std::uint32_t warp_epoch, bool same_warp) const;
  SharedArray& make_array(const void* key, std::size_t offset, std::size_t size, std::size_t element,
                          bool dynamic);
  SharedArray::Touch& touch(SharedArray& array, std::int64_t i, const char* verb);
  [[noreturn]] void report_stuck();
  [[nodiscard]] std::string place(int t) const;
  [[nodiscard]] std::string standing(int t) const;

  const char* kernel_;
  Index index_, shape_;
  int count_;
  std::size_t dynamic_bytes_;
  std::size_t static_bytes_ = 0;
  std::vector<std::unique_ptr<Fiber>>& fibers_;
  std::vector<Fiber*> free_;
  std::vector<Thread> threads_;
  std::vector<std::unique_ptr<SharedArray>> arrays_;
  std::vector<std::uint32_t> warp_epoch_;
  std::uint32_t epoch_ = 1;
  int running_ = 0;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace incipit::shim
