#include "corpus/normalization.hpp"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>
#include <unicode/unistr.h>

#include <algorithm>

#include "error.hpp"

namespace incipit::corpus {
namespace {

void check(UErrorCode status, const char* what) {
  if (U_FAILURE(status)) throw Error(Exit::defect, std::string("ICU: ") + what + ": " + u_errorName(status));
}

class Normalizer {
 public:
  Normalizer() : known_(pattern(), status_), nfc_(instance(status_), known_) {
    check(status_, "NFC is not there");
  }

  [[nodiscard]] std::string apply(std::string_view text) const {
    std::string normal;
    icu::StringByteSink<std::string> sink(&normal, static_cast<int32_t>(text.size()));
    UErrorCode status = U_ZERO_ERROR;
    nfc_.normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr,
                       status);
    check(status, "normalizing a text");
    return normal;
  }

 private:
  static icu::UnicodeString pattern() { return icu::UnicodeString::fromUTF8("[:age=9.0:]"); }
  static const icu::Normalizer2& instance(UErrorCode& status) {
    const icu::Normalizer2* const found = icu::Normalizer2::getNFCInstance(status);
    check(status, "NFC is not there");
    return *found;
  }

  UErrorCode status_ = U_ZERO_ERROR;
  icu::UnicodeSet known_;
  icu::FilteredNormalizer2 nfc_;
};

}  // namespace

std::string nfc(std::string_view text) {
  const bool ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return std::string(text);
  static const Normalizer normalizer;
  return normalizer.apply(text);
}

}  // namespace incipit::corpus
