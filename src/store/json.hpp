#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>

/// JSON that people and other programs wrote, read so that every fault is an Error data saying where.
namespace incipit::store {

/// What a key that stands twice in one object means: nlohmann's default keeps the last, which is no answer
/// where the two could be tensors.
enum class DuplicateKeys { keep_last, refuse };

/// Parses one JSON value. `where` begins the message: a file, or a file and a line.
nlohmann::json parse_json(std::string_view text, const std::string& where,
                          DuplicateKeys duplicates = DuplicateKeys::keep_last);

/// A JSON object whose members are asked for by type. Keeps references: the value must outlive it.
class JsonObject {
 public:
  JsonObject(const nlohmann::json& value, std::string where);

  [[nodiscard]] const std::string& where() const { return where_; }
  /// There, and not null.
  [[nodiscard]] bool has(const char* key) const;
  [[nodiscard]] const nlohmann::json& at(const char* key) const;
  [[nodiscard]] std::int64_t integer(const char* key) const;
  /// An integer of 1 to `most`.
  [[nodiscard]] std::int64_t count(const char* key, std::int64_t most) const;
  [[nodiscard]] double number(const char* key) const;
  [[nodiscard]] bool boolean(const char* key) const;
  [[nodiscard]] const std::string& text(const char* key) const;
  [[nodiscard]] const nlohmann::json& array(const char* key) const;
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
  [[nodiscard]] static std::string shown(const nlohmann::json& value);

 private:
  [[noreturn]] void refuse(const char* key, const char* expected, const nlohmann::json& found) const;

  const nlohmann::json& value_;
  std::string where_;
};

}  // namespace incipit::store
