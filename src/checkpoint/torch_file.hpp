#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "checkpoint/read_at.hpp"
#include "checkpoint/weights.hpp"

namespace incipit::checkpoint {

/// The tensors of a file that torch.save has written (PyTorch 1.6 and later: a ZIP archive of a pickle and
/// the storages), with offsets from the start of the file, in the order of the pickle. Several may share one
/// storage; those that are not row-major and contiguous carry their strides. Nothing in the file is executed,
/// and no storage is read. Error data for everything else, the older formats and TorchScript by name.
[[nodiscard]] std::vector<Tensor> read_torch_index(const ReadAt& read, uint64_t file_size,
                                                   const std::filesystem::path& path);

}  // namespace incipit::checkpoint
