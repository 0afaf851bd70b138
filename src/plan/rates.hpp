#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace incipit::plan {

/// A rate that grows with the size of the matrices: measured at some widths.
struct Ladder {
  std::vector<double> width;  ///< ascending
  std::vector<double> rate;   ///< per second, of each

  /// Between two widths as a power of the width, beyond the ends that of the end. Error defect when empty.
  [[nodiscard]] double at(double width_wanted) const;
};

/// What a rank of some machine does in a second: measured there by `incipit calibrate`, or assumed. Which
/// rank does what, and how long waves are, hang on it; never a result.
struct Rates {
  std::string source = "assumed";  ///< or the file it was read from
  std::string about;               ///< one line: which machine, ranks, threads
  int threads = 1;                 ///< of the rank that was measured
  int ranks = 1;                   ///< that worked at once, on one node
  Ladder forward;                  ///< FLOP/s of a forward pass by the model's width
  Ladder train;                    ///< FLOP/s of SAE training by √(latents · width)
  double read = 1e9;               ///< bytes/s that one rank alone reads
  double read_all = 1e9;           ///< bytes/s that all ranks of the job read together
  double write_all = 1e9;          ///< bytes/s that all ranks of the job write together
  double file = 0.01;              ///< seconds to make one more file: create, flush, rename
  /// Units per second of a rank, by the phase of the log, of what is neither a forward pass nor training; see
  /// Task::units.
  std::map<std::string, double> units;

  /// Of a phase. Error defect where it is not known.
  [[nodiscard]] double units_of(const std::string& phase) const;
};

enum class Kind { host, cuda };

/// Of a rank with so many threads, or with a GPU: orders of magnitude, for who has not calibrated.
[[nodiscard]] Rates assumed_rates(Kind kind, int threads);

/// Reads what `calibrate` wrote, for ranks of so many threads, or of as many as were measured: what computing
/// does scales with them. Phases that the file lacks are assumed. Error io or data naming file and key.
[[nodiscard]] Rates read_rates(const std::filesystem::path& file, std::optional<int> threads);

/// As JSON, atomically. Error io.
void write_rates(const std::filesystem::path& file, const Rates& rates);

}  // namespace incipit::plan
