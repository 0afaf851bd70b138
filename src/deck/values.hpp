#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Values of deck keys. A reader turns a text into a value, throwing Error usage with what was found and what
/// was expected; `spell` gives a value's one canonical spelling, which reads back as the same value.
namespace incipit::deck {

/// A value as it stands in a deck or on the command line.
struct Text {
  std::string key;             ///< section.name
  std::string value;           ///< trimmed
  std::string where;           ///< "FILE:LINE" or "command line"
  std::filesystem::path base;  ///< folder that paths are relative to
};

template <class Value>
using Reader = std::function<Value(const Text&)>;

/// Throws Error usage: "WHERE: KEY: found 'VALUE', expected EXPECTED".
[[noreturn]] void refuse(const Text& text, std::string_view expected);

std::string_view trim(std::string_view text);

/// Whole numbers from `least` to `most`, for int, int64_t and uint64_t.
template <class Number>
Reader<Number> whole(Number least, Number most = std::numeric_limits<Number>::max());

/// Finite numbers from `least` to `most`.
Reader<double> real(double least, double most);

/// yes or no; true, false, on, off, 1 and 0 are understood.
bool yes_or_no(const Text& text);

/// One of `words`.
Reader<std::string> choice(std::vector<std::string> words);

/// Bytes: a number with K, M, G, T or KiB, MiB, GiB, TiB (powers of 1024), KB, MB, GB, TB (powers of 1000),
/// or B. A unit is asked for: a bare 8 is more likely a slip than eight bytes.
std::uint64_t size(const Text& text);
std::string spell_size(std::uint64_t bytes);

/// Seconds: 90s, 45m, 8h, 2d, 08:00:00, or 0.
double duration(const Text& text);
std::string spell_duration(double seconds);

/// `auto`, or what `reader` takes.
template <class Value>
Reader<std::optional<Value>> or_auto(Reader<Value> reader);

/// `auto`, or a number from `least` to `most` in its shortest spelling.
Reader<std::string> real_text_or_auto(double least, double most);

/// Parts between commas, none empty, none twice. An empty text is an empty list.
std::vector<std::string> words(const Text& text);

/// At least one of `known`, in the order of `known`.
Reader<std::vector<std::string>> some_of(std::vector<std::string> known);

/// The same, or the word none for an empty list.
Reader<std::vector<std::string>> none_or_some_of(std::vector<std::string> known);
std::string spell_or_none(const std::vector<std::string>& words);

/// Free text.
std::string free_text(const Text& text);

/// A text over {question}, {options} and {answer}, at least one of them. \n and \t stay as they are written:
/// corpus replaces them.
std::string probe_template(const Text& text);

/// `all`, `log:N`, or whole numbers between commas (sorted).
std::string steps_selection(const Text& text);

/// `needed`, `all`, or whole numbers between commas (sorted).
std::string layers_selection(const Text& text);

/// `last` or a whole number.
std::string anchor_step(const Text& text);

/// `last`, a whole number, or a fraction of the depth in (0, 1).
std::string anchor_layer(const Text& text);

/// `none`, or fit:verify:judge as whole numbers from 1.
std::string split_shares(const Text& text);

/// An http or https URL of a server, in one spelling: without a slash at its end. One with a user's name or
/// password in it is refused, and not shown.
std::string server_url(const Text& text);

/// The name of an environment variable, or nothing. What is none is not shown: it may be a key.
std::string variable_name(const Text& text);

/// A path joined to the text's base folder, tidied. Errors: an empty text.
std::filesystem::path path_under_base(const Text& text);

std::string spell(bool value);
std::string spell(int value);
std::string spell(std::int64_t value);
std::string spell(std::uint64_t value);
std::string spell(double value);
std::string spell(const std::string& value);
std::string spell(const std::vector<std::string>& value);

}  // namespace incipit::deck
