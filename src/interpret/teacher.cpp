#include "interpret/teacher.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "error.hpp"
#include "interpret/cached_teacher.hpp"
#include "interpret/instruct_model.hpp"
#include "interpret/lexical.hpp"
#include "interpret/prompts.hpp"
#include "interpret/reading.hpp"

namespace incipit::interpret {
namespace {

const std::filesystem::path& folder_of(const InterpretOptions& options) {
  if (options.model_path.empty())
    throw Error(Exit::usage,
                "interpret.teacher = neox needs interpret.model, the folder of a GPT-NeoX instruction "
                "model such as Dolly-v2");
  return options.model_path;
}

std::unique_ptr<LanguageModel> instruct_model(const TeacherContext& context) {
  if (context.device == nullptr) throw Error(Exit::defect, "interpret.teacher = neox without a device");
  return std::make_unique<InstructModel>(
      *context.device, folder_of(context.options), frame_file(context.options.prompts),
      InstructModel::Options{context.precision, context.memory, context.warn});
}

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
  return {"lexical", "neox", "cache"};
}

std::unique_ptr<Teacher> make_teacher(const TeacherContext& context) {
  const std::string& wanted = context.options.teacher;
  if (wanted == "lexical")
    return std::make_unique<LexicalTeacher>(context.probes, context.seed, context.threads);
  if (wanted == "neox") {
    auto model = instruct_model(context);
    const Identity identity = model->identity();
    return reading_teacher(context, identity, std::move(model));
  }
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
  if (options.teacher == "neox") {
    (void)InstructFrame(frame_file(options.prompts));
    (void)InstructFolder(folder_of(options));
  }
}

std::vector<std::filesystem::path> teacher_files(const InterpretOptions& options) {
  std::vector<std::filesystem::path> files;
  const bool neox = options.teacher == "neox";
  if (reads(options) && options.prompts != bundled) {
    for (const PromptFile& file : prompt_files(options.prompts)) files.emplace_back(file.where);
    if (neox) files.emplace_back(frame_file(options.prompts).where);
  }
  if (neox) {
    const auto more = InstructFolder(folder_of(options)).files();
    files.insert(files.end(), more.begin(), more.end());
  }
  return files;
}

int asking_ranks(const InterpretOptions&, int ranks) {
  return ranks;
}

}  // namespace incipit::interpret
