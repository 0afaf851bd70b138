#pragma once

#include "report.hpp"
#include "settings.hpp"

namespace incipit::device::bench {

/// SAE training with k = 1 as src/sae schedules it, all loss terms, the reading back of loss and number of
/// dead latents included: one line for each size of batch.
void run_sae_steps(CudaDevice& device, const Settings& settings, Report& report);

}  // namespace incipit::device::bench
