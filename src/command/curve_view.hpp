#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "emergence/curve.hpp"
#include "store/reader.hpp"

namespace incipit::command {

/// A share as a whole percentage, a number with two digits; "-" for NaN.
[[nodiscard]] std::string percent(double share);
[[nodiscard]] std::string two_digits(double value);
/// "3 to 7", both times `unit` and rounded; "-" where an end is NaN.
[[nodiscard]] std::string interval(double low, double high, double unit = 1);

/// A point of a curve in a heading: "4000", "layer 3", "pythia-70m", "pythia-70m 4000 3".
[[nodiscard]] std::string point_name(std::string_view curve, std::string_view model, std::int64_t step,
                                     std::int64_t layer);

/// One curve of one anchor of emergence.h5, as tables need it. `file` must outlive it.
class CurveView {
 public:
  CurveView(const store::Reader& file, std::string anchor, std::string curve);

  [[nodiscard]] const store::Reader& file() const { return file_; }
  [[nodiscard]] const std::string& name() const { return curve_; }
  [[nodiscard]] std::int64_t points() const { return static_cast<std::int64_t>(names_.size()); }
  [[nodiscard]] const std::vector<std::string>& point_names() const { return names_; }
  [[nodiscard]] const std::vector<std::string>& subjects() const { return subjects_; }
  [[nodiscard]] std::string path(const std::string& name) const;         ///< below the curve
  [[nodiscard]] std::string anchor_path(const std::string& name) const;  ///< below the anchor
  [[nodiscard]] std::vector<double> all(const std::string& measure) const;
  /// Where [rung, point, subject] lies.
  [[nodiscard]] std::size_t at(std::int64_t rung, std::int64_t point, std::size_t subject) const;
  /// The rung to show.
  [[nodiscard]] std::int64_t rung() const {
    return static_cast<std::int64_t>(emergence::reading_rung(curve_));
  }
  [[nodiscard]] std::string rung_name() const;
  /// The point at which the anchor itself sits: where its concepts are at home. The last, if it is none.
  [[nodiscard]] std::int64_t home() const;

 private:
  const store::Reader& file_;
  std::string anchor_, curve_;
  std::vector<std::string> subjects_, models_, names_;
  std::vector<std::int64_t> steps_, layers_;
};

}  // namespace incipit::command
