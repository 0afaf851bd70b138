#include "interpret/teacher.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "error.hpp"
#include "interpret/cached_teacher.hpp"
#include "interpret/lexical.hpp"
#include "interpret/prompts.hpp"
#include "interpret/reading.hpp"

namespace incipit::interpret {
namespace {

/// A teacher that shows texts to `model`, or without one replays what `identity` has answered.
std::unique_ptr<Teacher> reading_teacher(const TeacherContext& context, const Identity& identity,
                                         std::unique_ptr<LanguageModel> model) {
  const auto folder = answers_folder(context.output, identity);
  if (model && context.rank == 0) write_about(folder, identity);
  return std::make_unique<ReadingTeacher>(identity, std::move(model), Prompts(context.options.prompts),
                                          std::make_unique<AnswerCache>(folder), context.stop, context.note);
}

}  // namespace

std::vector<std::string> teacher_names() {
  return {"lexical", "cache"};
}

std::unique_ptr<Teacher> make_teacher(const TeacherContext& context) {
  const std::string& wanted = context.options.teacher;
  if (wanted == "lexical")
    return std::make_unique<LexicalTeacher>(context.probes, context.seed, context.threads);
  if (wanted == "cache")
    return reading_teacher(context, find_cached(context.output, context.options.model), nullptr);
  throw Error(Exit::usage, fmt::format("interpret.teacher = {}: there is no such teacher; expected {}",
                                       wanted, fmt::join(teacher_names(), " | ")));
}

bool reads(const InterpretOptions& options) {
  return options.teacher != "lexical";
}

void check_teacher(const InterpretOptions& options) {
  if (reads(options)) (void)Prompts(options.prompts);
}

std::vector<std::filesystem::path> teacher_files(const InterpretOptions& options) {
  std::vector<std::filesystem::path> files;
  if (reads(options) && options.prompts != bundled)
    for (const PromptFile& file : prompt_files(options.prompts)) files.emplace_back(file.where);
  return files;
}

int asking_ranks(const InterpretOptions&, int ranks) {
  return ranks;
}

}  // namespace incipit::interpret
