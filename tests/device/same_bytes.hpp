#pragma once

#include <cstring>

#include "every_device.hpp"

namespace incipit::device {

/// Runs `operation(device) → vector<float>` on devices of one kind and expects the same bytes: for any number
/// of threads, and on repetition.
template <class Operation>
void expect_same_bytes_for_any_threads(Operation&& operation) {
  for (const std::vector<Candidate>& group : devices_of_same_bytes()) {
    const std::vector<float> first = operation(*group.front().make());
    for (const Candidate& candidate : group) {
      const std::vector<float> again = operation(*candidate.make());
      ASSERT_EQ(first.size(), again.size());
      EXPECT_EQ(std::memcmp(first.data(), again.data(), first.size() * sizeof(float)), 0) << candidate.name;
    }
  }
}

}  // namespace incipit::device
