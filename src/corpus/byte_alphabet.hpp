#pragma once

#include <array>
#include <string>

namespace incipit::corpus {

/// The printable stand-in of every byte in a byte-level vocabulary: bytes that print in Latin-1 stand for
/// themselves, the others for the code points from 256 on, in order.
[[nodiscard]] const std::array<std::string, 256>& byte_alphabet();

}  // namespace incipit::corpus
