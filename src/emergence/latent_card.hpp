#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interpret/autointerp.hpp"
#include "interpret/nearest.hpp"
#include "nan.hpp"
#include "store/reader.hpp"

namespace incipit::emergence {

/// All that emergence.h5 says of one latent.
struct LatentCard {
  struct Subject {
    std::string name;
    double cosine = nan;  ///< of the label with the subject's phrases
    bool matched = false;
    double fire_rate = nan;  ///< share of the subject's fit probes on which the latent fires
  };
  struct Text {
    interpret::Nearest nearest;
    std::string text;
  };
  struct Along {
    std::string curve;
    std::vector<double> fire_rate;  ///< [rung, point]; none in files from before they were kept
  };

  std::string anchor, model;
  int64_t step = 0, layer = 0;
  std::string teacher;
  interpret::LatentLabel label;   ///< without examples and judgements
  int64_t judged = 0;             ///< verify probes that the label was judged on
  double teacher_auc = nan;       ///< how well the teacher's scores tell those that fire from the others
  double tau = nan;               ///< match.tau
  std::vector<Subject> subjects;  ///< the nearest first
  std::vector<Text> texts;        ///< as interpret::NearestProbes orders them
  bool has_texts = false;         ///< files from before they were kept have none
  std::vector<Along> curves;
};

/// Error usage for an anchor or latent that is not there, naming what is; Error data as store::Reader, or
/// when datasets disagree.
LatentCard read_latent_card(const store::Reader& file, const std::string& anchor, int64_t latent);

}  // namespace incipit::emergence
