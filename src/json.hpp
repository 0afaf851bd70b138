#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "error.hpp"

/// JSON that people and other programs wrote, read so that every fault is an Error data saying where.
namespace incipit {

/// What a key that stands twice in one object means: nlohmann's default keeps the last, which is no answer
/// where the two could be tensors.
enum class DuplicateKeys { keep_last, refuse };

/// Parses one JSON value. `where` begins the message: a file, or a file and a line.
inline nlohmann::json parse_json(std::string_view text, const std::string& where,
                                 DuplicateKeys duplicates = DuplicateKeys::keep_last) {
  using Json = nlohmann::json;
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int /*depth*/, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second) {
      throw Error(Exit::data, where + ": the key '" + value.get<std::string>() + "' stands twice");
    }
    return true;
  };
  try {
    if (duplicates == DuplicateKeys::refuse) return Json::parse(text.begin(), text.end(), watch);
    return Json::parse(text.begin(), text.end());
  } catch (const Json::exception& error) {
    std::string message = error.what();
    if (const auto end = message.find("] "); end != std::string::npos) message.erase(0, end + 2);
    // One line of a larger file: its place is in `where`.
    constexpr std::string_view line = "line 1, ";
    const auto place = text.find('\n') == std::string_view::npos ? message.find(line) : std::string::npos;
    if (place != std::string::npos) message.erase(place, line.size());
    throw Error(Exit::data, where + ": not valid JSON: " + message);
  }
}

/// A JSON object whose members are asked for by type. Keeps references: the value must outlive it.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string where) : value_(value), where_(std::move(where)) {
    if (!value.is_object()) throw Error(Exit::data, where_ + ": expected an object, found " + shown(value));
  }

  [[nodiscard]] const std::string& where() const { return where_; }
  /// There, and not null.
  [[nodiscard]] bool has(const char* key) const {
    const auto it = value_.find(key);
    return it != value_.end() && !it->is_null();
  }
  [[nodiscard]] const nlohmann::json& at(const char* key) const {
    if (!has(key)) throw Error(Exit::data, where_ + ": the key '" + key + "' is missing");
    return *value_.find(key);
  }
  [[nodiscard]] std::int64_t integer(const char* key) const {
    const nlohmann::json& value = at(key);
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= largest_integer);
    if (!fits) refuse(key, "a whole number", value);
    return value.get<std::int64_t>();
  }
  [[nodiscard]] double number(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_number()) refuse(key, "a number", value);
    return value.get<double>();
  }
  [[nodiscard]] bool boolean(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_boolean()) refuse(key, "true or false", value);
    return value.get<bool>();
  }
  [[nodiscard]] const std::string& text(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_string()) refuse(key, "a string", value);
    return value.get_ref<const std::string&>();
  }
  [[nodiscard]] const nlohmann::json& array(const char* key) const {
    const nlohmann::json& value = at(key);
    if (!value.is_array()) refuse(key, "a list", value);
    return value;
  }
  [[nodiscard]] JsonObject object(const char* key) const { return {at(key), where_ + ": key '" + key + "'"}; }

  [[nodiscard]] std::int64_t integer(const char* key, std::int64_t otherwise) const {
    return has(key) ? integer(key) : otherwise;
  }
  [[nodiscard]] double number(const char* key, double otherwise) const {
    return has(key) ? number(key) : otherwise;
  }
  [[nodiscard]] bool boolean(const char* key, bool otherwise) const {
    return has(key) ? boolean(key) : otherwise;
  }
  [[nodiscard]] std::string text(const char* key, const char* otherwise) const {
    return has(key) ? text(key) : std::string(otherwise);
  }

  /// A value as a message shows it: never longer than a line.
  [[nodiscard]] static std::string shown(const nlohmann::json& value) {
    if (value.is_object()) return "an object";
    if (value.is_array()) return "a list";
    if (value.is_string() && value.get_ref<const std::string&>().size() > 60) return "a long string";
    return value.dump();
  }

 private:
  static constexpr std::uint64_t largest_integer = std::numeric_limits<std::int64_t>::max();

  [[noreturn]] void refuse(const char* key, const char* expected, const nlohmann::json& found) const {
    throw Error(Exit::data, where_ + ": key '" + key + "': expected " + expected + ", found " + shown(found));
  }

  const nlohmann::json& value_;
  std::string where_;
};

}  // namespace incipit
