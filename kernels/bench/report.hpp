#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ceilings.hpp"

namespace incipit::device::bench {

/// One line: what was run, how long it took, and how good that is.
struct Line {
  std::string part;  ///< operation, forward or sae_step
  std::string operation;
  std::string type;  ///< fp32, bf16, fp16, fp64
  std::string shape;
  Time time = {};
  double bytes = 0;                ///< fewest that a call must move; 0: not counted
  double flops = 0;                ///< that a call must do; 0: not counted
  Bound arithmetic = Bound::fp32;  ///< the type that products are made of
  double items = 0;                ///< tokens or samples of a call
  std::optional<Time> naive = {};
  double difference = 0;  ///< from the naive version, the largest of the outputs' in units of their tolerance
  std::string complaint = {};  ///< empty where the numbers are right
};

/// Prints lines as they come, and keeps them for a file.
class Report {
 public:
  explicit Report(const Ceilings& ceilings) : ceilings_(ceilings) {}

  /// A heading with the names of the columns.
  void begin(const std::string& part) const;
  void add(const Line& line);
  /// Numbers that are wrong and belong to no line.
  void complain(const std::string& what);

  /// Comma-separated values with a head of '#' lines, `about` among them. Error(io).
  void write(const std::string& path, const std::vector<std::string>& about) const;
  /// How many numbers were wrong.
  [[nodiscard]] int complaints() const { return complaints_; }

 private:
  Ceilings ceilings_;
  std::vector<Line> lines_;
  int complaints_ = 0;
};

}  // namespace incipit::device::bench
