#include "checkpoint/shared_parts.hpp"

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <thread>
#include <utility>

#include "error.hpp"

namespace incipit::checkpoint {
namespace {

/// Parts that are there at a time: one that all take, and the next that who is ahead reads already.
constexpr int64_t slots = 2;
/// Enough that a parallel file system reads it in one go, and little enough that several ranks find some.
constexpr uint64_t chunk = uint64_t{4} << 20U;
constexpr uint64_t line = 64;
constexpr int64_t gone = std::numeric_limits<int64_t>::max();
constexpr int64_t being_made = std::numeric_limits<int64_t>::min();

uint64_t rounded_up(uint64_t bytes) {
  return (bytes + line - 1) / line * line;
}

bool is_shared(const Tensor& tensor) {
  return tensor.stride.empty() && size_of(tensor.dtype) > 0;
}

uint64_t bytes_of(const Piece& piece) {
  return static_cast<uint64_t>(piece.rows * piece.tensor->row_size()) * size_of(piece.tensor->dtype);
}

/// Others are at work in the meantime, on this processor maybe. A part takes milliseconds.
class Patience {
 public:
  void wait() {
    if (++waits_ < 64) return std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }

 private:
  int waits_ = 0;
};

}  // namespace

/// What a slot holds, or who fills it. Begins with the number before the first that goes there.
struct alignas(line) SharedParts::Slot {
  std::atomic<int64_t> part;
  std::atomic<uint64_t> mark;  ///< of its pieces
  std::atomic<uint64_t> taken, done;
  std::atomic<int32_t> failed;
};

struct alignas(line) SharedParts::Member {
  std::atomic<int64_t> next;  ///< the first part that it may still want
};

static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<int32_t>::is_always_lock_free,
              "processes share these");

uint64_t SharedParts::bytes_of_part(std::span<const Piece> pieces) {
  uint64_t sum = 0;
  for (const Piece& piece : pieces)
    if (is_shared(*piece.tensor)) sum += rounded_up(bytes_of(piece));
  return sum;
}

std::size_t SharedParts::bytes(int ranks, uint64_t largest) {
  return slots * (sizeof(Slot) + rounded_up(largest)) + static_cast<std::size_t>(ranks) * sizeof(Member);
}

std::unique_ptr<SharedParts> SharedParts::open(const parallel::Communicator& node, uint64_t largest) {
  auto memory = parallel::SharedMemory::open(node, bytes(node.size(), largest));
  if (!memory) return nullptr;
  std::unique_ptr<SharedParts> parts(new SharedParts(std::move(memory), node.rank(), node.size(), largest));
  node.barrier();
  return parts;
}

SharedParts::SharedParts(std::unique_ptr<parallel::SharedMemory> memory, int rank, int ranks,
                         uint64_t largest)
    : memory_(std::move(memory)), rank_(rank), ranks_(ranks), largest_(rounded_up(largest)) {
  if (rank_ > 0) return;
  // Numbers of parts count from 1, so that zeros, as memory comes, stand for nothing.
  for (int64_t s = 0; s < slots; ++s) {
    next_ = s + 1;
    slot().part = next_ - slots;
  }
  for (int r = 0; r < ranks_; ++r) member(r).next = 1;
  next_ = 0;
}

SharedParts::~SharedParts() {
  leave();
}

void SharedParts::leave() noexcept {
  member(rank_).next.store(gone, std::memory_order_release);
  here_ = false;
}

SharedParts::Part::Part(SharedParts* shared, const Weights& weights, std::span<const Piece> pieces)
    : shared_(shared) {
  if (shared_ != nullptr) shared_->begin(weights, pieces);
}

SharedParts::Part::~Part() {
  if (shared_ != nullptr) shared_->end();
}

void SharedParts::begin(const Weights& weights, std::span<const Piece> pieces) {
  if (member(rank_).next == gone) return;
  ++next_;
  place(pieces);
  here_ = take_slot() && fill(weights);
  if (!here_) leave();
}

void SharedParts::end() noexcept {
  if (!here_) return;
  here_ = false;
  member(rank_).next.store(next_ + 1, std::memory_order_release);
}

void SharedParts::place(std::span<const Piece> pieces) {
  placed_.clear();
  bytes_ = 0;
  for (const Piece& piece : pieces) {
    if (!is_shared(*piece.tensor)) continue;
    const auto row = static_cast<uint64_t>(piece.tensor->row_size()) * size_of(piece.tensor->dtype);
    placed_.push_back({piece.tensor, static_cast<uint64_t>(piece.first_row) * row, bytes_of(piece), bytes_});
    bytes_ += rounded_up(bytes_of(piece));
  }
  if (bytes_ > largest_)
    throw Error(Exit::defect, "SharedParts: a part of " + std::to_string(bytes_) + " bytes where " +
                                  std::to_string(largest_) + " is the most");
}

/// FNV-1a over where its bytes come from.
uint64_t SharedParts::mark() const {
  uint64_t hash = 0xcbf29ce484222325U;
  for (const Placed& piece : placed_) {
    for (const uint64_t word :
         {static_cast<uint64_t>(piece.tensor->file), piece.tensor->offset, piece.offset, piece.bytes})
      hash = (hash ^ word) * 0x100000001b3U;
  }
  return hash;
}

int64_t SharedParts::furthest_behind() const {
  int64_t least = gone;
  for (int r = 0; r < ranks_; ++r) least = std::min(least, member(r).next.load(std::memory_order_acquire));
  return least;
}

bool SharedParts::take_slot() {
  Slot& mine = slot();
  for (Patience patience; mine.part.load(std::memory_order_acquire) != next_; patience.wait()) {
    int64_t before = next_ - slots;
    if (furthest_behind() <= before || !mine.part.compare_exchange_strong(before, being_made)) continue;
    mine.mark = mark();
    mine.taken = mine.done = 0;
    mine.failed = 0;
    mine.part.store(next_, std::memory_order_release);
  }
  return mine.mark == mark();
}

bool SharedParts::fill(const Weights& weights) {
  Slot& mine = slot();
  const uint64_t chunks = (bytes_ + chunk - 1) / chunk;
  try {
    for (uint64_t c = mine.taken++; c < chunks; c = mine.taken++) {
      read(weights, c * chunk, std::min(bytes_, (c + 1) * chunk));
      mine.done.fetch_add(1, std::memory_order_release);
    }
  } catch (...) {
    // Whoever reads those bytes next, for himself, says what is wrong with them.
    mine.failed = 1;
  }
  for (Patience patience; mine.done.load(std::memory_order_acquire) < chunks; patience.wait())
    if (mine.failed != 0) return false;
  return true;
}

void SharedParts::read(const Weights& weights, uint64_t first, uint64_t last) {
  for (const Placed& piece : placed_) {
    const uint64_t from = std::max(first, piece.place);
    const uint64_t to = std::min(last, piece.place + piece.bytes);
    if (from >= to) continue;
    weights.read_raw(*piece.tensor, piece.offset + from - piece.place,
                     {slot_data() + from, static_cast<std::size_t>(to - from)});
  }
}

const std::byte* SharedParts::find(const Tensor& tensor, uint64_t byte_offset, std::size_t bytes) const {
  if (!here_) return nullptr;
  for (const Placed& piece : placed_)
    if (piece.tensor == &tensor && piece.offset <= byte_offset &&
        byte_offset + bytes <= piece.offset + piece.bytes)
      return slot_data() + piece.place + (byte_offset - piece.offset);
  return nullptr;
}

SharedParts::Slot& SharedParts::slot() const {
  return reinterpret_cast<Slot*>(memory_->data())[next_ % slots];
}

SharedParts::Member& SharedParts::member(int rank) const {
  return reinterpret_cast<Member*>(memory_->data() + slots * sizeof(Slot))[rank];
}

std::byte* SharedParts::slot_data() const {
  return memory_->data() + slots * sizeof(Slot) + static_cast<std::size_t>(ranks_) * sizeof(Member) +
         static_cast<std::size_t>(next_ % slots) * largest_;
}

}  // namespace incipit::checkpoint
