#include "block.hpp"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "cuda_runtime.h"

namespace incipit::shim {
namespace {

thread_local Block* running_block = nullptr;

/// Shared memory of one block, as on the devices the kernels are built for (compute capability 9.0).
constexpr std::size_t most_shared_bytes = std::size_t{227} << 10U;

std::string text(Index i) {
  return "(" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) + ")";
}

std::string text(std::source_location where) {
  return std::filesystem::path(where.file_name()).filename().string() + ":" + std::to_string(where.line());
}

const char* name(Collective kind) {
  switch (kind) {
    case Collective::none:
      return "nothing";
    case Collective::syncwarp:
      return "__syncwarp";
    case Collective::shuffle:
      return "a shuffle";
    case Collective::ballot:
      return "a vote";
    case Collective::product:
      return "a product of matrices";
  }
  return "";
}

bool in(std::uint32_t mask, int lane) {
  return (mask >> static_cast<unsigned>(lane) & 1U) != 0;
}

}  // namespace

Block& Block::current() {
  return *running_block;
}

Block::Block(const char* kernel, Index index, Index threads, std::size_t dynamic_bytes,
             std::vector<std::unique_ptr<Fiber>>& fibers)
    : kernel_(kernel),
      index_(index),
      shape_(threads),
      count_(static_cast<int>(threads.x * threads.y * threads.z)),
      dynamic_bytes_(dynamic_bytes),
      fibers_(fibers),
      threads_(static_cast<std::size_t>(count_)),
      warp_epoch_(static_cast<std::size_t>((count_ + warp_size - 1) / warp_size), 1U) {
  for (auto it = fibers_.rbegin(); it != fibers_.rend(); ++it) free_.push_back(it->get());
}

void Block::run(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
  running_block = this;
  blockIdx = {index_.x, index_.y, index_.z};
  try {
    run_all();
  } catch (...) {
    // The threads stand in the middle of the kernel for good: their stacks are of no more use.
    fibers_.clear();
    running_block = nullptr;
    throw;
  }
  running_block = nullptr;
}

void Block::run_all() {
  for (;;) {
    bool progress = false;
    for (int warp = 0; warp < static_cast<int>(warp_epoch_.size()); ++warp) progress |= run_warp(warp);
    bool all_done = true;
    bool all_at_barrier = true;
    for (const Thread& thread : threads_) {
      all_done &= thread.state == State::done;
      all_at_barrier &= thread.state == State::at_barrier;
    }
    if (all_done) break;
    if (all_at_barrier) {
      release_barrier();
    } else if (!progress) {
      report_stuck();
    }
  }
}

/// Runs the threads of a warp until each waits for the block or has ended.
bool Block::run_warp(int warp) {
  const int begin = warp * warp_size;
  const int end = std::min(begin + warp_size, count_);
  bool progress = false;
  for (bool again = true; again;) {
    again = false;
    for (int t = begin; t < end; ++t) {
      const State state = threads_[static_cast<std::size_t>(t)].state;
      if (state != State::fresh && state != State::ready) continue;
      run_thread(t);
      again = progress = true;
    }
  }
  return progress;
}

void Block::run_thread(int t) {
  Thread& thread = threads_[static_cast<std::size_t>(t)];
  const auto n = static_cast<unsigned>(t);
  threadIdx = {n % shape_.x, n / shape_.x % shape_.y, n / shape_.x / shape_.y};
  running_ = t;
  if (thread.state == State::fresh) {
    if (free_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>());
      free_.push_back(fibers_.back().get());
    }
    thread.fiber = free_.back();
    free_.pop_back();
    thread.state = State::ready;
    thread.fiber->start(&body_of_thread, this);
  } else {
    thread.fiber->resume();
  }
  if (error_) std::rethrow_exception(error_);
  if (thread.fiber->idle()) {
    thread.state = State::done;
    free_.push_back(thread.fiber);
    thread.fiber = nullptr;
  }
}

void Block::body_of_thread(void* block) {
  auto* self = static_cast<Block*>(block);
  try {
    self->body_(self->argument_);
  } catch (...) {
    self->error_ = std::current_exception();
  }
}

void Block::wait(State state) {
  Thread& thread = threads_[static_cast<std::size_t>(running_)];
  thread.state = state;
  thread.fiber->suspend();
}

void Block::barrier(std::source_location where) {
  threads_[static_cast<std::size_t>(running_)].where = where;
  wait(State::at_barrier);
}

void Block::release_barrier() {
  const std::source_location where = threads_.front().where;
  for (int t = 0; t < count_; ++t) {
    Thread& thread = threads_[static_cast<std::size_t>(t)];
    if (thread.where.line() != where.line() ||
        std::strcmp(thread.where.file_name(), where.file_name()) != 0) {
      running_ = t;
      violation("divergent barrier: it waits at " + text(thread.where) + ", thread " + place(0) + " at " +
                text(where));
    }
    thread.state = State::ready;
  }
  ++epoch_;
}

std::uint64_t Block::collective(const Contribution& mine) {
  Thread& thread = threads_[static_cast<std::size_t>(running_)];
  const int warp = running_ / warp_size;
  if (!in(mine.mask, lane())) {
    violation(std::string(name(mine.kind)) + " at " + text(mine.where) + " whose mask leaves out its caller");
  }
  if (mine.kind == Collective::shuffle && !in(mine.mask, mine.source)) {
    violation("a shuffle at " + text(mine.where) + " reads lane " + std::to_string(mine.source) +
              ", which takes no part in it");
  }
  thread.mine = mine;
  thread.state = State::in_warp;
  bool all_here = true;
  for (int lane = 0; lane < warp_size; ++lane) {
    if (!in(mine.mask, lane)) continue;
    const int t = warp * warp_size + lane;
    if (t >= count_) violation(std::string(name(mine.kind)) + " with lanes that the block does not have");
    const Thread& other = threads_[static_cast<std::size_t>(t)];
    if (other.state != State::in_warp) {
      all_here = false;
      continue;
    }
    if (other.mine.kind != mine.kind || other.mine.mask != mine.mask) {
      violation("divergent warp: " + std::string(name(mine.kind)) + " at " + text(mine.where) +
                ", while thread " + place(t) + " is in " + name(other.mine.kind) + " at " +
                text(other.mine.where) + (other.mine.mask == mine.mask ? "" : " with another mask"));
    }
  }
  if (all_here) {
    complete(warp, mine.mask);
    thread.state = State::ready;
  } else {
    thread.fiber->suspend();
  }
  return thread.result;
}

/// All lanes have arrived: their results are made at once, before any of them may go on to the next.
void Block::complete(int warp, std::uint32_t mask) {
  Thread* lanes = threads_.data() + static_cast<std::ptrdiff_t>(warp) * warp_size;
  std::uint64_t votes = 0;
  for (int lane = 0; lane < warp_size; ++lane) {
    if (in(mask, lane) && lanes[lane].mine.kind == Collective::ballot && lanes[lane].mine.value != 0) {
      votes |= std::uint64_t{1} << static_cast<unsigned>(lane);
    }
  }
  Collective kind = Collective::none;
  for (int lane = 0; lane < warp_size; ++lane) {
    if (!in(mask, lane)) continue;
    kind = lanes[lane].mine.kind;
    lanes[lane].result = kind == Collective::shuffle ? lanes[lanes[lane].mine.source].mine.value : votes;
    lanes[lane].state = State::ready;
  }
  // Only __syncwarp of the whole warp orders memory.
  if (kind == Collective::syncwarp && mask == 0xffffffffU) ++warp_epoch_[static_cast<std::size_t>(warp)];
}

void Block::report_stuck() {
  for (int t = 0; t < count_; ++t) {
    const State state = threads_[static_cast<std::size_t>(t)].state;
    if (state != State::at_barrier && state != State::in_warp) continue;
    for (int other = 0; other < count_; ++other) {
      const bool awaited = state == State::at_barrier ||
                           (other / warp_size == t / warp_size &&
                            in(threads_[static_cast<std::size_t>(t)].mine.mask, other % warp_size));
      if (!awaited || threads_[static_cast<std::size_t>(other)].state == state) continue;
      running_ = t;
      violation("divergent barrier: it waits " + standing(t) + ", but thread " + place(other) + " " +
                standing(other));
    }
  }
  violation("threads wait for each other");
}

std::string Block::standing(int t) const {
  const Thread& thread = threads_[static_cast<std::size_t>(t)];
  switch (thread.state) {
    case State::at_barrier:
      return "at __syncthreads (" + text(thread.where) + ")";
    case State::in_warp:
      return std::string("in ") + name(thread.mine.kind) + " (" + text(thread.mine.where) + ")";
    case State::done:
      return "has ended";
    default:
      return "runs";
  }
}

std::string Block::place(int t) const {
  const auto n = static_cast<unsigned>(t);
  return text(Index{n % shape_.x, n / shape_.x % shape_.y, n / shape_.x / shape_.y});
}

void Block::violation(const std::string& what) const {
  throw Violation("kernel " + std::string(kernel_) + ", block " + text(index_) + ", thread " +
                  place(running_) + ": " + what);
}

SharedArray& Block::make_array(const void* key, std::size_t offset, std::size_t size, std::size_t element,
                               bool dynamic) {
  if (!dynamic) static_bytes_ += size * element;
  if (static_bytes_ + dynamic_bytes_ > most_shared_bytes) {
    violation("more shared memory than a block has: " + std::to_string(static_bytes_ + dynamic_bytes_) +
              " bytes");
  }
  auto array = std::make_unique<SharedArray>();
  array->key = key;
  array->offset = offset;
  array->size = size;
  array->element = element;
  array->data = std::make_unique<std::byte[]>(size * element);
  array->touches.resize(size);
  array->dynamic = dynamic;
  arrays_.push_back(std::move(array));
  return *arrays_.back();
}

SharedArray& Block::static_array(const void* key, std::size_t size, std::size_t element) {
  for (const auto& array : arrays_) {
    if (!array->dynamic && array->key == key) return *array;
  }
  return make_array(key, 0, size, element, false);
}

SharedArray& Block::dynamic_array(std::size_t offset, std::size_t size, std::size_t element) {
  for (const auto& array : arrays_) {
    if (!array->dynamic) continue;
    if (array->offset == offset && array->size == size && array->element == element) return *array;
    if (offset < array->offset + array->size * array->element && array->offset < offset + size * element) {
      violation("two arrays overlap in dynamic shared memory: bytes " + std::to_string(offset) + " and " +
                std::to_string(array->offset));
    }
  }
  if (offset + size * element > dynamic_bytes_) {
    violation("dynamic shared memory of " + std::to_string(dynamic_bytes_) + " bytes is too small for " +
              std::to_string(size * element) + " from byte " + std::to_string(offset));
  }
  return make_array(nullptr, offset, size, element, true);
}

bool Block::ordered(std::uint32_t epoch, std::uint32_t warp_epoch, bool same_warp) const {
  if (epoch != epoch_) return true;
  return same_warp && warp_epoch != warp_epoch_[static_cast<std::size_t>(running_ / warp_size)];
}

SharedArray::Touch& Block::touch(SharedArray& array, std::int64_t i, const char* verb) {
  if (i < 0 || i >= static_cast<std::int64_t>(array.size)) {
    violation(std::string("out of bounds: it ") + verb + " element " + std::to_string(i) +
              " of a shared array of " + std::to_string(array.size));
  }
  return array.touches[static_cast<std::size_t>(i)];
}

void* Block::read(SharedArray& array, std::int64_t i) {
  SharedArray::Touch& last = touch(array, i, "reads");
  if (last.write_epoch == 0) {
    violation("read before write: element " + std::to_string(i) + " of a shared array of " +
              std::to_string(array.size));
  }
  const auto me = static_cast<std::int16_t>(running_);
  const auto warp = static_cast<std::int16_t>(running_ / warp_size);
  if (last.writer != me &&
      !ordered(last.write_epoch, last.write_warp_epoch, last.writer / warp_size == warp)) {
    violation("race: it reads element " + std::to_string(i) + " of a shared array of " +
              std::to_string(array.size) + ", which thread " + place(last.writer) +
              " wrote with no barrier between");
  }
  const std::uint32_t warp_epoch = warp_epoch_[static_cast<std::size_t>(warp)];
  if (last.read_epoch != epoch_) {
    last.reader = me;
    last.reader_warp = warp;
  } else {
    if (last.reader != me) last.reader = -1;
    if (last.reader_warp != warp) last.reader_warp = -1;
  }
  last.read_epoch = epoch_;
  last.read_warp_epoch = warp_epoch;
  return array.data.get() + static_cast<std::size_t>(i) * array.element;
}

void* Block::write(SharedArray& array, std::int64_t i) {
  SharedArray::Touch& last = touch(array, i, "writes");
  const auto me = static_cast<std::int16_t>(running_);
  const auto warp = static_cast<std::int16_t>(running_ / warp_size);
  const bool after_reads = last.reader == me || last.read_epoch == 0 ||
                           ordered(last.read_epoch, last.read_warp_epoch, last.reader_warp == warp);
  const bool after_writes = last.writer == me || last.write_epoch == 0 ||
                            ordered(last.write_epoch, last.write_warp_epoch, last.writer / warp_size == warp);
  if (!after_reads || !after_writes) {
    violation("race: it writes element " + std::to_string(i) + " of a shared array of " +
              std::to_string(array.size) + ", which another thread " + (after_reads ? "wrote" : "read") +
              " with no barrier between");
  }
  last.writer = me;
  last.write_epoch = epoch_;
  last.write_warp_epoch = warp_epoch_[static_cast<std::size_t>(warp)];
  last.atomic = false;
  return array.data.get() + static_cast<std::size_t>(i) * array.element;
}

void* Block::update_atomically(SharedArray& array, std::int64_t i) {
  SharedArray::Touch& last = touch(array, i, "adds to");
  // Atomic additions do not race with each other, but with plain reads and writes they do.
  if (last.write_epoch == epoch_ && last.atomic && (last.read_epoch != epoch_)) {
    return array.data.get() + static_cast<std::size_t>(i) * array.element;
  }
  if (last.write_epoch == 0) {
    violation("read before write: it adds to element " + std::to_string(i) + " of a shared array of " +
              std::to_string(array.size));
  }
  void* place = write(array, i);
  last.atomic = true;
  return place;
}

}  // namespace incipit::shim
