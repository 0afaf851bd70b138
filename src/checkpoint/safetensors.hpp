#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "checkpoint/weights.hpp"

namespace incipit::checkpoint {

/// The longest header a file may have, as the format's own library limits it.
inline constexpr uint64_t longest_safetensors_header = 100'000'000;

/// Length of the JSON header, from the first 8 bytes of a file of `file_size` bytes. Error data.
[[nodiscard]] uint64_t safetensors_header_size(std::string_view first_bytes, uint64_t file_size,
                                               const std::filesystem::path& path);

/// The tensors that a header (the JSON text alone) describes, with offsets from the start of the file.
/// Checked: no key twice, known types, shapes whose size agrees with the offsets, and offsets that cover
/// the rest of the file without overlap or gap. Error data.
[[nodiscard]] std::vector<Tensor> parse_safetensors_header(std::string_view header, uint64_t file_size,
                                                           const std::filesystem::path& path);

}  // namespace incipit::checkpoint
