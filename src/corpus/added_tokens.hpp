#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace incipit::corpus {

/// A token that is cut out of a text before the splitting rule sees it.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool normalized = true;    ///< looked for in the normalized text, else in the text as it came
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< and after it
};

/// A stretch of a text: an added token, or what lies between.
struct Piece {
  std::string_view text;
  int32_t token = -1;  ///< id of the added token, or -1
};

/// Finds added tokens from left to right, the longest at each place, as `tokenizers` does.
class AddedTokenFinder {
 public:
  /// Of two patterns that are equal the first counts. `patterns` is [token]: what to look for.
  AddedTokenFinder(std::vector<AddedToken> tokens, const std::vector<std::string>& patterns);

  /// Cuts a valid UTF-8 text; no piece of text is empty.
  [[nodiscard]] std::vector<Piece> cut(std::string_view text) const;

 private:
  struct Node {
    std::map<unsigned char, int32_t> next;
    int32_t token = -1;  // index into tokens_
  };

  /// The longest pattern that begins at `position`: its token's index and end, or -1.
  int32_t longest(std::string_view text, std::size_t position, std::size_t& end) const;

  std::vector<AddedToken> tokens_;
  std::vector<Node> nodes_;
  std::array<bool, 256> begins_{};
};

}  // namespace incipit::corpus
