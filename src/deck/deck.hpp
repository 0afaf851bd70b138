#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/family.hpp"
#include "corpus/probes.hpp"
#include "emergence/options.hpp"
#include "interpret/options.hpp"
#include "match/options.hpp"
#include "model/options.hpp"
#include "sae/options.hpp"

/// The input deck: every option of the program, its default, its range, where it was set. One table
/// (deck/registry.hpp) holds all keys; parsing, help, echo and fingerprints are read off it.
namespace incipit::deck {

/// One `[anchor.NAME]`: the site whose activations train a dictionary, and the curves drawn with it.
struct Anchor {
  std::string name;                 ///< [a-z0-9_]+
  std::string model;                ///< a model of the family; empty: the largest
  std::string step = "last";        ///< "last" or a whole number
  std::string layer = "last";       ///< "last", a whole number, or a fraction of the depth in (0, 1)
  std::vector<std::string> curves;  ///< of time, space, scale, grid, in this order; never empty
};

/// `[run]`.
struct RunOptions {
  std::filesystem::path output;         ///< relative to the working directory, or absolute
  std::string device = "auto";          ///< auto | host | cuda
  bool share_device = true;             ///< whether several ranks may compute on one CUDA device
  std::string precision = "fp32";       ///< fp32 | bf16 | fp16
  std::int64_t pack_tokens = 2048;      ///< most tokens in a pack
  std::optional<std::uint64_t> memory;  ///< bytes a rank may use; none: what the machine has
  std::optional<int> threads;           ///< threads of a rank; none: its share of the node's cores
  std::uint64_t seed = 1;
  std::string machine = "none";  ///< file of `calibrate`; none: rates are assumed
  std::string audit = "drop";    ///< drop | strict | ignore
  double max_time = 0;           ///< seconds; 0: no limit
  bool queue = false;            ///< teams take their checkpoints from one list, not from lists of their own
  double part_after = 60;        ///< seconds of work under way that may be lost
  double patience = 3600;        ///< seconds without a sign of life from any rank; 0: no limit
  bool redo = false;
  bool keep_activations = true;
  std::vector<std::string> only;  ///< models whose checkpoints this job extracts; empty: all that are needed
  std::string mpi_hints;          ///< `name=value` pairs for MPI-IO, separated by commas; empty: none
};

/// A deck, checked key by key. Input paths are joined to the folder they are relative to (the deck's
/// folder, or the working directory for a path given on the command line) and otherwise left as given;
/// `hf:ORG` is left alone.
struct Deck {
  checkpoint::FamilyOptions family;
  corpus::ProbeOptions probes;
  std::vector<Anchor> anchors;  ///< in the deck's order; never empty
  model::ExtractOptions extract;
  sae::SaeOptions sae;
  interpret::InterpretOptions interpret;
  match::MatchOptions match;
  emergence::TrackOptions track;
  emergence::ControlOptions controls;
  RunOptions run;
};

/// The words of a command line, parted into those that set a deck key (`--sae.latents=256`, also
/// `--sae.latents 256`, also `--run.redo` for yes) and all others, each in its order.
struct Words {
  std::vector<std::string> overrides;  ///< `--section.key=value`, one word each
  std::vector<std::string> others;
};

/// Errors: usage when a key stands at the end without its value.
Words part_words(const std::vector<std::string>& words);

/// Reads a deck and then the overrides (as on the command line), fills in defaults and checks every value.
/// An empty path stands for an empty deck. Errors: usage for anything wrong in deck or overrides, io when
/// the deck is there and cannot be read. The message names key, file and line, and what was expected.
Deck load(const std::filesystem::path& deck, const std::vector<std::string>& overrides);

/// Every key with default, unit and explanation, grouped by section, at most 100 columns wide.
std::string help();

/// The whole deck as INI, every key in the table's order and canonical spelling. Paths are absolute, so it
/// can be read back from anywhere: `resolved(load(resolved(deck))) == resolved(deck)`. Keys that change no
/// result stand last, under a comment that says so.
std::string resolved(const Deck& deck);

/// The deck as stored in every result: without the keys that change no result (those of
/// `resolved_operational`), and with paths as the Deck holds them, so that equal runs started alike in
/// two clones hold equal text.
std::string resolved_science(const Deck& deck);

/// The keys that change no result (how a teacher is reached; output, memory, threads, machine, max_time,
/// queue, part_after, redo, keep_activations, only, mpi_hints), as INI; for the `timing` group.
std::string resolved_operational(const Deck& deck);

enum class Stage { extract, train, interpret, match, align, attribute, track, loss };

std::string_view name_of(Stage stage);

/// The keys that `stage` reads, as lines `section.key = value` in canonical spelling: what goes into its
/// fingerprint. With `anchor` given, of the anchors' keys only those of that anchor. Paths of inputs are left
/// out: the hashes of what they name count instead. `family.models` and `family.steps` are left out too:
/// the caller lists the checkpoints themselves.
std::string keys_of(const Deck& deck, Stage stage, std::string_view anchor = {});

/// Names of the keys whose values differ between two texts made by `keys_of`, or stand in only one of them,
/// in order of appearance.
std::vector<std::string> differing_keys(std::string_view stored, std::string_view now);

}  // namespace incipit::deck
