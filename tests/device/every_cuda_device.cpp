#include <cstdio>

#include "device/cuda.hpp"
#include "every_device.hpp"

namespace incipit::device {

#ifdef INCIPIT_SHIM
constexpr const char* kind = "shim";
#else
constexpr const char* kind = "cuda";
#endif

std::vector<Candidate> every_device() {
  if (cuda_devices() == 0) return {};
  return {{kind, [] { return make_cuda_device(0); }}};
}

std::vector<std::vector<Candidate>> devices_of_same_bytes() {
  const Candidate device{std::string(kind) + " again", [] { return make_cuda_device(0); }};
  return {{device, device, device}};
}

}  // namespace incipit::device

int main(int argc, char** argv) {
  constexpr int skipped = 77;
  if (incipit::device::cuda_devices() == 0) {
    std::puts("no CUDA device here: nothing was tested");
    return skipped;
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
