#include "interpret/teacher.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "error.hpp"
#include "interpret/lexical.hpp"

namespace incipit::interpret {

std::vector<std::string> teacher_names() {
  return {"lexical"};
}

std::unique_ptr<Teacher> make_teacher(const InterpretOptions& options, const corpus::Probes& probes,
                                      uint64_t seed, int threads) {
  if (options.teacher == "lexical") return std::make_unique<LexicalTeacher>(probes, seed, threads);
  throw Error(Exit::usage, fmt::format("interpret.teacher = {}: there is no such teacher; expected {}",
                                       options.teacher, fmt::join(teacher_names(), " | ")));
}

}  // namespace incipit::interpret
