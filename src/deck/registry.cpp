#include "deck/registry.hpp"

#include <algorithm>
#include <filesystem>
#include <type_traits>
#include <utility>

namespace incipit::deck {

namespace {

using Stages = std::vector<Stage>;

/// What the forward passes read, whatever is kept of them.
const Stages forward_passes = {Stage::extract, Stage::loss};

/// The split and the seed are read by all that comes after the forward passes.
const Stages after_extraction = {Stage::train, Stage::interpret, Stage::match,
                                 Stage::align, Stage::attribute, Stage::track};

constexpr std::int64_t many = 1'000'000'000;
constexpr std::int64_t mega = 1 << 20;

std::string spell_path(const std::filesystem::path& path, Paths paths) {
  if (paths == Paths::as_held || path.empty()) return path.generic_string();
  return std::filesystem::absolute(path).lexically_normal().generic_string();
}

/// From an owner to the struct that holds a section's values: a member of the Deck; an Anchor is its own.
template <class Owner, class Options>
struct Reach {
  Options Owner::*member = nullptr;

  template <class MaybeConst>
  auto& operator()(MaybeConst& owner) const {
    if constexpr (std::is_same_v<Owner, Options>) {
      return owner;
    } else {
      return owner.*member;
    }
  }
};

/// Adds the keys of one section, whose values are fields of `Options`.
template <class Owner, class Options>
class Group {
 public:
  Group(std::vector<Key<Owner>>& keys, std::string section, Reach<Owner, Options> reach, Stages stages)
      : keys_(keys), section_(std::move(section)), reach_(reach), stages_(std::move(stages)) {}

  /// Read by the section's stages; printed by `spell`.
  template <class Value, class Read>
  Key<Owner>& add(const std::string& name, const std::string& unit, const std::string& help,
                  Value Options::*field, Read read) {
    return add(name, unit, help, field, read, [](const Value& value) { return spell(value); });
  }

  /// The same with a spelling of its own.
  template <class Value, class Read, class Spell>
  Key<Owner>& add(const std::string& name, const std::string& unit, const std::string& help,
                  Value Options::*field, Read read, Spell spell_value) {
    return add_raw(
        name, unit, help, [field, read](Options& options, const Text& text) { options.*field = read(text); },
        [field, spell_value](const Options& options, Paths) { return spell_value(options.*field); });
  }

  /// A path that the word `exempt` is not, or with a colon at its end (`hf:`) no word that starts so.
  template <class Value>
  Key<Owner>& add_path(const std::string& name, const std::string& help, Value Options::*field,
                       std::string_view exempt = {}) {
    const auto is_exempt = [exempt](std::string_view value) {
      return !exempt.empty() && (exempt.ends_with(':') ? value.starts_with(exempt) : value == exempt);
    };
    const auto set = [field, is_exempt](Options& options, const Text& text) {
      if (is_exempt(text.value)) {
        options.*field = text.value;
      } else {
        options.*field = path_under_base(text).generic_string();
      }
    };
    const auto get = [field, is_exempt](const Options& options, Paths paths) {
      const std::filesystem::path path = options.*field;
      return is_exempt(path.native()) ? path.string() : spell_path(path, paths);
    };
    return add_raw(name, "path", help, set, get);
  }

  /// A path where `is_path` says so of the section's other keys, else words; both readings are held.
  Key<Owner>& add_words_or_path(const std::string& name, const std::string& help, std::string Options::*words,
                                std::filesystem::path Options::*path, bool (*is_path)(const Options&)) {
    const auto set = [words, path](Options& options, const Text& text) {
      options.*words = free_text(text);
      options.*path = text.value.empty() ? std::filesystem::path() : path_under_base(text);
    };
    const auto get = [words, path, is_path](const Options& options, Paths paths) {
      return is_path(options) ? spell_path(options.*path, paths) : options.*words;
    };
    auto& key = add_raw(name, "", help, set, get);
    key.names_input = [reach = reach_, is_path](const Owner& owner) { return is_path(reach(owner)); };
    return key;
  }

 private:
  template <class Set, class Get>
  Key<Owner>& add_raw(const std::string& name, const std::string& unit, const std::string& help, Set set,
                      Get get) {
    keys_.push_back(
        {.section = section_,
         .name = name,
         .unit = unit,
         .help = help,
         .stages = stages_,
         .set = [reach = reach_, set](Owner& owner, const Text& text) { set(reach(owner), text); },
         .get = [reach = reach_, get](const Owner& owner, Paths paths) { return get(reach(owner), paths); }});
    return keys_.back();
  }

  std::vector<Key<Owner>>& keys_;
  std::string section_;
  Reach<Owner, Options> reach_;
  Stages stages_;
};

/// `auto` for an empty optional.
template <class Value>
std::string spell_or_auto(const std::optional<Value>& value, std::string (*spell_value)(Value)) {
  return value ? spell_value(*value) : "auto";
}

void add_family(std::vector<Key<Deck>>& keys) {
  using Options = checkpoint::FamilyOptions;
  Group<Deck, Options> family(keys, "family", {&Deck::family}, {});
  auto& path = family.add_path("path",
                               "Folder of FAMILY/MODEL/stepN with config.json, weights and tokenizer.json; "
                               "or hf:ORG (hf:EleutherAI) for the Hugging Face cache. Nothing is downloaded, "
                               "ever.",
                               &Options::path, "hf:");
  path.required = true;
  path.input_path = true;
  family.add("models", "", "Models to use, between commas.", &Options::models, words).shown_default =
      "all that are there";
  family.add(
      "steps", "",
      "Training steps to use: all; a list as 0,1000,143000; or log:N, N of those there nearest to even "
      "spacing in log2(1+step), ends included.",
      &Options::steps, steps_selection);
}

void add_probes(std::vector<Key<Deck>>& keys) {
  using Options = corpus::ProbeOptions;
  Group<Deck, Options> probes(keys, "probes", {&Deck::probes}, forward_passes);
  auto& path = probes.add_path(
      "path", "The probe file (JSON Lines; .gz accepted); for mmlu the folder of CSV files.", &Options::path);
  path.required = true;
  path.input_path = true;
  probes.add("format", "",
             "jsonl (id, subject, text, optional group), mmlu-pro (its own fields), or mmlu (its CSV files).",
             &Options::format, choice({"jsonl", "mmlu-pro", "mmlu"}));
  probes.add(
      "template", "",
      "Text of a question's probe, over {question}, {options} and {answer}; \\n and \\t are understood. "
      "jsonl has its texts as they are.",
      &Options::template_, probe_template);
  probes
      .add("split", "shares",
           "fit:verify:judge, dealt by whole groups; or none: all probes everywhere, as the paper reads, and "
           "everything computed so is marked.",
           &Options::split, split_shares)
      .stages = after_extraction;
  probes.add("subjects", "", "Subjects to use, between commas.", &Options::subjects, words).shown_default =
      "all that are there";
  probes.add("limit", "probes", "Most probes per subject, the first in the file; 0 for all.", &Options::limit,
             whole<std::int64_t>(0, many));
  probes.add("bos", "yes/no",
             "Put a beginning-of-text token before every probe (Pythia was trained without one).",
             &Options::bos, yes_or_no);
  probes.add("long", "",
             "Probes beyond the context: drop them, keep their last tokens (left), or stop (error).",
             &Options::long_, choice({"drop", "left", "error"}));
}

void add_extract(std::vector<Key<Deck>>& keys) {
  using Options = model::ExtractOptions;
  Group<Deck, Options> extract(keys, "extract", {&Deck::extract}, {Stage::extract});
  // What is extracted at which checkpoint follows from the curves too: the caller lists the layers.
  extract
      .add("layers", "",
           "Layers to keep: needed (by the curves), all, or a list as 0,5,15, which "
           "curves over space and grid then follow alone, with the anchor's own.",
           &Options::layers, layers_selection)
      .stages = {};
  extract.add("dtype", "", "Type of the vectors in activation files: float32 or float16.", &Options::dtype,
              choice({"float32", "float16"}));
  // Asked of the checkpoints of anchors with a space curve alone: the caller lists them.
  extract
      .add("components", "yes/no",
           "Keep also what attention and MLP of each block added, at the anchors that have a space curve "
           "(every "
           "layer up to its last is then kept there, in three times the room): what attribute reads.",
           &Options::components, yes_or_no)
      .stages = {};
  // A unit of its own for each checkpoint: the caller lists these too.
  extract
      .add("loss", "yes/no",
           "Also the mean next-token loss of the probes at every checkpoint of the curves, as a measure of "
           "drift: a second pass over each, with one product with the unembedding per token.",
           &Options::loss, yes_or_no)
      .stages = {};
}

void add_sae(std::vector<Key<Deck>>& keys) {
  using Options = sae::SaeOptions;
  Group<Deck, Options> sae(keys, "sae", {&Deck::sae}, {Stage::train});
  sae.add("latents", "latents",
          "Size h of the dictionary. Latents should see at least 20 verify probes on average.",
          &Options::latents, whole<std::int64_t>(1, mega));
  sae.add("k", "latents", "Latents kept per probe, at most h.", &Options::k, whole<std::int64_t>(1, mega));
  sae.add("steps", "steps", "Optimizer steps.", &Options::steps, whole<std::int64_t>(1, many));
  sae.add("batch", "probes", "Probes per step; cut to the size of the fit part.", &Options::batch,
          whole<std::int64_t>(1, mega));
  sae.add("seeds", "SAEs", "SAEs trained per anchor, to show their spread.", &Options::seeds,
          whole<std::int64_t>(1, 1000));
  sae.add("init", "", "Where directions start: at probes far apart (data) or anywhere (random).",
          &Options::init, choice({"data", "random"}));
  sae.add("dead_after", "probes",
          "Samples without firing after which a latent is dead; 0: two passes over the fit part.",
          &Options::dead_after, whole<std::int64_t>(0, many));
}

void add_interpret(std::vector<Key<Deck>>& keys) {
  using Options = interpret::InterpretOptions;
  Group<Deck, Options> interpret(keys, "interpret", {&Deck::interpret}, {Stage::interpret});
  interpret.add(
      "teacher", "",
      "Who labels latents and verifies the labels: lexical (terms of the firing probes, needs no "
      "download); http (an instruction model behind an OpenAI-compatible server); neox (a GPT-NeoX "
      "instruction model such as Dolly-v2, run in this job); or cache: the answers that another teacher has "
      "left in the output folder.",
      &Options::teacher, choice({"lexical", "http", "neox", "cache"}));
  interpret
      .add_words_or_path(
          "model",
          "Model of a teacher that reads, as its server calls it; for neox: its folder, with config.json, "
          "tokenizer.json and weights; for cache: whose answers, where there are several's.",
          &Options::model, &Options::model_path,
          [](const Options& options) { return options.teacher == "neox"; })
      .shown_default = "none";
  interpret
      .add_path("prompts",
                "Folder of label.txt and judge.txt, what a teacher that reads is asked, and for neox of "
                "neox.txt, what "
                "stands around it; bundled: the program's own, which inputs/prompts shows.",
                &Options::prompts, "bundled")
      .input_path = true;
  interpret.add("f1", "0..1", "F1 from which on a latent is interpretable.", &Options::f1, real(0, 1));
  interpret.add("min_support", "probes", "Firing verify probes below which a latent is unsupported.",
                &Options::min_support, whole<std::int64_t>(0, many));
}

void add_match(std::vector<Key<Deck>>& keys) {
  using Options = match::MatchOptions;
  Group<Deck, Options> match(keys, "match", {&Deck::match}, {Stage::match});
  match
      .add_path(
          "encoder",
          "Who embeds labels and phrases: lexical (latent semantic analysis over probes and phrases, "
          "needs no download), or the folder of a BERT or MPNet sentence encoder as sentence-transformers "
          "or Hugging Face lay it out; jobs/get-encoder.sh fetches one.",
          &Options::encoder, "lexical")
      .input_path = true;
  match.add_path("subjects", "JSON file of every subject's phrases, and decoys.", &Options::subjects)
      .input_path = true;
  match.add("phrases", "",
            "How several phrases of a subject count: the nearest to the label (max), or their mean (mean).",
            &Options::phrases, choice({"max", "mean"}));
  match.add("tau", "cosine",
            "Similarity from which on a label is matched to a subject: a number (the paper: 0.3 with MPNet), "
            "or auto, where 5 % of decoy phrases match.",
            &Options::tau, real_text_or_auto(-1, 1));
}

void add_track(std::vector<Key<Deck>>& keys) {
  using Options = emergence::TrackOptions;
  Group<Deck, Options> track(keys, "track", {&Deck::track}, {Stage::track});
  track
      .add("bootstrap", "resamples", "Resamples of whole groups behind every interval; 0: no intervals.",
           &Options::bootstrap, whole<std::int64_t>(0, mega))
      .stages = {Stage::attribute, Stage::track};
  track.add("permutations", "shuffles", "Shuffles of the subjects behind every null; 0: no nulls.",
            &Options::permutations, whole<std::int64_t>(0, mega));
}

void add_controls(std::vector<Key<Deck>>& keys) {
  using Options = emergence::ControlOptions;
  Group<Deck, Options> controls(keys, "controls", {&Deck::controls}, {Stage::track});
  controls.add(
      "random_latents", "draws",
      "Draws of random latents that fire as often, in the place of the matched ones, at every point; "
      "0: none.",
      &Options::random_latents, whole<std::int64_t>(0, 1'000'000));
  controls.add("ceiling", "yes/no",
               "For scale curves: the anchor's residuals cut to as many principal components as each smaller "
               "model has dimensions.",
               &Options::ceiling, yes_or_no);
  controls.add("random_weights", "",
               "A model of the same shape that never learned: none; labels (it gets a dictionary, labels and "
               "matches where the anchor is); or curves (these, and along each curve what the anchor's "
               "dictionary reads in models with random weights: the floor).",
               &Options::random_weights, choice({"none", "labels", "curves"}));
  controls.add("first_step", "yes/no",
               "A dictionary with labels and matches of the anchor model's first step, carried along time.",
               &Options::first_step, yes_or_no);
  controls.add(
      "own_anchor", "",
      "Curves at each of whose sites a dictionary with labels and matches is made anew: any of time, "
      "space, scale, grid. A training for each site.",
      &Options::own_anchor, none_or_some_of({"time", "space", "scale", "grid"}), spell_or_none);
  controls.add("seeds", "yes/no",
               "With sae.seeds above 1: labels, matches and curves of every seed's dictionary, and their "
               "spread.",
               &Options::seeds, yes_or_no);
}

void add_run(std::vector<Key<Deck>>& keys) {
  // The kind of device changes last digits: the caller puts the one in use into fingerprints, not the wish.
  Group<Deck, RunOptions> run(keys, "run", {&Deck::run}, {});
  run.add("device", "", "What computes: auto (the best there is), host, or cuda.", &RunOptions::device,
          choice({"auto", "host", "cuda"}));
  run.add("precision", "",
          "Numbers of the forward pass: fp32; bf16 or fp16 for weights and between operations, the residual "
          "stream and all sums staying fp32.",
          &RunOptions::precision, choice({"fp32", "bf16", "fp16"}))
      .stages = forward_passes;
  run.add("pack_tokens", "tokens", "Most tokens of the probes that run together; at least the longest probe.",
          &RunOptions::pack_tokens, whole<std::int64_t>(1, many))
      .stages = forward_passes;
  run.add("seed", "", "Seed of everything random.", &RunOptions::seed, whole<std::uint64_t>(0)).stages =
      after_extraction;
  run.add("audit", "",
          "Checkpoints that fail the audit: drop (leave them out, marked as gaps), strict (stop), or ignore "
          "(do "
          "not look).",
          &RunOptions::audit, choice({"drop", "strict", "ignore"}))
      .stages = {Stage::track};
}

/// How a teacher is reached.
void add_teacher(std::vector<Key<Deck>>& keys) {
  using Options = interpret::InterpretOptions;
  Group<Deck, Options> interpret(keys, "interpret", {&Deck::interpret}, {});
  interpret.add("server", "URL", "Server of teacher http, an OpenAI-compatible API, with or without /v1.",
                &Options::server, server_url);
  interpret
      .add("key_env", "",
           "Name of the environment variable that holds the server's key, which stands nowhere else.",
           &Options::key_env, variable_name)
      .shown_default = "none";
  interpret.add("key_over_http", "yes/no", "Send the key to another machine without encryption all the same.",
                &Options::key_over_http, yes_or_no);
  interpret.add("concurrency", "requests", "Requests under way at once, over all ranks.",
                &Options::concurrency, whole<std::int64_t>(1, 4096));
  interpret.add("rate", "requests/min", "Most requests begun per minute, over all ranks; 0: no limit.",
                &Options::rate, whole<std::int64_t>(0, many));
  interpret.add("timeout", "time", "Time that one answer may take; 0: no limit.", &Options::timeout, duration,
                spell_duration);
  interpret.add("retries", "",
                "How often a request is sent again after a failure that may pass: no connection, no answer "
                "in time, a busy server, an answer that is no JSON.",
                &Options::retries, whole<std::int64_t>(0, 1000));
}

void add_running(std::vector<Key<Deck>>& keys) {
  Group<Deck, RunOptions> run(keys, "run", {&Deck::run}, {});
  run.add_path("output", "Folder of all results, always relative to the working directory.",
               &RunOptions::output)
      .shown_default = "results/NAME for NAME.ini";
  run.add("memory", "bytes", "Memory a rank may use, as 8G, 8GiB or 8GB; auto: its share of the node's.",
          &RunOptions::memory, or_auto<std::uint64_t>(size),
          [](const auto& bytes) { return spell_or_auto<std::uint64_t>(bytes, spell_size); });
  run.add("threads", "threads",
          "Threads of a rank; auto: the cores it may use, shared out over the ranks of the node.",
          &RunOptions::threads, or_auto<int>(whole<int>(1, 4096)),
          [](const auto& count) { return spell_or_auto<int>(count, spell); });
  run.add("share_device", "yes/no", "Whether several ranks may compute on one CUDA device; no: exit 71.",
          &RunOptions::share_device, yes_or_no);
  run.add_path(
      "machine",
      "What `incipit calibrate` measured on this machine: balance of the work and length of waves hang on "
      "it, no result. none: rates are assumed.",
      &RunOptions::machine, "none");
  run.add(
      "max_time", "time",
      "Stop cleanly before this is over, counted from the start: 90s, 45m, 8h, 2d, 08:00:00; 0: no limit.",
      &RunOptions::max_time, duration, spell_duration);
  run.add("queue", "yes/no",
          "Ranks take the next checkpoint from one list when they are done with one, instead of doing a list "
          "of their own: for machines whose nodes differ in speed. Results are the same.",
          &RunOptions::queue, yes_or_no);
  run.add("part_after", "time",
          "Work that would hurt to lose is kept so often: waves of a checkpoint expected to take longer, and "
          "the state of SAE training and curves, which take less than 2 % of their time for it.",
          &RunOptions::part_after, duration, spell_duration);
  run.add("patience", "time",
          "The job is ended once no rank has given a sign of life for so long; 0: no limit.",
          &RunOptions::patience, duration, spell_duration);
  run.add("redo", "yes/no", "Make stale stages again instead of refusing.", &RunOptions::redo, yes_or_no);
  run.add("keep_activations", "yes/no",
          "no: `run` drops each checkpoint's activations once the curves have what they read there, "
          "and have kept it (run.part_after); until then all are there. Other subcommands that read them "
          "want them extracted again.",
          &RunOptions::keep_activations, yes_or_no);
  run.add("only", "",
          "Models whose checkpoints this job does, between commas: extract and loss alone, so that each job "
          "of "
          "an array takes its own.",
          &RunOptions::only, words)
      .shown_default = "all that are needed";
  run.add("mpi_hints", "", "Hints for MPI-IO as name=value, between commas.", &RunOptions::mpi_hints,
          free_text)
      .shown_default = "none";
}

void add_operational(std::vector<Key<Deck>>& keys) {
  const auto before = static_cast<std::ptrdiff_t>(keys.size());
  add_teacher(keys);
  add_running(keys);
  std::for_each(keys.begin() + before, keys.end(), [](Key<Deck>& key) { key.operational = true; });
}

std::vector<Key<Deck>> make_deck_keys() {
  std::vector<Key<Deck>> keys;
  add_family(keys);
  add_probes(keys);
  add_extract(keys);
  add_sae(keys);
  add_interpret(keys);
  add_match(keys);
  add_track(keys);
  add_controls(keys);
  add_run(keys);
  add_operational(keys);
  return keys;
}

std::vector<Key<Anchor>> make_anchor_keys() {
  std::vector<Key<Anchor>> keys;
  Group<Anchor, Anchor> anchor(keys, "anchor.NAME", {},
                               {Stage::train, Stage::align, Stage::attribute, Stage::track});
  anchor.add("model", "", "Model of the family.", &Anchor::model, free_text).shown_default = "the largest";
  anchor.add("step", "", "Training step: a number, or last.", &Anchor::step, anchor_step);
  anchor.add("layer", "",
             "Layer: a number (0 is the embedding's output), last, or a fraction of the depth such as 0.5.",
             &Anchor::layer, anchor_layer);
  auto& curves =
      anchor.add("curves", "", "Curves drawn with it: any of time, space, scale, grid (all sites).",
                 &Anchor::curves, some_of({"time", "space", "scale", "grid"}));
  curves.shown_default = "NAME if it is a curve's, else time";
  curves.stages = {Stage::track};
  return keys;
}

}  // namespace

const std::vector<Key<Deck>>& deck_keys() {
  static const std::vector<Key<Deck>> keys = make_deck_keys();
  return keys;
}

const std::vector<Key<Anchor>>& anchor_keys() {
  static const std::vector<Key<Anchor>> keys = make_anchor_keys();
  return keys;
}

const std::vector<Section>& sections() {
  static const std::vector<Section> all = {
      {"family", "the models and training steps there are"},
      {"probes", "the texts, their subjects, and how they are split"},
      {"anchor.NAME", "a site whose dictionary is followed; any number, NAME of a-z, 0-9 and _"},
      {"extract", "what is kept of the forward passes"},
      {"sae", "the dictionaries"},
      {"interpret", "labels of latents"},
      {"match", "labels matched to subjects"},
      {"track", "intervals and nulls of the curves"},
      {"controls", "what stands beside the curves"},
      {"run", "how it is run"}};
  return all;
}

std::optional<AnchorName> as_anchor_name(std::string_view name) {
  constexpr std::string_view prefix = "anchor.";
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const auto dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  return AnchorName{std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

bool good_anchor_name(std::string_view name) {
  constexpr std::size_t longest = 64;
  return !name.empty() && name.size() <= longest && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::vector<std::string> default_curves(const std::string& anchor) {
  const bool is_curve = anchor == "time" || anchor == "space" || anchor == "scale" || anchor == "grid";
  return {is_curve ? anchor : "time"};
}

std::vector<std::string> known_names(std::string_view anchor) {
  std::vector<std::string> names;
  for (const auto& key : deck_keys()) names.push_back(key.full_name());
  for (const auto& key : anchor_keys()) names.push_back("anchor." + std::string(anchor) + "." + key.name);
  return names;
}

}  // namespace incipit::deck
