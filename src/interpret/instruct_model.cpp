#include "interpret/instruct_model.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string_view>
#include <utility>

#include "error.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"

namespace incipit::interpret {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

/// A context that holds no question makes no teacher.
constexpr std::int64_t least_context = 128;

/// f(), with the deck's key in front of what it throws.
template <class F>
auto of_key(F&& f) {
  try {
    return f();
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("interpret.model: {}; teacher neox needs the folder of a GPT-NeoX "
                                          "instruction model, such as Dolly-v2",
                                          error.what()));
  }
}

fs::path tokenizer_near(const fs::path& folder) {
  const fs::path here = store::full_path(folder);
  for (const fs::path& place : {here, here.parent_path(), here.parent_path().parent_path()})
    if (fs::exists(place / "tokenizer.json")) return place / "tokenizer.json";
  throw Error(Exit::data,
              fmt::format("{}: no tokenizer.json there, nor in the two folders above", folder.string()));
}

checkpoint::Weights open_weights(const fs::path& folder, const checkpoint::Config& config) {
  auto weights = checkpoint::Weights::open(folder);
  checkpoint::check_tensors(weights, config, checkpoint::Head::needed);
  return weights;
}

void check_sizes(const InstructFolder& model) {
  if (model.tokenizer.vocab_size() > model.config.vocab)
    throw Error(Exit::data,
                fmt::format("{} has {} tokens where the model of {} knows {}", model.tokenizer_file.string(),
                            model.tokenizer.vocab_size(), model.folder.string(), model.config.vocab));
  if (model.config.context < least_context)
    throw Error(Exit::data, fmt::format("{}: a context of {} tokens holds no question; expected {} at least",
                                        model.folder.string(), model.config.context, least_context));
}

/// Which weights these are, without reading all of them: every tensor's name, type and shape, its numbers
/// where it is a vector, and five of its rows where not.
void add_weights(store::Sha256& hash, const checkpoint::Weights& weights) {
  std::vector<float> row;
  for (const auto& [name, tensor] : weights.tensors()) {
    hash.update(fmt::format("{} {} {}\n", name, tensor.dtype_name, checkpoint::shown(tensor.shape)));
    if (tensor.dtype == checkpoint::Dtype::other) continue;
    const bool vector = tensor.shape.size() < 2;
    const std::int64_t samples = vector ? 1 : std::min<std::int64_t>(5, tensor.rows());
    const std::int64_t rows = vector ? tensor.rows() : 1;
    row.resize(static_cast<std::size_t>(rows * tensor.row_size()));
    for (std::int64_t s = 0; s < samples; ++s) {
      const std::int64_t first = samples < 2 ? 0 : s * (tensor.rows() - 1) / (samples - 1);
      weights.read(tensor, first, rows, row);
      hash.update(std::as_bytes(std::span<const float>(row)));
    }
  }
}

std::string name_of(const InstructFolder& model, const InstructFrame& frame, device::NumberType precision,
                    const device::Device& device) {
  store::Sha256 hash;
  hash.update(store::read_text(model.folder / "config.json"));
  hash.update(store::read_text(model.tokenizer_file));
  hash.update(fmt::format("\n{}\n{} {}\n", frame.text(), static_cast<int>(precision),
                          device.kind() == device::Kind::host ? "host" : "cuda"));
  add_weights(hash, model.weights);
  return "neox 1 " + hash.hex().substr(0, 16);
}

/// The tokens with which a word's spellings begin: those that are one token, or all where none is.
Ids beginnings(const corpus::Tokenizer& tokenizer, std::initializer_list<std::string_view> spellings) {
  Ids whole, first;
  for (const std::string_view spelling : spellings) {
    const Ids ids = tokenizer.encode(spelling);
    if (ids.size() == 1) whole.push_back(ids.front());
    first.push_back(ids.front());
  }
  Ids& chosen = whole.empty() ? first : whole;
  std::sort(chosen.begin(), chosen.end());
  chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
  return chosen;
}

double log_sum_exp(std::span<const float> logits) {
  const auto most = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double sum = 0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - most);
  return most + std::log(sum);
}

/// Whether a line ends behind something else than blanks.
bool has_whole_line(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  return begin != std::string_view::npos && text.find('\n', begin) != std::string_view::npos;
}

}  // namespace

InstructFolder::InstructFolder(const fs::path& where)
    : folder(where),
      tokenizer_file(of_key([&] { return tokenizer_near(where); })),
      config(of_key([&] { return checkpoint::read_config(where / "config.json"); })),
      tokenizer(of_key([&] { return corpus::Tokenizer::load(tokenizer_file); })),
      weights(of_key([&] { return open_weights(where, config); })) {
  of_key([&] { check_sizes(*this); });
}

std::vector<fs::path> InstructFolder::files() const {
  std::vector<fs::path> all = {folder / "config.json", tokenizer_file};
  all.insert(all.end(), weights.files().begin(), weights.files().end());
  return all;
}

InstructFrame::InstructFrame(const PromptFile& file) : text_(file.text) {
  if (text_.find("{user}") == std::string::npos)
    throw Error(Exit::data, file.where +
                                ": found no {user}; expected what stands around an instruction, "
                                "with {system} and {user}");
}

std::string InstructFrame::filled(const Prompt& prompt) const {
  return interpret::filled(text_, {{"system", prompt.system}, {"user", prompt.user}});
}

InstructModel::InstructModel(device::Device& device, const fs::path& folder, const PromptFile& frame,
                             Options options)
    : folder_(folder),
      frame_(frame),
      options_(std::move(options)),
      identity_{name_of(folder_, frame_, options_.precision, device),
                "neox",
                store::full_path(folder).filename().string(),
                {}},
      yes_(beginnings(folder_.tokenizer, {"Yes", " Yes", "yes", " yes", "YES", " YES"})),
      no_(beginnings(folder_.tokenizer, {"No", " No", "no", " no", "NO", " NO"})) {
  Ids both;
  std::set_intersection(yes_.begin(), yes_.end(), no_.begin(), no_.end(), std::back_inserter(both));
  if (!both.empty())
    throw Error(Exit::data, fmt::format("interpret.model: {}: yes and no begin with the same token {}: their "
                                        "probabilities cannot be compared",
                                        folder_.tokenizer_file.string(), both.front()));
  generator_ = model::make_generator(
      device, folder_.weights, folder_.config,
      {options_.precision, options_.memory, "have another teacher (interpret.model, interpret.teacher)"});
}

Ids InstructModel::tokens_of(const Prompt& prompt, int more) {
  Ids ids = folder_.tokenizer.encode(frame_.filled(prompt));
  const std::int64_t room = folder_.config.context - more;
  if (std::ssize(ids) <= room) return ids;
  if (!std::exchange(warned_, true) && options_.warn)
    options_.warn(
        fmt::format("a prompt of {} tokens is more than the teacher's context of {} holds: of this one "
                    "and all such the middle is left out",
                    ids.size(), folder_.config.context));
  const Ids gap = folder_.tokenizer.encode(" … ");
  const std::int64_t kept = room - std::ssize(gap);
  Ids shortened(ids.begin(), ids.begin() + kept / 2);
  shortened.insert(shortened.end(), gap.begin(), gap.end());
  shortened.insert(shortened.end(), ids.end() - (kept - kept / 2), ids.end());
  return shortened;
}

std::vector<Ids> InstructModel::tokens_of(std::span<const Prompt> prompts, int more) {
  std::vector<Ids> all;
  for (const Prompt& prompt : prompts) all.push_back(tokens_of(prompt, more));
  return all;
}

void InstructModel::write(std::span<const Prompt> prompts, int tokens, const Keep<std::string>& keep) {
  const corpus::Tokenizer& tokenizer = folder_.tokenizer;
  const auto ends = [&](std::span<const std::int32_t> written) {
    return tokenizer.is_special(written.back()) || has_whole_line(tokenizer.decode(written));
  };
  generator_->write(tokens_of(prompts, tokens), tokens, ends, [&](std::size_t i, const Ids& written) {
    const std::size_t mark = tokenizer.is_special(written.back()) ? 1 : 0;
    keep(i, tokenizer.decode(std::span(written).first(written.size() - mark)));
  });
}

void InstructModel::choose(std::span<const Prompt> prompts, const Keep<Choice>& keep) {
  Ids chosen = yes_;
  chosen.insert(chosen.end(), no_.begin(), no_.end());
  generator_->score(tokens_of(prompts, 0), chosen, [&](std::size_t i, const std::vector<float>& logits) {
    const std::span<const float> all(logits);
    keep(i, {log_sum_exp(all.first(yes_.size())) - log_sum_exp(all.subspan(yes_.size())), {}});
  });
}

}  // namespace incipit::interpret
