#pragma once

#include <string>
#include <string_view>

namespace incipit::corpus {

/// Unicode's normal form C of a valid UTF-8 text, over the characters that Unicode 9 knew; later ones stay
/// as they are. That is what the Hugging Face library does, whatever else it knows, and what keeps a text's
/// tokens from depending on the version of ICU.
[[nodiscard]] std::string nfc(std::string_view text);
/// The same for the normal form D.
[[nodiscard]] std::string nfd(std::string_view text);

}  // namespace incipit::corpus
