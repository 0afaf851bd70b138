#include "corpus/bert_text.hpp"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdint>

#include "corpus/normalization.hpp"

namespace incipit::corpus {
namespace {

/// The library's tables of general categories are those of Unicode 8.
constexpr uint8_t category_version = 8;

bool in_unicode_8(UChar32 c) {
  UVersionInfo age{};
  u_charAge(c, age);
  return age[0] <= category_version;
}

bool in_categories(UChar32 c, uint32_t mask) {
  return (U_GET_GC_MASK(c) & mask) != 0 && in_unicode_8(c);
}

bool is_one_of(UChar32 c, std::initializer_list<UChar32> list) {
  return std::find(list.begin(), list.end(), c) != list.end();
}

bool is_removed(UChar32 c) {
  if (c == '\t' || c == '\n' || c == '\r') return false;
  return c == 0xfffd || in_categories(c, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK);
}

/// As BERT's authors list them; the library begins the sixth block 256 characters late, and so do we.
bool is_cjk(UChar32 c) {
  struct Block {
    UChar32 first, last;
  };
  constexpr std::array blocks{Block{0x3400, 0x4dbf},   Block{0x4e00, 0x9fff},   Block{0xf900, 0xfaff},
                              Block{0x20000, 0x2a6df}, Block{0x2a700, 0x2b73f}, Block{0x2b740, 0x2b81f},
                              Block{0x2b920, 0x2ceaf}, Block{0x2f800, 0x2fa1f}};
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const Block& block) { return block.first <= c && c <= block.last; });
}

/// Five characters have changed their category since Unicode 8.
bool is_nonspacing_mark(UChar32 c) {
  if (c == 0x1734) return true;
  return in_categories(c, U_GC_MN_MASK) && !is_one_of(c, {0x1885, 0x1886, 0xa9bd, 0x111c9});
}

/// Two have done so here.
bool is_punctuation(UChar32 c) {
  if (c < 0x80) return u_ispunct(c) != 0 || is_one_of(c, {'$', '+', '<', '=', '>', '^', '`', '|', '~'});
  return in_categories(c, U_GC_P_MASK) || c == 0x166d || c == 0x111c9;
}

/// Capital letters of Unicode 15.1 to 17, which ICU may not know yet: the library does.
struct LateCase {
  UChar32 first, last, offset;
};
constexpr std::array late_cases{
    LateCase{0x1c89, 0x1c89, 1},      LateCase{0xa7cb, 0xa7cb, 0x264 - 0xa7cb},
    LateCase{0xa7cc, 0xa7cc, 1},      LateCase{0xa7ce, 0xa7ce, 1},
    LateCase{0xa7d2, 0xa7d2, 1},      LateCase{0xa7d4, 0xa7d4, 1},
    LateCase{0xa7da, 0xa7da, 1},      LateCase{0xa7dc, 0xa7dc, 0x19b - 0xa7dc},
    LateCase{0x10d50, 0x10d65, 0x20}, LateCase{0x16ea0, 0x16eb8, 0x1b},
};

UChar32 lower(UChar32 c) {
  if (c < 0x1c89) return u_tolower(c);
  const auto* const late = std::find_if(late_cases.begin(), late_cases.end(), [&](const LateCase& range) {
    return range.first <= c && c <= range.last;
  });
  return late == late_cases.end() ? u_tolower(c) : c + late->offset;
}

void put(std::string& out, UChar32 c) {
  std::array<uint8_t, U8_MAX_LENGTH> bytes{};
  int32_t size = 0;
  U8_APPEND_UNSAFE(bytes.data(), size, c);
  out.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(size));
}

UChar32 take(std::string_view text, std::size_t& position) {
  const auto* const bytes = reinterpret_cast<const uint8_t*>(text.data());
  UChar32 c = 0;
  U8_NEXT_UNSAFE(bytes, position, c);
  return c;
}

/// `change(out, c)` for every character.
template <class Change>
std::string rewritten(std::string_view text, const Change& change) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) change(out, take(text, position));
  return out;
}

void put_clean(std::string& out, UChar32 c) {
  if (!is_removed(c)) put(out, u_isUWhiteSpace(c) != 0 ? ' ' : c);
}

void put_apart(std::string& out, UChar32 c) {
  const bool alone = is_cjk(c);
  if (alone) out += ' ';
  put(out, c);
  if (alone) out += ' ';
}

void put_base(std::string& out, UChar32 c) {
  if (!is_nonspacing_mark(c)) put(out, c);
}

/// U+0130 alone becomes two characters.
void put_lower(std::string& out, UChar32 c) {
  if (c == 0x130) {
    out += "i\u0307";
  } else {
    put(out, lower(c));
  }
}

}  // namespace

std::string BertNormalizer::apply(std::string_view text) const {
  std::string normal(text);
  if (clean_text) normal = rewritten(normal, put_clean);
  if (handle_chinese_chars) normal = rewritten(normal, put_apart);
  if (strip_accents) normal = rewritten(nfd(normal), put_base);
  if (lowercase) normal = rewritten(normal, put_lower);
  return normal;
}

std::vector<std::string_view> bert_words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  const auto finish = [&](std::size_t end) {
    if (begin < end) words.push_back(text.substr(begin, end - begin));
  };
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t here = position;
    const UChar32 c = take(text, position);
    const bool space = u_isUWhiteSpace(c) != 0;
    if (!space && !is_punctuation(c)) continue;
    finish(here);
    begin = space ? position : here;
    finish(position);
    begin = position;
  }
  finish(text.size());
  return words;
}

}  // namespace incipit::corpus
