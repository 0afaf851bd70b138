#include "interpret/teacher.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "error.hpp"
#include "interpret/cached_teacher.hpp"
#include "interpret/http.hpp"
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

std::unique_ptr<LanguageModel> http_model(const TeacherContext& context) {
  const int asking = asking_ranks(context.options, context.ranks);
  return std::make_unique<HttpModel>(context.options, share_of_server(context.options, context.rank, asking),
                                     context.stop);
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

std::unique_ptr<Teacher> asking_teacher(const TeacherContext& context, std::unique_ptr<LanguageModel> model) {
  const Identity identity = model->identity();
  return reading_teacher(context, identity, std::move(model));
}

}  // namespace

std::vector<std::string> teacher_names() {
  return {"lexical", "http", "neox", "cache"};
}

void leave_if_asked(const std::function<std::string()>& stop) {
  if (const std::string why = stop(); !why.empty())
    throw Error(Exit::again,
                fmt::format("stopped early ({}); what was done is kept; the same command goes on", why));
}

std::unique_ptr<Teacher> make_teacher(const TeacherContext& context) {
  const std::string& wanted = context.options.teacher;
  if (wanted == "lexical")
    return std::make_unique<LexicalTeacher>(context.probes, context.seed, context.threads);
  if (wanted == "http") return asking_teacher(context, http_model(context));
  if (wanted == "neox") return asking_teacher(context, instruct_model(context));
  if (wanted == "cache")
    return reading_teacher(context, find_cached(context.output, context.options.model), nullptr);
  throw Error(Exit::usage, fmt::format("interpret.teacher = {}: there is no such teacher; expected {}",
                                       wanted, fmt::join(teacher_names(), " | ")));
}

bool reads(const InterpretOptions& options) {
  return options.teacher != "lexical";
}

void check_teacher(const InterpretOptions& options, const std::filesystem::path& output) {
  if (reads(options)) (void)Prompts(options.prompts);
  if (options.teacher == "neox") {
    (void)InstructFrame(frame_file(options.prompts));
    (void)InstructFolder(folder_of(options));
  }
  if (options.teacher == "http") check_server(options);
  if (options.teacher == "cache") (void)find_cached(output, options.model);
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

int asking_ranks(const InterpretOptions& options, int ranks) {
  if (options.teacher != "http") return ranks;
  return static_cast<int>(std::min<int64_t>(ranks, options.concurrency));
}

}  // namespace incipit::interpret
