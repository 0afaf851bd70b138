#pragma once

#include "report.hpp"
#include "settings.hpp"

namespace incipit::device::bench {

/// The whole forward pass, as src/model schedules it (parallel residual, the last block past keys and values
/// for last tokens only), with random weights that lie on the device, on packs of the lengths of MMLU-Pro's
/// questions: one line for each model, type and size of packs. Only models whose name contains `only`.
void run_forward(CudaDevice& device, const Settings& settings, const std::string& only, Report& report);

}  // namespace incipit::device::bench
