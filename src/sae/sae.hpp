#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace incipit::sae {

/// Training as it went, about 100 points; the losses of a point are means over the steps since the point
/// before.
struct History {
  std::vector<std::int64_t> step;  ///< steps done
  std::vector<double> loss;        ///< fvu + fvu_multi / 8 + auxk / 32
  std::vector<double> fvu;         ///< FVU(k), 1
  std::vector<double> fvu_multi;   ///< FVU(min(4k, h)), 1
  std::vector<double> auxk;        ///< AuxK, 1; 0 where no latent was dead
  std::vector<double> dead;        ///< share of dead latents after `step` steps, 1
};

/// A trained top-k sparse autoencoder (science §2) with the normalisation of its anchor's fit part:
///   u = (x − mean) / scale,   z = encoder · (u − pre_bias) + encoder_bias,
///   a = max(z, 0) for the k largest z, else 0,   û = decoderᵀ · a + pre_bias.
struct Sae {
  std::int64_t h = 0;
  std::int64_t d = 0;
  std::int64_t k = 0;
  std::vector<float> encoder = {};       ///< h×d
  std::vector<float> encoder_bias = {};  ///< h
  std::vector<float> decoder = {};       ///< h×d, rows of unit norm
  std::vector<float> pre_bias = {};      ///< d
  std::vector<float> mean = {};          ///< d, μ of the fit part
  float scale = 1;                       ///< s, with E‖x − μ‖² = s²·d over the fit part
  History history = {};
  double verify_fvu = 0;     ///< FVU(k) of the verify part after the last step
  bool unconverged = false;  ///< that FVU moved by more than 1 % in the last tenth of the steps
  std::uint64_t seed = 0;
};

/// u = (x − mean) / scale, row by row. x and u: n×d (d = mean.size()); they may be the same memory.
void normalise(std::span<const float> x, std::span<const float> mean, float scale, std::span<float> u);

}  // namespace incipit::sae
