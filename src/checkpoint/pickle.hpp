#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::checkpoint {

/// A tensor as the pickle of a state dict describes it: a view of a storage that lies in a file of its own.
struct PickledTensor {
  std::string name;
  std::string storage_type;            ///< "HalfStorage", "FloatStorage", ...
  std::string storage;                 ///< the key of the storage: "0", "1", ...
  int64_t storage_size = 0;            ///< elements
  int64_t offset = 0;                  ///< of the first element in its storage
  std::vector<int64_t> shape, stride;  ///< in elements; every element lies in the storage
};

/// The longest pickle that is looked at; those of real checkpoints have some ten kilobytes.
inline constexpr uint64_t longest_pickle = uint64_t{8} << 20U;

/// Interprets the pickle (protocol 2) of a state dict: a dict of names to tensors. Nothing is ever executed:
/// only the opcodes that such a dict needs are known, and of Python's names only collections.OrderedDict,
/// torch._utils._rebuild_tensor_v2, torch._utils._rebuild_parameter and torch's storage types. Everything
/// else is refused by name, with its offset. `where` begins every message. Error data.
[[nodiscard]] std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& where);

}  // namespace incipit::checkpoint
