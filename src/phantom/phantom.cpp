#include "phantom/phantom.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "checkpoint/write_checkpoint.hpp"
#include "error.hpp"
#include "index.hpp"
#include "phantom/builder.hpp"
#include "phantom/texts.hpp"
#include "phantom/truth.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"

namespace incipit::phantom {
namespace {

namespace fs = std::filesystem;

void refuse_full(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error) || (fs::is_directory(folder, error) && fs::is_empty(folder, error))) return;
  throw Error(Exit::usage,
              fmt::format("phantom: {} is there and not an empty folder; choose another --out, or "
                          "move it away",
                          folder.string()));
}

/// What makes one phantom different from another.
std::string shown(const Options& o) {
  auto text = fmt::format("seed = {}\n", o.seed);
  for (const Size& size : sizes) text += fmt::format("{} = {}\n", size.name, o.*size.value);
  return text;
}

std::string deck_text(const Options& options) {
  constexpr const char* text =
      "# A phantom: what was planted where stands in truth.h5. Made by `incipit phantom` with\n"
      "{}"
      "#   incipit run phantom.ini\n\n"
      "[family]\npath  = family\nsteps = all\n\n"
      "[probes]\npath  = probes.jsonl\n"
      "# Half of the terms judge: intervals come from whole terms.\n"
      "split = 1:1:2\n\n"
      "# All anchors stand where every planted subject is: at the end of the largest model. No term's "
      "embedding\n"
      "# says anything of its subject unless it is written there, so that a dictionary made of layer 0 knows "
      "few.\n"
      "[anchor.time]\ncurves = time\n\n"
      "[anchor.space]\ncurves = space\n\n"
      "[anchor.scale]\ncurves = scale\n\n"
      "[extract]\nlayers = all\n\n"
      "[sae]\n# One for each subject and each nuisance direction.\nlatents = {}\nk       = 1\nsteps   = "
      "1500\n\n"
      "[interpret]\nteacher = lexical\n"
      "# A subject's context words tell it from all others, so the label of a latent that fires on it "
      "reaches 1.\n"
      "# Where two latents share a subject, a quarter of the judged texts are silent ones of it and F1 is "
      "0.8.\n"
      "f1      = 0.9\n\n"
      "[match]\nencoder  = lexical\nsubjects = subjects.json\ntau      = auto\n\n"
      "[run]\nseed = {}\n";
  std::string comment;
  for (const char c : "# " + shown(options)) {
    comment += c;
    if (c == '\n') comment += "# ";
  }
  comment.erase(comment.size() - 2);
  return fmt::format(text, comment, options.subjects + options.nuisances, options.seed);
}

void write_models(const fs::path& folder, const Plan& plan, std::vector<Builder>& builders) {
  const std::size_t last = plan.step.size() - 1;
  for (std::size_t m = 0; m < builders.size(); ++m) {
    const bool reference = m + 1 == builders.size();
    for (std::size_t s = reference ? 0 : last; s <= last; ++s)
      checkpoint::write_checkpoint(folder / plan.model[m].name / fmt::format("step{}", plan.step[s]),
                                   builders[m].config(), builders[m].step(s));
  }
}

int64_t dips_of(const Plan& plan) {
  int64_t dips = 0;
  for (const SubjectPlan& subject : plan.subject) dips += (subject.time ? 1 : 0) + (subject.space ? 1 : 0);
  return dips;
}

}  // namespace

Summary write_phantom(const fs::path& folder, const Options& options, store::Header header) {
  const Plan plan = draw_plan(options);
  const Texts texts = write_texts(options);
  const auto codes = draw_codes(options);
  refuse_full(folder);
  store::ensure_folder(folder / "family");
  std::vector<Builder> builders;
  std::vector<checkpoint::Config> configs;
  for (std::size_t m = 0; m < plan.model.size(); ++m) {
    builders.emplace_back(plan, texts, codes, m);
    configs.push_back(builders.back().config());
  }
  store::write_text_atomic(folder / "family" / "tokenizer.json", tokenizer_json(texts));
  store::write_text_atomic(folder / "probes.jsonl", probes_json_lines(texts));
  store::write_text_atomic(folder / "subjects.json", subjects_json(texts, plan));
  store::write_text_atomic(folder / "phantom.ini", deck_text(options));
  write_models(folder / "family", plan, builders);
  header.seed = options.seed;
  header.deck = shown(options);
  header.fingerprint = store::sha256("incipit phantom\n" + header.deck);
  write_truth(folder / "truth.h5", header, plan, texts, configs, builders.back().frame());
  return {static_cast<int64_t>(plan.model.size() + plan.step.size()) - 1, std::ssize(texts.probe),
          options.subjects - options.never, dips_of(plan)};
}

}  // namespace incipit::phantom
