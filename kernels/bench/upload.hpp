#pragma once

#include "report.hpp"
#include "settings.hpp"

namespace incipit::device::bench {

/// Weights from the host's memory to the device, converted there, beside a copy of as many bytes from pinned
/// memory: what the bus lets through.
void run_upload(CudaDevice& device, const Settings& settings, Report& report);

}  // namespace incipit::device::bench
