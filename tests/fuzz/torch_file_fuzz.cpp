#include <algorithm>
#include <span>

#include "checkpoint/torch_file.hpp"
#include "fuzz.hpp"

/// A whole file of torch.save: ZIP directory, members, pickle.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const incipit::checkpoint::ReadAt read = [&](std::uint64_t offset, std::span<std::byte> out,
                                               const std::string&) {
    // The reader promises to ask for what the file has.
    if (offset > size || out.size() > size - offset) std::abort();
    std::copy_n(reinterpret_cast<const std::byte*>(data) + offset, out.size(), out.begin());
  };
  incipit::fuzz::expect_answer_or_blame([&] {
    for (const auto& tensor : incipit::checkpoint::read_torch_index(read, size, "fuzz.bin")) {
      const bool inside =
          tensor.offset <= size && (!tensor.stride.empty() || tensor.bytes <= size - tensor.offset);
      if (tensor.bytes > 0 && !inside) std::abort();
    }
  });
  return 0;
}
