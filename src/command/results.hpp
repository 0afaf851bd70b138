#pragma once

#include <filesystem>
#include <string>

namespace incipit::command {

/// The headline of an emergence file as text: per anchor and curve, each subject at the curve's last point
/// and what stands beside it (science §6): contrast with interval, null and p, the token baseline, AUC,
/// |M_c|.
std::string results_table(const std::filesystem::path& emergence);

}  // namespace incipit::command
