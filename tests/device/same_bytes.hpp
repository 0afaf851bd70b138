#pragma once

#include <cstring>

#include "device/host/host_device.hpp"
#include "every_device.hpp"

namespace incipit::device {

/// Runs `operation(device) → vector<float>` with several thread counts and expects the same bytes.
template <class Operation>
void expect_same_bytes_for_any_threads(Operation&& operation) {
  const std::vector<float> one = operation(*make_host_device(1));
  for (const int threads : {2, 3, 8}) {
    const std::vector<float> many = operation(*make_host_device(threads));
    ASSERT_EQ(one.size(), many.size());
    EXPECT_EQ(std::memcmp(one.data(), many.data(), one.size() * sizeof(float)), 0) << threads << " threads";
  }
}

}  // namespace incipit::device
