#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "interpret/autointerp.hpp"
#include "interpret/nearest.hpp"
#include "parallel/communicator.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::interpret {

/// What labels/ANCHOR.h5 holds (kind "labels"): the group `latents` and, below it, `examples`,
/// `judgements`, `judged` and `nearest`, with the names of docs/schema.md.
struct Labels {
  std::string teacher;  ///< Teacher::name()
  std::vector<std::string> subjects;
  std::vector<LatentLabel> latents;
  std::string model = {}, server = {};             ///< Teacher::model(), Teacher::server()
  std::vector<std::vector<Nearest>> nearest = {};  ///< [latent]; nothing in files from before it was kept
};

/// Collective over `comm`; every rank passes the same labels.
void write_labels(const parallel::Communicator& comm, const std::filesystem::path& path,
                  const store::Header& header, const Labels& labels, const corpus::Probes& probes);

/// The same datasets below `group` of a file that is being written ("anchors/time" of emergence.h5 gives
/// anchors/time/latents/…). `write_labels` uses it with "".
void write_label_group(store::Writer& writer, const std::string& group, const Labels& labels,
                       const corpus::Probes& probes);

/// Error io or data as store::Reader; Error data when datasets disagree in length.
Labels read_labels(const std::filesystem::path& path);

/// What `group`, "anchors/time/latents/" of an emergence.h5, says of one latent by itself: neither its rates
/// by subject nor its examples and judgements. Error as store::Reader.
LatentLabel read_label(const store::Reader& file, const std::string& group, int64_t latent);

/// Error usage, naming those that are there, where an emergence.h5 lacks an anchor.
void require_anchor(const store::Reader& emergence, const std::string& anchor);

}  // namespace incipit::interpret
