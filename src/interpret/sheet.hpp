#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "interpret/teacher.hpp"

/// A human check of labels: people are shown a label and texts, as the teacher was, and say which texts it
/// fits.
namespace incipit::interpret {

struct SheetOptions {
  std::string anchor = "time";
  int64_t latents = 30;  ///< drawn; all there are if there are fewer
  int64_t texts = 10;    ///< on a card, even: half of them fire the latent
  int64_t decoys = 1;    ///< decoy cards per latent
  uint64_t seed = 1;
};

/// What the teacher said, or that it was not asked about this label and text.
enum class Said : int8_t { no = 0, yes = 1, unparsed = 2, not_asked = 3 };

/// A verify probe that the label of some latent was judged on.
struct JudgedText {
  int64_t probe;
  std::string text;
  bool fires;
  Said teacher;
};

/// An interpretable latent that a sheet may ask about.
struct Candidate {
  int64_t latent;
  std::string label;
  std::string subject;             ///< that it matches best; "none" if it matches none
  std::vector<double> similarity;  ///< [subject] of its label
  std::vector<JudgedText> judged;
};

inline constexpr const char* no_subject = "none";

/// A label and texts. On a decoy the label is that of another latent.
struct Card {
  int64_t latent;        ///< whose texts these are
  int64_t label_latent;  ///< whose label this is
  std::string label, subject;
  std::vector<JudgedText> items;
  [[nodiscard]] bool decoy() const { return latent != label_latent; }
};

/// Cards in the order in which they are shown; numbers of cards and of their items count from 1.
struct Sheet {
  std::string id;  ///< s and 15 hexadecimal digits; every filled sheet bears it
  std::string anchor, teacher;
  std::vector<Card> cards;
};

/// Draws the sheet. Latents are drawn in turn from the matched subjects (a latent counts for the one it
/// matches best) and from those without, so that each has as nearly the same number as it can. Each latent
/// gets
///
/// - a card with its own label over texts that the teacher judged, half of them firing: here a person's
///   answers can be held against the teacher's;
/// - decoy cards, whose label is that of another interpretable latent: of another text and another subject,
/// and
///   among the half of those whose similarities to the subjects are least like this one's (by cosine). They
///   measure how readily a person says yes to anything.
///
/// A decoy shows other texts of the latent than its true card wherever enough were judged, for whoever meets
/// the same texts twice knows that one label is false; and none on which the shown label's own latent is
/// known to fire. Cards and the texts on them are shuffled, and neither their numbers nor anything else on
/// them differs between decoys and the rest. All depends on the seed and the candidates alone; the id on
/// `made_from` too, which names the file the candidates come from.
///
/// Only latents with texts / 2 firing and as many silent judged texts can be asked about. Error usage for
/// options out of range; Error data when fewer than two can be, or when decoys are asked for and all labels
/// are the same.
Sheet draw_sheet(std::span<const Candidate> candidates, const SheetOptions& options,
                 const std::string& made_from);

}  // namespace incipit::interpret
