#include "device/cuda.hpp"
#include "error.hpp"

namespace incipit::device {

int cuda_devices() {
  return 0;
}

std::unique_ptr<Device> make_cuda_device(int /*ordinal*/) {
  throw Error(
      Exit::machine,
      "this program was built without CUDA; build it where nvcc is found (-DINCIPIT_CUDA=ON says what "
      "is missing), or set run.device = host");
}

std::vector<std::string> describe_cuda() {
  return {"built without CUDA"};
}

}  // namespace incipit::device
