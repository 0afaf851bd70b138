#pragma once

#include <span>
#include <vector>

namespace incipit::emergence {

/// Least-squares fits of a shape to equally weighted values, by pooling adjacent violators.
[[nodiscard]] std::vector<double> non_decreasing(std::span<const double> y);
[[nodiscard]] std::vector<double> non_increasing(std::span<const double> y);

/// The closest curve that first never falls and then never rises. The earliest peak, where several fit alike.
[[nodiscard]] std::vector<double> unimodal(std::span<const double> y);

}  // namespace incipit::emergence
