#include "device/host/host_device.hpp"

#include <gtest/gtest.h>

#include "error.hpp"

namespace incipit::device {
namespace {

TEST(HostDevice, NeedsAThread) {
  try {
    (void)make_host_device(0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
  }
}

}  // namespace
}  // namespace incipit::device
