#pragma once

#include "report.hpp"
#include "settings.hpp"

namespace incipit::device::bench {

/// The orthogonal factor of a square matrix of random numbers, as src/align schedules it: one line, where the
/// device multiplies in fp64.
void run_polar(CudaDevice& device, const Settings& settings, Report& report);

}  // namespace incipit::device::bench
