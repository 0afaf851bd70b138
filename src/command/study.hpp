#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/family.hpp"
#include "corpus/packs.hpp"
#include "corpus/probes.hpp"
#include "deck/deck.hpp"

namespace incipit::command {

/// The step of a model with random weights, which no training made (science §6).
inline constexpr std::int64_t random_weights = -1;

/// Where a residual stream is looked at. `model` is an index into the study's family.
struct Site {
  int model;
  std::int64_t step;  ///< of training; or `random_weights`
  int layer;
  std::int64_t components = 0;  ///< its residuals cut to so many principal components; 0: as they are
  friend auto operator<=>(const Site&, const Site&) = default;  // NOLINT(modernize-use-nullptr): its own 0
};

/// The sites along which an anchor's concepts are followed, in the order of the axis.
struct Curve {
  std::string name;  ///< time, space, scale or grid
  std::vector<Site> points;
};

/// The site whose activations train an SAE, and the curves that SAE is carried along.
struct Anchor {
  std::string name;
  Site site;
  std::vector<Curve> curves;
  std::vector<Site> left_out = {};  ///< points of the curves whose checkpoint the audit dropped

  [[nodiscard]] bool is_left_out(const Site& where) const {
    return std::ranges::find(left_out, where) != left_out.end();
  }
};

/// What a sweep varies.
struct SaeSize {
  std::int64_t k, latents;
};

/// A site whose activations train an SAE, whose latents are labelled and matched: an anchor's, or that of one
/// of its controls.
struct Dictionary {
  std::string name;    ///< of files: the anchor's; with a control's behind it, "time.random_weights"
  std::string anchor;  ///< whose keys of the deck it goes by
  Site site;
  std::size_t trained;     ///< the dictionary whose file holds the SAE: this one, but for a further seed
  std::size_t seed = 0;    ///< which SAE of that file
  std::int64_t seeds = 1;  ///< SAEs trained
  std::optional<SaeSize> size = {};  ///< where a sweep wants another than the deck's
};

/// Sites mapped onto the one where a dictionary is at home: a file of alignments.
struct Maps {
  std::string name;    ///< of the file: the anchor's; with a control's behind it
  std::string anchor;  ///< whose keys of the deck it goes by
  Site home;
  std::vector<Site> sites;
};

/// A dictionary carried along sites: an anchor's curve, or that of one of its controls. All are followed in
/// the same way, and differ in what reads what.
struct Trail {
  std::string place;   ///< below the anchor in emergence.h5: "curves", "controls/first_step/curves"
  std::size_t anchor;  ///< as an index
  Curve curve;         ///< its name, and where its points lie on the axis
  struct Reading {
    std::size_t dictionary;
    Site site;
  };
  std::vector<Reading> readings;         ///< what reads what at each point
  std::optional<std::size_t> maps = {};  ///< where the sites' alignments are; none: there are none
  bool with_linear_probe = true;         ///< whether it is asked what is there for any dictionary
  std::optional<std::size_t> seed = {};  ///< of a further SAE at the anchor, of which only the spread is kept
  [[nodiscard]] bool of_anchor() const { return place == "curves" && !curve.name.starts_with("own_"); }
  /// Whether it is told what it says; of most controls the numbers are enough.
  [[nodiscard]] bool concludes() const { return place == "curves" || place == "everywhere"; }
};

/// One (model, step) of the scope, with the layers needed there, ascending.
struct Checkpoint {
  int model;
  std::int64_t step;
  std::filesystem::path folder;  ///< of random weights: of the checkpoint whose shape they have
  std::vector<int> layers;
  bool anchor;         ///< an SAE waits for this one: it goes first
  bool space = false;  ///< a space curve runs here: components are kept too, if the deck asks for them

  [[nodiscard]] bool random() const { return step == random_weights; }
  /// Of files: "step4000", "random_weights".
  [[nodiscard]] std::string name() const;
};

/// Which checkpoints a command is about.
enum class Scope {
  curves,  ///< those that the anchors' curves need
  ladder,  ///< every step of every model that the deck selects; without anchors, to the last layer
};

/// The probes in the tokens of one tokenizer.
struct Text {
  std::filesystem::path tokenizer;
  std::vector<std::vector<std::int32_t>> tokens;  ///< per probe
  std::vector<corpus::Pack> packs;
  std::vector<std::string> last_token;  ///< per probe, as the tokenizer spells it
};

/// What a sweep leaves, beside the files of its dictionaries.
struct Sweep {
  std::string kind;    ///< of the file
  std::string file;    ///< below the output
  std::string anchor;  ///< whose keys of the deck it goes by
};

/// What a deck means for the files that are there: everything later stages loop over.
struct Study {
  Scope scope = Scope::curves;
  checkpoint::Family family;
  corpus::Probes probes;  ///< those that fit every model's context (`probes.long`)
  std::int64_t dropped = 0;
  std::vector<Text> texts;               ///< one for each different tokenizer
  std::vector<int> text_of;              ///< per model, index into texts
  std::vector<Anchor> anchors;           ///< in the deck's order
  std::vector<Dictionary> dictionaries;  ///< the anchors', in their order; controls'; further seeds'
  std::vector<Maps> maps;                ///< the anchors', in their order; controls'
  std::vector<Trail> trails;             ///< the anchors', in their order, each with its controls' behind
  std::optional<Sweep> sweep;            ///< where dictionaries are a sweep's, not the anchors'
  std::vector<Checkpoint> checkpoints;   ///< without those that the audit dropped; random weights last
  std::vector<std::filesystem::path> teacher_files;  ///< that decide what the teacher says
  std::vector<std::filesystem::path> match_files;    ///< what matching reads beside the labels

  using Key = std::pair<int, std::int64_t>;  ///< (model, step)

  [[nodiscard]] const checkpoint::Model& model(const Site& site) const {
    return family.models[static_cast<std::size_t>(site.model)];
  }
  [[nodiscard]] const checkpoint::Model& model(const Checkpoint& checkpoint) const {
    return family.models[static_cast<std::size_t>(checkpoint.model)];
  }
  /// Which of the checkpoints a site lies in. Error(defect) where it lies in none.
  [[nodiscard]] std::size_t checkpoint_of(const Site& site) const;
  [[nodiscard]] std::string describe(const Site& site) const;  ///< "nano-550k step 4000 layer 5"
  /// The dictionary of an anchor's control, as an index; none where the deck asks for no such control.
  [[nodiscard]] std::optional<std::size_t> control(const Anchor& anchor, const std::string& name) const;
};

/// Takes checkpoints away. Their sites stay on the curves, as gaps.
void leave_out(Study& study, const std::vector<Study::Key>& checkpoints);

/// Of the checkpoints keeps those of these models: what a job of an array does. Error usage for a model that
/// the deck does not select, or no checkpoint of which is needed.
void keep_models(Study& study, const std::vector<std::string>& models);

/// The curve over space of an anchor; null where it has none.
const Curve* space_curve(const Anchor& anchor);

/// Lists what is to be trained, mapped and followed for the anchors and for the controls that the deck asks
/// for, and adds the models with random weights that these take. After leave_out.
void plan_trails(Study& study, const deck::Deck& deck);

/// The same for a sweep over the sizes of an anchor's dictionary, instead: one for each size, by size, then
/// those of further seeds; no curves. Of the checkpoints the anchor's stays.
void plan_size_sweep(Study& study, const deck::Deck& deck, std::size_t anchor,
                     const std::vector<SaeSize>& sizes);

/// The same for a sweep over where the dictionary is made: the anchor's, then one for each other point of its
/// curve that can be read; for each point a trail along the whole curve. Of the anchors and curves this one
/// stays.
void plan_anchor_sweep(Study& study, const deck::Deck& deck, std::size_t anchor, const std::string& curve);

/// The options that a dictionary is trained with.
sae::SaeOptions sae_options(const deck::Deck& deck, const Dictionary& dictionary);

/// The different sites of all an anchor's curves that can be read, in order of first appearance.
std::vector<Site> sites_of(const Anchor& anchor);

/// Finds the family, loads and tokenizes the probes, resolves anchors and curves (design §4).
/// Errors: usage for an anchor that names what is not there, data for what the files hold.
Study resolve(const deck::Deck& deck, Scope scope);

/// The layer an anchor's `layer` key means in a model of `layers` blocks: `last`, a number, or a fraction
/// of the depth (⌊f·L + ½⌋).
int resolve_layer(const std::string& text, std::int64_t layers, const std::string& where);

}  // namespace incipit::command
