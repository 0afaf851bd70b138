#include "every_device.hpp"

#include "device/cuda.hpp"
#include "device/host/host_device.hpp"

namespace incipit::device {

std::vector<Candidate> every_device() {
  return {
      {"host_1_thread", [] { return make_host_device(1); }},
      {"host_3_threads", [] { return make_host_device(3); }},
      {"shim", [] { return make_cuda_device(0); }},
  };
}

std::vector<std::vector<Candidate>> devices_of_same_bytes() {
  std::vector<Candidate> hosts;
  for (const int threads : {1, 2, 3, 8}) {
    hosts.push_back({"host with " + std::to_string(threads) + " threads",
                     [threads] { return make_host_device(threads); }});
  }
  const Candidate shim{"shim again", [] { return make_cuda_device(0); }};
  return {hosts, {shim, shim}};
}

}  // namespace incipit::device
