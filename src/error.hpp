#pragma once

#include <stdexcept>
#include <string>

namespace incipit {

/// Exit codes of the program. They are part of its interface: batch scripts act on them.
enum class Exit : int {
  done = 0,
  usage = 64,        ///< the command line or the deck is wrong
  data = 65,         ///< a checkpoint, a probe file or a ladder is wrong
  unavailable = 69,  ///< a service cannot be had
  defect = 70,       ///< a defect of ours
  machine = 71,      ///< the machine lacks what was asked: memory, device
  io = 74,           ///< input or output failed
  again = 75,        ///< stopped early on request or time; the same command goes on
  numbers = 76,      ///< NaN in weights or activations, an SAE that diverged
};

/// Every failure the program can explain. The message says what was found, where (file, tensor, byte,
/// line), what was expected, and what to do; it is printed once, by `main`.
class Error : public std::runtime_error {
 public:
  Error(Exit code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] Exit code() const noexcept { return code_; }

 private:
  Exit code_;
};

}  // namespace incipit
