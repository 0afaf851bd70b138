#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "command/study.hpp"
#include "deck/deck.hpp"
#include "store/writer.hpp"

namespace incipit::command {

/// One file that some stage makes, and what it must have been made from.
struct Unit {
  deck::Stage stage;
  std::string kind;  ///< as in files.md: activations, sae, labels, match, align, attribution, emergence, loss
  std::filesystem::path path;
  std::string fingerprint;
  std::string keys;                          ///< the deck's lines this stage reads
  std::vector<store::Header::Input> inputs;  ///< every file read for it
  std::string device;                        ///< the kind that makes it
  /// What the fingerprints of later stages are made of: the unit's own, but for what the file holds beyond
  /// what they read. So components may be asked for later, and no dictionary is made anew.
  std::string lineage = {};
};

enum class State { missing, done, stale };

/// The files are the ledger (design §5): which units a deck asks for, under which fingerprint. Those of
/// losses in the scope of a ladder, and with extract.loss in that of curves; all others in that of curves.
class Ledger {
 public:
  /// `hashes` holds the SHA-256 of every file of `input_files`. `device` names the device kind.
  Ledger(const deck::Deck& deck, const Study& study, const std::map<std::string, std::string>& hashes,
         const std::string& device);

  [[nodiscard]] const Unit& activations(std::size_t checkpoint) const { return activations_[checkpoint]; }
  /// The activations of the checkpoint a site lies in.
  [[nodiscard]] const Unit& activations(const Site& site) const {
    return activations_[study_->checkpoint_of(site)];
  }
  /// Of a checkpoint that training made.
  [[nodiscard]] const Unit& loss(std::size_t checkpoint) const { return loss_[checkpoint]; }
  [[nodiscard]] const Unit& loss(const Site& site) const { return loss_[study_->checkpoint_of(site)]; }
  // An anchor's dictionary and maps have the anchor's number.
  [[nodiscard]] const Unit& sae(std::size_t dictionary) const {
    return sae_[study_->dictionaries[dictionary].trained];
  }
  [[nodiscard]] const Unit& labels(std::size_t dictionary) const { return labels_[dictionary]; }
  [[nodiscard]] const Unit& match(std::size_t dictionary) const { return match_[dictionary]; }
  [[nodiscard]] const Unit& align(std::size_t maps) const { return align_[maps]; }
  /// Of an anchor with a space curve, where extract.components is set.
  [[nodiscard]] const Unit& attribution(std::size_t anchor) const { return attribution_.at(anchor); }
  [[nodiscard]] bool attributes(std::size_t anchor) const { return attribution_.contains(anchor); }
  [[nodiscard]] const Unit& emergence() const { return emergence_; }
  /// Of a study whose dictionaries a sweep made: what is counted from them.
  [[nodiscard]] const Unit& sweep() const { return sweep_; }
  [[nodiscard]] std::vector<const Unit*> of(deck::Stage stage) const;

 private:
  const Study* study_;
  std::vector<Unit> activations_, sae_, labels_, match_, align_, loss_;
  std::map<std::size_t, Unit> attribution_;  ///< by anchor
  Unit emergence_, sweep_;
};

/// Every file the fingerprints hang on: weights, configs, tokenizers, probes, subjects.
std::vector<std::filesystem::path> input_files(const deck::Deck& deck, const Study& study);

/// Whether a unit's file is there and was made from the same things.
State state_of(const Unit& unit);

/// Why a stale unit is stale: the keys that differ, or the inputs that changed.
std::string why_stale(const Unit& unit);

}  // namespace incipit::command
