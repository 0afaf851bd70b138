#include "corpus/added_tokens.hpp"

#include <unicode/utf8.h>

#include <algorithm>
#include <utility>

#include "corpus/word_split.hpp"

namespace incipit::corpus {
namespace {

char32_t character_after(std::string_view text, std::size_t position, std::size_t& next) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto index = static_cast<int64_t>(position);
  UChar32 code_point = 0;
  U8_NEXT_UNSAFE(bytes, index, code_point);
  next = static_cast<std::size_t>(index);
  return static_cast<char32_t>(code_point);
}

char32_t character_before(std::string_view text, std::size_t position, std::size_t& previous) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto index = static_cast<int64_t>(position);
  UChar32 code_point = 0;
  U8_PREV_UNSAFE(bytes, index, code_point);
  previous = static_cast<std::size_t>(index);
  return static_cast<char32_t>(code_point);
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  std::size_t ignored = 0;
  const bool word_before = begin > 0 && is_word_character(character_before(text, begin, ignored));
  const bool word_after = end < text.size() && is_word_character(character_after(text, end, ignored));
  return !word_before && !word_after;
}

std::size_t spaces_before(std::string_view text, std::size_t position) {
  std::size_t previous = 0;
  while (position > 0 &&
         character_class(character_before(text, position, previous)) == CharacterClass::space) {
    position = previous;
  }
  return position;
}

std::size_t spaces_after(std::string_view text, std::size_t position) {
  std::size_t next = 0;
  while (position < text.size() &&
         character_class(character_after(text, position, next)) == CharacterClass::space) {
    position = next;
  }
  return position;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens, const std::vector<std::string>& patterns)
    : tokens_(std::move(tokens)), nodes_(1) {
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    std::size_t node = 0;
    begins_[static_cast<unsigned char>(patterns[i].front())] = true;
    for (const char c : patterns[i]) {
      const auto [edge, is_new] =
          nodes_[node].next.emplace(static_cast<unsigned char>(c), static_cast<int32_t>(nodes_.size()));
      node = static_cast<std::size_t>(edge->second);
      if (is_new) nodes_.emplace_back();
    }
    if (nodes_[node].token < 0) nodes_[node].token = static_cast<int32_t>(i);
  }
}

int32_t AddedTokenFinder::longest(std::string_view text, std::size_t position, std::size_t& end) const {
  int32_t found = -1;
  std::size_t node = 0;
  for (std::size_t i = position; i < text.size(); ++i) {
    const auto edge = nodes_[node].next.find(static_cast<unsigned char>(text[i]));
    if (edge == nodes_[node].next.end()) break;
    node = static_cast<std::size_t>(edge->second);
    if (nodes_[node].token >= 0) {
      found = nodes_[node].token;
      end = i + 1;
    }
  }
  return found;
}

std::vector<Piece> AddedTokenFinder::cut(std::string_view text) const {
  std::vector<Piece> pieces;
  std::size_t done = 0, position = 0;
  while (position < text.size()) {
    std::size_t end = 0;
    const bool may_begin = begins_[static_cast<unsigned char>(text[position])];
    const int32_t found = may_begin ? longest(text, position, end) : -1;
    if (found < 0) {
      ++position;
      continue;
    }
    const AddedToken& token = tokens_[static_cast<std::size_t>(found)];
    std::size_t begin = std::exchange(position, end);
    if (token.single_word && !stands_alone(text, begin, end)) continue;
    if (token.lstrip) begin = std::max(spaces_before(text, begin), done);
    if (token.rstrip) end = spaces_after(text, end);
    if (done < begin) pieces.push_back({text.substr(done, begin - done), -1});
    pieces.push_back({text.substr(begin, end - begin), token.id});
    // The library goes on looking from the token's own end, so a token made of white space may be found
    // again in what rstrip took, and what follows it is then cut from there.
    done = end;
  }
  if (done < text.size()) pieces.push_back({text.substr(done), -1});
  return pieces;
}

}  // namespace incipit::corpus
