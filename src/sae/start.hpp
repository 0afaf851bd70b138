#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace incipit::sae {

/// Where the rows of the decoder start: h unit vectors, h×d (science §2).
///
/// "random": normal directions. "data": distinct fit probes less `centre`, chosen far apart — of at most 4·h
/// probes drawn at random among the distinct ones, each time the one whose direction is farthest from all
/// chosen before (ties to the one drawn first), until directions differ by less than 1e-3 rad or run out;
/// then normal directions. u: n×d in input space; centre: d. A function of (u, centre, h, init, seed).
std::vector<double> start_directions(std::span<const float> u, std::span<const double> centre, std::int64_t h,
                                     const std::string& init, std::uint64_t seed);

}  // namespace incipit::sae
