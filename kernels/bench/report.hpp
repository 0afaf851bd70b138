#pragma once

#include <optional>
#include <string>
#include <utility>
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
  Bound memory = Bound::copy;      ///< what the bytes are moved by
  double flops = 0;                ///< that a call must do; 0: not counted
  Bound arithmetic = Bound::fp32;  ///< the type that products are made of
  double items = 0;                ///< tokens or samples of a call
  std::optional<Time> naive = {};
  double difference = 0;  ///< from the naive version, the largest of the outputs' in units of their tolerance
  std::string complaint = {};  ///< empty where the numbers are right
};

/// Prints lines as they come and keeps a file of them up to date, so that a run that is cut short is not
/// lost.
class Report {
 public:
  /// Comma-separated values go to `path`, if there is one, below '#' lines with `about` and the ceilings.
  Report(const Ceilings& ceilings, std::string path, std::vector<std::string> about)
      : ceilings_(ceilings), path_(std::move(path)), about_(std::move(about)) {}

  /// A heading with the names of the columns.
  void begin(const std::string& part) const;
  /// Error(io) where the file cannot be written.
  void add(const Line& line);
  /// Numbers that are wrong and belong to no line.
  void complain(const std::string& what);

  /// How many numbers were wrong.
  [[nodiscard]] int complaints() const { return complaints_; }

 private:
  void write() const;

  Ceilings ceilings_;
  std::string path_;
  std::vector<std::string> about_;
  std::vector<Line> lines_;
  int complaints_ = 0;
};

}  // namespace incipit::device::bench
