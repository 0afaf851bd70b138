#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/writer.hpp"

/// The axes that many groups have, below `group` (empty: the file itself). Collective.
namespace incipit::emergence {

/// `point[point]`, from 0.
void write_point_axis(store::Writer& writer, const std::string& group, int64_t points);
/// `subject[subject]`.
void write_subject_axis(store::Writer& writer, const std::string& group,
                        const std::vector<std::string>& subjects);
/// `rung[rung]`: what is done to a site before `reader` sees it.
void write_rung_axis(store::Writer& writer, const std::string& group, const std::string& reader);

}  // namespace incipit::emergence
