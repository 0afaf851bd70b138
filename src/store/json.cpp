#include "store/json.hpp"

#include <limits>
#include <set>
#include <vector>

#include "error.hpp"

namespace incipit::store {

nlohmann::json parse_json(std::string_view text, const std::string& where, DuplicateKeys duplicates) {
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

JsonObject::JsonObject(const nlohmann::json& value, std::string where)
    : value_(value), where_(std::move(where)) {
  if (!value.is_object()) throw Error(Exit::data, where_ + ": expected an object, found " + shown(value));
}

bool JsonObject::has(const char* key) const {
  const auto it = value_.find(key);
  return it != value_.end() && !it->is_null();
}

const nlohmann::json& JsonObject::at(const char* key) const {
  if (!has(key)) throw Error(Exit::data, where_ + ": the key '" + key + "' is missing");
  return *value_.find(key);
}

std::int64_t JsonObject::integer(const char* key) const {
  const nlohmann::json& value = at(key);
  const bool fits =
      value.is_number_integer() &&
      (!value.is_number_unsigned() ||
       value.get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits) refuse(key, "a whole number", value);
  return value.get<std::int64_t>();
}

std::int64_t JsonObject::count(const char* key, std::int64_t most) const {
  const std::int64_t value = integer(key);
  if (value < 1 || value > most) refuse(key, ("1 to " + std::to_string(most)).c_str(), at(key));
  return value;
}

double JsonObject::number(const char* key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_number()) refuse(key, "a number", value);
  return value.get<double>();
}

bool JsonObject::boolean(const char* key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_boolean()) refuse(key, "true or false", value);
  return value.get<bool>();
}

const std::string& JsonObject::text(const char* key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_string()) refuse(key, "a string", value);
  return value.get_ref<const std::string&>();
}

const nlohmann::json& JsonObject::array(const char* key) const {
  const nlohmann::json& value = at(key);
  if (!value.is_array()) refuse(key, "a list", value);
  return value;
}

std::string JsonObject::shown(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (value.is_string() && value.get_ref<const std::string&>().size() > 60) return "a long string";
  return value.dump();
}

void JsonObject::refuse(const char* key, const char* expected, const nlohmann::json& found) const {
  throw Error(Exit::data, where_ + ": key '" + key + "': expected " + expected + ", found " + shown(found));
}

}  // namespace incipit::store
