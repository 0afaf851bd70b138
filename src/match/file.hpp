#pragma once

#include <filesystem>
#include <string>

#include "match/matching.hpp"
#include "match/subjects.hpp"
#include "parallel/communicator.hpp"
#include "store/writer.hpp"

namespace incipit::match {

/// What match/ANCHOR.h5 holds (kind "match"): subject, phrases, read; latents/{label, interpretable,
/// similarity, matched}; tau/{tau, decoy_rate, matched}; scalars tau_used and decoy_rate as attributes of
/// `latents`.
struct MatchFile {
  std::string encoder;  ///< Encoder::name()
  Subjects subjects;
  std::vector<std::string> labels;
  std::vector<int8_t> interpretable;
  Matches matches;
};

/// Collective over `comm`; every rank passes the same.
void write_match(const parallel::Communicator& comm, const std::filesystem::path& path,
                 const store::Header& header, const MatchFile& file);

/// similarity, matched below GROUP/latents and the table below GROUP/tau, for emergence.h5, beside what
/// interpret::write_label_group writes there.
void write_match_group(store::Writer& writer, const std::string& group, const Matches& matches);

/// Error io or data as store::Reader; Error data when datasets disagree in length.
MatchFile read_match(const std::filesystem::path& path);

}  // namespace incipit::match
