#include "fiber.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define INCIPIT_SHIM_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define INCIPIT_SHIM_ASAN 1
#endif
#endif

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace incipit::shim {
namespace {

/// Unoptimised frames with sanitizers are large; pages never touched cost nothing.
constexpr std::size_t stack_bytes = std::size_t{512} << 10U;

void begin_switch([[maybe_unused]] void** frames, [[maybe_unused]] const void* stack,
                  [[maybe_unused]] std::size_t size) {
#if defined(INCIPIT_SHIM_ASAN)
  __sanitizer_start_switch_fiber(frames, stack, size);
#endif
}

void end_switch([[maybe_unused]] void* frames, [[maybe_unused]] const void** stack,
                [[maybe_unused]] std::size_t* size) {
#if defined(INCIPIT_SHIM_ASAN)
  __sanitizer_finish_switch_fiber(frames, stack, size);
#endif
}

void forget_frames([[maybe_unused]] void* stack) {
#if defined(INCIPIT_SHIM_ASAN)
  // A fiber that is given up in its middle leaves poisoned frames to whatever is mapped here next.
  __asan_unpoison_memory_region(stack, stack_bytes);
#endif
}

}  // namespace

#if defined(__x86_64__)

// swapcontext asks the kernel for the signal mask each time, which a block of a thousand threads with a
// dozen barriers cannot afford: registers that a call preserves go to the stack, and the stacks change
// places.
extern "C" void incipit_shim_switch(void** save, void* load);
asm(R"(
.text
.type incipit_shim_switch, @function
incipit_shim_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size incipit_shim_switch, .-incipit_shim_switch
)");

namespace {
/// The fiber that is entered for the first time.
thread_local Fiber* entering = nullptr;
}  // namespace

struct Fiber::Machine {
  char* stack = nullptr;
  void* own = nullptr;
  void* caller = nullptr;

  static void first() { enter(entering); }

  void prepare(Fiber* /*fiber*/) {
    auto* top = reinterpret_cast<std::uintptr_t*>(stack + stack_bytes);
    // As after a call: a return address that is never used, the function to return into, six registers.
    *--top = 0;
    *--top = reinterpret_cast<std::uintptr_t>(&first);
    for (int i = 0; i < 6; ++i) *--top = 0;
    own = top;
  }
  void in(Fiber* fiber) {
    entering = fiber;
    incipit_shim_switch(&caller, own);
  }
  void out() { incipit_shim_switch(&own, caller); }
};

#else

struct Fiber::Machine {
  char* stack = nullptr;
  ucontext_t own;
  ucontext_t caller;

  static void first(unsigned high, unsigned low) {
    enter(reinterpret_cast<Fiber*>(static_cast<std::uintptr_t>(high) << 32U | low));
  }
  void prepare(Fiber* fiber) {
    getcontext(&own);
    own.uc_stack.ss_sp = stack;
    own.uc_stack.ss_size = stack_bytes;
    own.uc_link = nullptr;
    const auto address = reinterpret_cast<std::uintptr_t>(fiber);
    makecontext(&own, reinterpret_cast<void (*)()>(&first), 2, static_cast<unsigned>(address >> 32U),
                static_cast<unsigned>(address));
  }
  void in(Fiber* /*fiber*/) { swapcontext(&caller, &own); }
  void out() { swapcontext(&own, &caller); }
};

#endif

Fiber::Fiber() : machine_(new Machine) {
  void* memory = mmap(nullptr, stack_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  machine_->stack = static_cast<char*>(memory);
  // The last page is a wall: a stack that is too deep ends the program instead of reaching into another.
  mprotect(memory, static_cast<std::size_t>(sysconf(_SC_PAGESIZE)), PROT_NONE);
  machine_->prepare(this);
}

Fiber::~Fiber() {
  forget_frames(machine_->stack);
  munmap(machine_->stack, stack_bytes);
  delete machine_;
}

void Fiber::enter(Fiber* fiber) {
  end_switch(nullptr, &fiber->caller_stack_, &fiber->caller_size_);
  fiber->loop();
}

void Fiber::loop() {
  for (;;) {
    body_(argument_);
    body_ = nullptr;
    suspend();
  }
}

void Fiber::switch_in() {
  begin_switch(&caller_frames_, machine_->stack, stack_bytes);
  machine_->in(this);
  end_switch(caller_frames_, nullptr, nullptr);
}

void Fiber::start(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
  switch_in();
}

void Fiber::resume() {
  switch_in();
}

void Fiber::suspend() {
  begin_switch(&own_frames_, caller_stack_, caller_size_);
  machine_->out();
  end_switch(own_frames_, &caller_stack_, &caller_size_);
}

}  // namespace incipit::shim
