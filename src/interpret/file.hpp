#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "corpus/probes.hpp"
#include "interpret/autointerp.hpp"
#include "parallel/communicator.hpp"
#include "store/writer.hpp"

namespace incipit::interpret {

/// What labels/ANCHOR.h5 holds (kind "labels"): the group `latents` and, below it, `examples`,
/// `judgements` and `judged`, with the names of files.md.
struct Labels {
  std::string teacher;  ///< Teacher::name()
  std::vector<std::string> subjects;
  std::vector<LatentLabel> latents;
  std::string model = {}, server = {};  ///< Teacher::model(), Teacher::server()
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

}  // namespace incipit::interpret
