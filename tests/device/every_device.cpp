#include "every_device.hpp"

#include "device/host/host_device.hpp"

namespace incipit::device {

std::vector<Candidate> every_device() {
  return {{"host_1_thread", [] { return make_host_device(1); }},
          {"host_3_threads", [] { return make_host_device(3); }}};
}

}  // namespace incipit::device
