#include "checkpoint/shared_parts.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <numeric>
#include <optional>
#include <thread>

#include "../support.hpp"
#include "meters.hpp"
#include "parallel/node.hpp"
#include "tiny.hpp"

namespace incipit::checkpoint {
namespace {

using parallel::Communicator;

/// A file that all ranks see: parts of several tensors, chunks of a part and what is too short to be shared.
class SharedPartsTest : public test::FolderTest {
 protected:
  static constexpr int64_t parts = 5, rows = 33;

  SharedPartsTest() : world_(Communicator::world()), node_(parallel::on_this_node(world_)) {
    const std::filesystem::path folder = node_.broadcast(folder_.string());
    if (node_.root()) {
      std::vector<TinyTensor> tensors;
      for (int64_t p = 0; p < parts; ++p) {
        const int64_t large = 36000 + 100 * p;  // more than a chunk
        for (const auto& [name, width] : {std::pair("large", large), std::pair("small", int64_t{1})}) {
          std::vector<float> values(static_cast<std::size_t>(rows * width));
          std::iota(values.begin(), values.end(), static_cast<float>(p));
          tensors.push_back({name + std::to_string(p), "F32", {rows, width}, bytes_of(values)});
        }
        tensors.push_back({"mask" + std::to_string(p), "BOOL", {1}, "x"});
      }
      write("model.safetensors", safetensors_file(tensors));
    }
    node_.barrier();
    weights_.emplace(Weights::open(folder));
    file_ = folder / "model.safetensors";
  }

  [[nodiscard]] const Tensor& tensor(const char* name, int64_t part) const {
    return weights_->at(name + std::to_string(part));
  }
  [[nodiscard]] std::vector<Piece> part(int64_t p) const {
    return {{&tensor("large", p), 1, rows - 2}, {&tensor("small", p), 0, rows}, {&tensor("mask", p), 0, 1}};
  }
  [[nodiscard]] std::unique_ptr<SharedParts> open() const {
    return SharedParts::open(node_, SharedParts::bytes_of_part(part(parts - 1)));
  }
  /// Whether all of these rows are there and right.
  [[nodiscard]] bool has(const SharedParts& shared, const char* name, int64_t p, int64_t first,
                         int64_t count) const {
    const Tensor& of = tensor(name, p);
    const auto offset = static_cast<uint64_t>(first * of.row_size()) * sizeof(float);
    std::vector<std::byte> expected(static_cast<std::size_t>(count * of.row_size()) * sizeof(float));
    const std::byte* found = shared.find(of, offset, expected.size());
    if (found == nullptr) return false;
    weights_->read_raw(of, offset, expected);
    EXPECT_EQ(std::memcmp(found, expected.data(), expected.size()), 0) << name << p;
    return true;
  }
  [[nodiscard]] bool has_part(const SharedParts& shared, int64_t p) const {
    return has(shared, "large", p, 1, rows - 2) && has(shared, "small", p, 0, rows);
  }
  void dawdle(int64_t turn) const {
    std::this_thread::sleep_for(std::chrono::milliseconds((turn * 7 + node_.rank() * 5) % 11));
  }

  Communicator world_, node_;
  std::optional<Weights> weights_;
  std::filesystem::path file_;
};

TEST_F(SharedPartsTest, EveryByteIsReadOnceByWhoeverIsThere) {
  const auto shared = open();
  ASSERT_NE(shared, nullptr);
  node_.barrier();
  const uint64_t before = meters.bytes_read;
  uint64_t expected = 0;
  for (int64_t turn = 0; turn < 3 * parts; ++turn) {
    dawdle(turn);
    const auto pieces = part(turn % parts);
    const SharedParts::Part at_hand(shared.get(), *weights_, pieces);
    const Tensor& large = *pieces[0].tensor;
    EXPECT_NE(shared->find(large, static_cast<uint64_t>(large.row_size()) * 4, 4), nullptr);
    for (std::size_t i = 0; i < 2; ++i)
      expected += static_cast<uint64_t>(pieces[i].rows * pieces[i].tensor->row_size()) * sizeof(float);
  }
  EXPECT_EQ(node_.sum(static_cast<int64_t>(meters.bytes_read - before)), static_cast<int64_t>(expected));
}

TEST_F(SharedPartsTest, HoldsWhatTheFileHolds) {
  const auto shared = open();
  ASSERT_NE(shared, nullptr);
  for (int64_t p = 0; p < parts; ++p) {
    const SharedParts::Part at_hand(shared.get(), *weights_, part(p));
    EXPECT_TRUE(has_part(*shared, p));
    EXPECT_TRUE(has(*shared, "large", p, 7, 3));
    EXPECT_FALSE(has(*shared, "large", p, 0, 2));  // its first row is not among the pieces
    EXPECT_FALSE(has(*shared, "large", p, 30, 3));
    EXPECT_FALSE(has(*shared, "large", (p + 1) % parts, 1, 1));
    EXPECT_EQ(shared->find(tensor("mask", p), 0, 1), nullptr);
    dawdle(p);
  }
  EXPECT_FALSE(has(*shared, "small", parts - 1, 0, 1));  // the part is over
}

TEST_F(SharedPartsTest, NobodyWaitsForWhoHasLeft) {
  const auto shared = open();
  ASSERT_NE(shared, nullptr);
  for (int64_t p = 0; p < parts; ++p) {
    if (node_.rank() == node_.size() - 1 && p == 2) shared->leave();
    const SharedParts::Part at_hand(shared.get(), *weights_, part(p));
    EXPECT_EQ(has_part(*shared, p), node_.rank() < node_.size() - 1 || p < 2);
  }
}

TEST_F(SharedPartsTest, WhoBeginsAnewReadsAlone) {
  const auto shared = open();
  ASSERT_NE(shared, nullptr);
  const bool odd = node_.size() > 1 && node_.rank() == 0;
  for (int64_t p = 0; p < parts; ++p) {
    const int64_t mine = odd && p >= 3 ? p - 3 : p;  // behind part 2 the first rank goes back to part 0
    const SharedParts::Part at_hand(shared.get(), *weights_, part(mine));
    // Who comes first has the slot; whoever finds another's part there leaves. What is found is right.
    const bool found = has_part(*shared, mine);
    EXPECT_TRUE(found || p >= 3);
  }
}

TEST_F(SharedPartsTest, AFileThatBecameShorterIsLeftToEachRank) {
  const auto shared = open();
  ASSERT_NE(shared, nullptr);
  node_.barrier();
  if (node_.root()) std::filesystem::resize_file(file_, std::filesystem::file_size(file_) / 2);
  node_.barrier();
  bool failed = false;
  for (int64_t p = 0; p < parts; ++p) {
    const SharedParts::Part at_hand(shared.get(), *weights_, part(p));
    failed = failed || shared->find(tensor("small", p), 0, 4) == nullptr;
  }
  EXPECT_TRUE(failed);
  std::vector<std::byte> bytes(tensor("large", parts - 1).bytes);
  test::expect_error(Exit::io, {"model.safetensors", "large4", "shorter"},
                     [&] { weights_->read_raw(tensor("large", parts - 1), 0, bytes); });
}

}  // namespace
}  // namespace incipit::checkpoint
