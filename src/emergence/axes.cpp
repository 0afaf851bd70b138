#include "emergence/axes.hpp"

#include <numeric>

#include "emergence/curve.hpp"
#include "index.hpp"

namespace incipit::emergence {
namespace {

std::string inside(const std::string& group, const char* name) {
  return group.empty() ? name : group + "/" + name;
}

}  // namespace

void write_point_axis(store::Writer& writer, const std::string& group, int64_t points) {
  std::vector<int64_t> number(at(points));
  std::iota(number.begin(), number.end(), 0);
  writer.write(inside(group, "point"), {points}, number, {"1", "number of the point on the curve"},
               {"point"});
}

void write_subject_axis(store::Writer& writer, const std::string& group,
                        const std::vector<std::string>& subjects) {
  writer.strings(inside(group, "subject"), {std::ssize(subjects)}, subjects, {"1", "subject"}, {"subject"});
}

void write_rung_axis(store::Writer& writer, const std::string& group, const std::string& reader) {
  writer.strings(inside(group, "rung"), {rungs}, {rung_names.begin(), rung_names.end()},
                 {"1", "input of " + reader}, {"rung"});
}

}  // namespace incipit::emergence
