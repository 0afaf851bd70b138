#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/config.hpp"
#include "phantom/frame.hpp"
#include "phantom/plan.hpp"
#include "phantom/texts.hpp"

namespace incipit::phantom {

/// The weights of one model's checkpoints, as the plan wants them.
///
/// The embedding of a term holds its code, a nuisance and noise, none of which says anything of its subject.
/// What a subject is at a layer is written by MLP units that know terms: two units with the term's code as
/// their key make a step (gelu saturates to the same height for all inputs beyond both thresholds), so that a
/// probe of a known term gets exactly what is to be written, and all others nothing. Attention carries what
/// the fillers of a text hold to its last token, and nothing else.
///
/// Whatever the forward pass of a probe does not hear of (queries and keys, the unembedding, tokens and units
/// that are not used) drifts from step to step, as weights do in training.
class Builder {
 public:
  Builder(const Plan& plan, const Texts& texts, const std::vector<std::vector<double>>& codes,
          std::size_t model);

  [[nodiscard]] const checkpoint::Config& config() const { return config_; }
  [[nodiscard]] const Frame& frame() const { return frame_; }
  /// The tensors of a step, by its place. Places must be asked for in ascending order.
  [[nodiscard]] std::map<std::string, std::vector<float>> step(std::size_t place);

 private:
  using Tensors = std::map<std::string, std::vector<float>>;

  /// A direction's component, below `low` or above `high` behind layer norm.
  struct Gate {
    Direction direction;
    double low, high;
  };

  void advance_drift(std::size_t place);
  void embed(std::size_t place, Tensors& tensors) const;
  void attend(Tensors& tensors) const;
  void write_layer(std::size_t place, int64_t layer, Tensors& tensors) const;
  void open(const Gate& gate, int64_t slot, const Direction& output, int64_t layer, Tensors& tensors) const;

  [[nodiscard]] Direction term_embedding(std::size_t subject, std::size_t term, double progress) const;
  [[nodiscard]] Direction content(std::size_t subject, std::size_t term, State state) const;
  [[nodiscard]] Direction mean_shift(std::size_t subject, State state) const;
  [[nodiscard]] Gate key(std::size_t subject, std::size_t term) const;
  [[nodiscard]] double progress(std::size_t place) const;

  const Plan& plan_;
  const Texts& texts_;
  const std::vector<std::vector<double>>& codes_;
  std::size_t model_;
  Frame frame_;
  checkpoint::Config config_;
  std::vector<int64_t> first_slot_;        ///< [subject] of its units; -1 where the model does not know it
  double least_norm_ = 0, most_norm_ = 0;  ///< of the stream at a term
  Tensors drift_;
  std::size_t drifted_ = 0;  ///< places that drift_ has gone through
};

/// The nuisance that a term carries.
[[nodiscard]] int64_t nuisance_of(const Options& options, std::size_t subject, std::size_t term);

}  // namespace incipit::phantom
