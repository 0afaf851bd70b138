#pragma once

#include <string>
#include <vector>

#include "emergence/estimate_parts.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// Where an array of estimates lies in a file.
struct IntervalPlace {
  std::string path;
  std::vector<int64_t> shape;
  std::vector<std::string> axes;
};

inline void write_intervals(store::Writer& writer, const IntervalPlace& place, const std::string& meaning,
                            const std::vector<Estimate>& estimates) {
  for (const EstimatePart& part : interval_parts) {
    std::vector<double> values;
    values.reserve(estimates.size());
    for (const Estimate& one : estimates) values.push_back(one.*part.value);
    writer.write(place.path + part.suffix, place.shape, values, {"1", meaning + part.meaning}, place.axes);
  }
}

inline std::vector<Estimate> read_intervals(const store::Reader& file, const std::string& path,
                                            const std::vector<int64_t>& shape) {
  std::vector<Estimate> out;
  for (const EstimatePart& part : interval_parts) {
    const auto values = file.read<double>(path + part.suffix, shape);
    out.resize(values.size());
    for (size_t i = 0; i < values.size(); ++i) out[i].*part.value = values[i];
  }
  return out;
}

}  // namespace incipit::emergence
