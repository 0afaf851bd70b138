#pragma once

#include <cstdint>
#include <vector>

#include "corpus/packs.hpp"
#include "random.hpp"

namespace incipit::model {

/// Texts of these lengths, of random tokens; the probes count from `first_probe`.
inline corpus::Pack random_pack(const std::vector<std::int64_t>& lengths, std::int64_t vocabulary,
                                std::uint64_t stream, std::int64_t first_probe = 0) {
  Random random(5, Purpose::test, stream);
  corpus::Pack out;
  out.starts = {0};
  for (const std::int64_t length : lengths) {
    out.probes.push_back(first_probe++);
    for (std::int64_t t = 0; t < length; ++t)
      out.tokens.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary))));
    out.starts.push_back(static_cast<std::int64_t>(out.tokens.size()));
  }
  return out;
}

}  // namespace incipit::model
