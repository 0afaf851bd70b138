#pragma once

#include <array>
#include <ctime>
#include <string>

namespace incipit {

/// The time, as 2026-01-31T23:59:59Z.
inline std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace incipit
