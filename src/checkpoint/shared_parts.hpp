#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "checkpoint/weights.hpp"
#include "parallel/communicator.hpp"
#include "parallel/shared_memory.hpp"

namespace incipit::checkpoint {

/// Rows of a tensor.
struct Piece {
  const Tensor* tensor;
  int64_t first_row;
  int64_t rows;
};

/// The weights of a checkpoint as the ranks of a team on one node stream them: in the same parts, in the same
/// order, each byte read once, by whoever has nothing else to do. A part is there until all ranks are through
/// with it, and two of them at a time: who is ahead waits. A rank that comes with other parts than the others
/// (since memory ran out and it began a wave again), or to which a read fails, leaves; what is not there each
/// rank reads for itself, so that numbers and errors are the same with and without.
class SharedParts {
 public:
  /// Of parts that have `largest` bytes at most. Null, on all ranks, where the node has no room.
  /// Collective over `node`, the ranks of a team that share memory.
  static std::unique_ptr<SharedParts> open(const parallel::Communicator& node, uint64_t largest);
  ~SharedParts();
  SharedParts(const SharedParts&) = delete;
  SharedParts& operator=(const SharedParts&) = delete;

  /// What a part of these pieces takes.
  static uint64_t bytes_of_part(std::span<const Piece> pieces);
  /// Bytes of shared memory, of all ranks together.
  static std::size_t bytes(int ranks, uint64_t largest);

  /// The next part of this rank, while it lives; `shared` may be null. Tensors lie in `weights`. What is left
  /// out of it: drawn weights, and tensors that do not lie row after row or cannot be read as numbers.
  class Part {
   public:
    Part(SharedParts* shared, const Weights& weights, std::span<const Piece> pieces);
    ~Part();
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;

   private:
    SharedParts* shared_;
  };

  /// The bytes of a tensor from byte_offset within it on, as they lie in its file; null where they are not in
  /// the part at hand.
  [[nodiscard]] const std::byte* find(const Tensor& tensor, uint64_t byte_offset, std::size_t bytes) const;

  /// Nobody waits for this rank any more, and it finds nothing.
  void leave() noexcept;

 private:
  struct Slot;
  struct Member;
  /// Where a piece's bytes lie, in its tensor and in the part.
  struct Placed {
    const Tensor* tensor;
    uint64_t offset, bytes, place;
  };

  SharedParts(std::unique_ptr<parallel::SharedMemory> memory, int rank, int ranks, uint64_t largest);

  void begin(const Weights& weights, std::span<const Piece> pieces);
  void end() noexcept;
  void place(std::span<const Piece> pieces);
  [[nodiscard]] uint64_t mark() const;
  /// Waits until the others are through with what lies in this rank's next slot, and takes it; false where
  /// they came with something else.
  bool take_slot();
  /// Reads chunks of the part until none is left, and waits for those of the others; false when a read
  /// failed somewhere.
  bool fill(const Weights& weights);
  void read(const Weights& weights, uint64_t first, uint64_t last);
  [[nodiscard]] int64_t furthest_behind() const;
  [[nodiscard]] Slot& slot() const;
  [[nodiscard]] std::byte* slot_data() const;
  [[nodiscard]] Member& member(int rank) const;

  std::unique_ptr<parallel::SharedMemory> memory_;
  int rank_, ranks_;
  uint64_t largest_;
  int64_t next_ = 0;  ///< number of this rank's part at hand, or of the next
  bool here_ = false;
  std::vector<Placed> placed_;
  uint64_t bytes_ = 0;  ///< of the part at hand
};

}  // namespace incipit::checkpoint
