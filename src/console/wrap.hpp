#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::console {

/// A text of unknown origin as lines of a terminal, each of at most `width` characters of UTF-8: line breaks
/// and other control characters become blanks, blanks are drawn together, and what does not fit into
/// `most_lines` ends in "…". At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::size_t most_lines);

/// Characters in a line of standard output: the terminal's, or 100 where it is none.
std::size_t line_width();

}  // namespace incipit::console
