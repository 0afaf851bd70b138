#pragma once

#include <cstring>

#include "every_device.hpp"

namespace incipit::device {

/// Runs `operation(device)`, whose result is a vector of numbers, on devices of one kind and expects the same
/// bytes: for any number of threads, and on repetition.
template <class Operation>
void expect_same_bytes_for_any_threads(Operation&& operation) {
  for (const std::vector<Candidate>& group : devices_of_same_bytes()) {
    const auto first = operation(*group.front().make());
    for (const Candidate& candidate : group) {
      const auto again = operation(*candidate.make());
      ASSERT_EQ(first.size(), again.size());
      EXPECT_EQ(std::memcmp(first.data(), again.data(), first.size() * sizeof(first.front())), 0)
          << candidate.name;
    }
  }
}

}  // namespace incipit::device
