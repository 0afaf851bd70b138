#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::sae {

/// The point with the least sum of distances to n×d rows, in fp64, from fixed blocks: Weiszfeld's iteration
/// from the mean with the step of Y. Vardi and C.-H. Zhang ("The multivariate L1-median and associated data
/// depth", PNAS 97, 2000) where it stands on a row. It ends when a step is shorter than 1e-6 of the rows'
/// root mean square distance from their mean, or after 200 steps.
std::vector<double> geometric_median(std::span<const float> rows, std::int64_t d);

}  // namespace incipit::sae
