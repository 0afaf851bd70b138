#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "deck/deck.hpp"
#include "deck/values.hpp"

/// The one table of all deck keys.
namespace incipit::deck {

/// How an input's path is spelt: as the Deck holds it, or absolute.
enum class Paths { as_held, absolute };

/// One key of `Owner`, which is Deck, or Anchor for the keys of every `[anchor.NAME]`.
template <class Owner>
struct Key {
  std::string section;  ///< "anchor.NAME" for an anchor's
  std::string name;
  std::string unit;  ///< empty: words
  std::string help;
  std::vector<Stage> stages = {};  ///< whose results it changes
  std::function<void(Owner&, const Text&)> set;
  std::function<std::string(const Owner&, Paths)> get;
  bool required = false;     ///< has no default
  bool operational = false;  ///< changes where, when and how fast, never a result
  bool input_path = false;   ///< names an input, whose content counts instead
  /// Whether it names an input in this deck, where that hangs on other keys; null: it does not.
  std::function<bool(const Owner&)> names_input = {};
  std::string shown_default = {};  ///< what help shows where the default's text would not tell

  [[nodiscard]] std::string full_name() const { return section + "." + name; }
  /// The default: what the option struct holds from the start.
  [[nodiscard]] std::string fallback() const { return get(Owner{}, Paths::as_held); }
};

/// All keys but those of anchors, by section, operational keys last.
const std::vector<Key<Deck>>& deck_keys();

/// Keys of an anchor, the same for each.
const std::vector<Key<Anchor>>& anchor_keys();

struct Section {
  std::string name;
  std::string title;
};

/// Sections in their order, `anchor.NAME` among them.
const std::vector<Section>& sections();

/// `anchor.NAME.key` taken apart; none when `name` does not start with "anchor." or has no three parts.
struct AnchorName {
  std::string anchor, key;
};
std::optional<AnchorName> as_anchor_name(std::string_view name);

/// NAME of an anchor: one to 64 of a-z, 0-9 and _.
bool good_anchor_name(std::string_view name);

/// The curves of an anchor that names none: its own name where that is a curve's, else time.
std::vector<std::string> default_curves(const std::string& anchor);

/// All full names; the anchors' keys with `anchor` in the place of NAME.
std::vector<std::string> known_names(std::string_view anchor = "NAME");

}  // namespace incipit::deck
