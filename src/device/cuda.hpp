#pragma once

#include <memory>
#include <string>
#include <vector>

#include "device/device.hpp"

/// The CUDA devices, as far as the program was linked with them: kernels/ defines these functions, and
/// without_cuda.cpp where there is no CUDA.
namespace incipit::device {

/// How many devices this process can see; 0 without a driver, or in a program built without CUDA.
[[nodiscard]] int cuda_devices();

/// Error(machine) where there is no such device, where its driver is older than the runtime, or in a program
/// built without CUDA: each says what to do.
[[nodiscard]] std::unique_ptr<Device> make_cuda_device(int ordinal);

/// Toolkit and driver, then a line for each device, as `--version` and the log name them. Throws nothing:
/// what is missing is said.
[[nodiscard]] std::vector<std::string> describe_cuda();

}  // namespace incipit::device
