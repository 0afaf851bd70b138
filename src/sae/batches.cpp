#include "sae/batches.hpp"

#include <algorithm>

#include "random.hpp"

namespace incipit::sae {

Batches::Batches(std::int64_t n, std::int64_t size, std::uint64_t seed)
    : n_(n), seed_(seed), batch_(std::min(n, size)) {}

void Batches::shuffle() {
  Random random(seed_, Purpose::sae_batches, pass_++);
  order_ = permutation(n_, random);
  at_ = 0;
}

void Batches::go_behind(std::int64_t batches) {
  const std::int64_t rows = batches * size();
  pass_ = static_cast<std::uint64_t>(rows / n_);
  shuffle();
  at_ = static_cast<std::size_t>(rows % n_);
}

std::span<const std::int32_t> Batches::next() {
  for (std::int32_t& row : batch_) {
    if (at_ == order_.size()) shuffle();
    row = static_cast<std::int32_t>(order_[at_++]);
  }
  return batch_;
}

}  // namespace incipit::sae
