#include "console/wrap.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace incipit::console {
namespace {

/// The characters of a text, control characters (those of ISO 6429's second set too) as blanks, blanks drawn
/// together.
std::vector<std::string> plain_characters(std::string_view text) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t end = i + 1;
    while (end < text.size() && (static_cast<std::uint8_t>(text[end]) & 0xC0U) == 0x80U) ++end;
    const auto first = static_cast<std::uint8_t>(text[i]);
    const bool second_set = first == 0xC2U && end == i + 2 && static_cast<std::uint8_t>(text[i + 1]) < 0xA0U;
    const bool blank = first <= 0x20U || first == 0x7FU || second_set;
    if (!blank) {
      out.emplace_back(text.substr(i, end - i));
    } else if (!out.empty() && out.back() != " ") {
      out.emplace_back(" ");
    }
    i = end;
  }
  if (!out.empty() && out.back() == " ") out.pop_back();
  return out;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::size_t most_lines) {
  const auto characters = plain_characters(text);
  width = std::max<std::size_t>(width, 1);
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < characters.size() && lines.size() < most_lines;) {
    const bool fits = characters.size() - begin <= width, last = lines.size() + 1 == most_lines;
    std::size_t end = fits ? characters.size() : begin + (last ? width - 1 : width);
    // A line ends before the last blank that it has room for; a word that is longer is cut.
    std::size_t blank = fits ? begin : end;
    while (blank > begin && characters[blank] != " ") --blank;
    if (blank > begin) end = blank;
    std::string line;
    for (std::size_t i = begin; i < end; ++i) line += characters[i];
    lines.push_back(fits || !last ? line : line + "…");
    begin = end < characters.size() && characters[end] == " " ? end + 1 : end;
  }
  if (lines.empty()) lines.emplace_back();
  return lines;
}

std::size_t line_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 0 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return 100;
}

}  // namespace incipit::console
