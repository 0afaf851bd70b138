#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "emergence/estimate.hpp"
#include "emergence/groups.hpp"
#include "emergence/matched_sets.hpp"
#include "emergence/resampling.hpp"
#include "parallel/communicator.hpp"
#include "sae/sae.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {

/// What the residual is a sum of (science §10): the embedding, then attention and MLP of each block.
/// Components are numbered in this order from 0.
[[nodiscard]] std::string component_name(int64_t component);  ///< "embedding", "attention 3", "mlp 3"
/// The layer from which on the residual holds it: that of its block; 0 for the embedding.
[[nodiscard]] constexpr int64_t component_layer(int64_t component) {
  return (component + 1) / 2;
}
[[nodiscard]] constexpr bool is_attention(int64_t component) {
  return component % 2 == 1;
}
/// Of the residual after `layer`.
[[nodiscard]] constexpr int64_t components_at(int64_t layer) {
  return 1 + 2 * layer;
}

/// Who wrote a subject's concept, layer by layer (science §10). For a probe of subject c with matched latents
/// M_c, in anchor scaling at layer ℓ,
///   z   = mean of z_j over M_c, along a direction that is the same at all layers;
///   gap = (largest z_j of M_c) − (k-th largest of the others): a latent of M_c is kept where it is above 0.
/// Each is a constant and one term per component of ℓ: the component's output less its mean over the judged
/// probes, along w_j / s or (w_j − w_rival) / s. Values are means over the subject's judged probes; intervals
/// resample whole groups, the centre held fixed. NaN where M_c is empty, where the layer does not hold the
/// component, and for gaps where all latents are matched.
struct Attribution {
  std::vector<int64_t> layer;          ///< [point] ascending
  std::vector<std::string> subjects;   ///< [subject]
  std::vector<Estimate> contribution;  ///< [point, component, subject] to z; null and p are NaN throughout
  std::vector<Estimate> margin;        ///< [point, component, subject] to gap
  std::vector<Estimate>
      activation;             ///< [point, subject] z less its mean over all judged probes: Σ contribution
  std::vector<Estimate> gap;  ///< [point, subject]: a constant + Σ margin

  [[nodiscard]] int64_t components() const { return components_at(layer.back()); }
  [[nodiscard]] size_t at(int64_t point, int64_t component, int64_t subject) const {
    return static_cast<size_t>((point * components() + component) * std::ssize(subjects) + subject);
  }
  [[nodiscard]] size_t at(int64_t point, int64_t subject) const {
    return static_cast<size_t>(point * std::ssize(subjects) + subject);
  }
};

/// What an attribution is made from, beside the judged probes.
struct AttributionInput {
  const sae::Sae* sae = nullptr;
  Matched matched;             ///< [subject]
  std::vector<int64_t> layer;  ///< of the points, ascending
  std::vector<std::string> subjects;
  std::string where;  ///< "nano-550k step 4000": in messages
  /// Rows of the judged probes, [n, d]: of the residual after a layer, and what a component added.
  std::function<std::vector<float>(int64_t layer)> residual;
  std::function<std::vector<float>(int64_t component)> component;
};

/// Points and components are shared out over the ranks; the bytes do not depend on how. Error(numbers) names
/// the site, subject and probe where constant and terms differ from the forward pass's value by more than
/// 10⁻⁴ of Σ|terms|. Collective.
Attribution attribute(const parallel::Communicator& comm, const AttributionInput& input,
                      const JudgeSet& judge, const Resampling& resampling);

/// Where a subject's activation falls most from one point to the next, and who did it.
struct Fall {
  int64_t subject = 0;
  int64_t from = 0, to = 0;  ///< points
  double by = 0;             ///< below 0
  std::vector<int64_t>
      erasers;  ///< components between them that wrote against it, their interval below 0, worst first
};
/// The deepest fall of each subject that has one.
[[nodiscard]] std::vector<Fall> deepest_falls(const Attribution& attribution);

/// The components added between two points (from −1: all up to `to`) that wrote for a subject (their interval
/// above 0), most first; or, with `against`, against it.
[[nodiscard]] std::vector<int64_t> writers_between(const Attribution& attribution, int64_t from, int64_t to,
                                                   int64_t subject, bool against = false);

inline constexpr const char* contribution_meaning =
    "what the component adds to the mean pre-activation of the subject's latents, centred over probes";
inline constexpr const char* margin_meaning =
    "what it adds to their margin over the strongest other latents, centred over probes";
inline constexpr const char* activation_meaning =
    "mean pre-activation of the subject's latents, centred over probes: the sum of the contributions";
inline constexpr const char* gap_meaning =
    "margin of the subject's leading latent over what it must beat to be kept";

/// Datasets below `group` ("" for a file of its own), as docs/schema.md says. Collective.
void write_attribution(store::Writer& writer, const std::string& group, const Attribution& attribution);
/// Of a file of kind "attribution". Errors as store::Reader.
Attribution read_attribution(const std::filesystem::path& path);

}  // namespace incipit::emergence
