#include "sequences.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace incipit::device::bench {

Sequences::Sequences(std::vector<std::int32_t> lengths) : lengths_(std::move(lengths)) {
  for (const std::int32_t length : lengths_) starts_.push_back(starts_.back() + length);
}

std::int64_t Sequences::longest() const {
  return lengths_.empty() ? 0 : *std::max_element(lengths_.begin(), lengths_.end());
}

double Sequences::pairs() const {
  double sum = 0;
  for (const double length : lengths_) sum += length * (length + 1) / 2;
  return sum;
}

std::vector<std::int32_t> Sequences::positions() const {
  std::vector<std::int32_t> positions;
  for (const std::int32_t length : lengths_) {
    for (std::int32_t t = 0; t < length; ++t) positions.push_back(t);
  }
  return positions;
}

std::vector<std::int32_t> Sequences::last() const {
  std::vector<std::int32_t> rows;
  for (std::size_t i = 1; i < starts_.size(); ++i) rows.push_back(starts_[i] - 1);
  return rows;
}

std::vector<std::int32_t> Sequences::last_positions() const {
  std::vector<std::int32_t> positions;
  for (const std::int32_t length : lengths_) positions.push_back(length - 1);
  return positions;
}

std::vector<std::int32_t> Sequences::one_each() const {
  std::vector<std::int32_t> numbers(starts_.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

RotaryTables::RotaryTables(std::int64_t positions, std::int64_t dims) {
  for (std::int64_t p = 0; p < positions; ++p) {
    for (std::int64_t j = 0; j < dims / 2; ++j) {
      const double angle = static_cast<double>(p) *
                           std::pow(10000.0, -2.0 * static_cast<double>(j) / static_cast<double>(dims));
      cos.push_back(static_cast<float>(std::cos(angle)));
      sin.push_back(static_cast<float>(std::sin(angle)));
    }
  }
}

}  // namespace incipit::device::bench
