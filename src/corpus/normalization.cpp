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

using Instance = const icu::Normalizer2* (*)(UErrorCode&);

class Normalizer {
 public:
  explicit Normalizer(Instance instance) : known_(pattern(), status_), form_(get(instance), known_) {
    check(status_, "Unicode's ages are not there");
  }

  [[nodiscard]] std::string apply(std::string_view text) const {
    std::string normal;
    icu::StringByteSink<std::string> sink(&normal, static_cast<int32_t>(text.size()));
    UErrorCode status = U_ZERO_ERROR;
    form_.normalizeUTF8(0, icu::StringPiece(text.data(), static_cast<int32_t>(text.size())), sink, nullptr,
                        status);
    check(status, "normalizing a text");
    return normal;
  }

 private:
  static icu::UnicodeString pattern() { return icu::UnicodeString::fromUTF8("[:age=9.0:]"); }
  static const icu::Normalizer2& get(Instance instance) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2* const found = instance(status);
    check(status, "a normal form is not there");
    return *found;
  }

  UErrorCode status_ = U_ZERO_ERROR;
  icu::UnicodeSet known_;
  icu::FilteredNormalizer2 form_;
};

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::string nfc(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  static const Normalizer normalizer(icu::Normalizer2::getNFCInstance);
  return normalizer.apply(text);
}

std::string nfd(std::string_view text) {
  if (is_plain(text)) return std::string(text);
  static const Normalizer normalizer(icu::Normalizer2::getNFDInstance);
  return normalizer.apply(text);
}

}  // namespace incipit::corpus
