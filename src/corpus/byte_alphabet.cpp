#include "corpus/byte_alphabet.hpp"

namespace incipit::corpus {

const std::array<std::string, 256>& byte_alphabet() {
  static const auto alphabet = [] {
    std::array<std::string, 256> spellings;
    unsigned next = 256;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const bool prints = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte != 0xad);
      const unsigned code_point = prints ? byte : next++;
      if (code_point < 0x80) {
        spellings[byte] = static_cast<char>(code_point);
      } else {
        spellings[byte] = {static_cast<char>(0xc0 | code_point >> 6),
                           static_cast<char>(0x80 | (code_point & 0x3f))};
      }
    }
    return spellings;
  }();
  return alphabet;
}

}  // namespace incipit::corpus
