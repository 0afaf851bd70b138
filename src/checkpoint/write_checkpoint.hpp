#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"

namespace incipit::checkpoint {

/// Writes folder/{config.json, model.safetensors} as the Hugging Face library lays them out, in fp32.
/// `tensors`: the numbers of every tensor of expected_tensors(config) by name, row-major. Error io when
/// writing fails; Error defect when a tensor is missing or has another size.
void write_checkpoint(const std::filesystem::path& folder, const Config& config,
                      const std::map<std::string, std::vector<float>>& tensors);

}  // namespace incipit::checkpoint
