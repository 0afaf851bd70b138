#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "parallel/work.hpp"
#include "store/reader.hpp"

namespace incipit::command {

/// activations/MODEL/stepN.h5, opened for reading.
class Activations {
 public:
  /// Error io or data as store::Reader; data when it does not hold `probes` probes.
  Activations(const std::filesystem::path& path, std::int64_t probes);

  [[nodiscard]] std::int64_t width() const { return width_; }  ///< d
  /// The residuals at `layer` of the probes `which` (ascending): [which, d]. Error data when the file lacks
  /// the layer.
  [[nodiscard]] std::vector<float> rows(int layer, std::span<const std::int64_t> which) const;
  /// A block of the probes: [block, d].
  [[nodiscard]] std::vector<float> rows(int layer, parallel::BlockRange block) const;
  /// The same of another dataset: attention_out or mlp_out, of a file that has them.
  [[nodiscard]] std::vector<float> rows_of(const std::string& dataset, int layer,
                                           parallel::BlockRange block) const;
  [[nodiscard]] std::vector<float> rows_of(const std::string& dataset, int layer,
                                           std::span<const std::int64_t> which) const;

 private:
  store::Reader reader_;
  std::filesystem::path path_;
  std::vector<std::int32_t> layers_;
  std::int64_t probes_, width_;
};

}  // namespace incipit::command
