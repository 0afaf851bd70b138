#pragma once

#include <cstdint>
#include <vector>

#include "sae/sae.hpp"
#include "sae/trainer.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::sae {

/// Of the losses since the history's last point.
struct Sums {
  Terms of = {};
  std::int64_t count = 0;  ///< steps
};

/// Where an SAE's training stands between two steps: all that the steps to come hang on, beside job and
/// options.
struct State {
  std::int64_t steps = 0;  ///< done
  Parameters<float> parameters = {};
  Parameters<float> first = {}, second = {};  ///< Adam's moments
  std::vector<std::int64_t> idle = {};        ///< samples since each latent last fired
  History history = {};
  Sums sums = {};
  double fvu_before = 0;  ///< of the verify part before the last tenth of the steps, once there
};

/// One state a file. Collective; does not commit.
void write_state(store::Writer& writer, const State& state);

/// Error(Exit::data) when shapes disagree.
State read_state(const store::Reader& reader);

}  // namespace incipit::sae
