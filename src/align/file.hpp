#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "align/procrustes.hpp"

namespace incipit::parallel {
class Communicator;
}
namespace incipit::store {
class Reader;
class Writer;
}  // namespace incipit::store

namespace incipit::align {

/// A site that was aligned, or (with a reason) was not.
struct SiteName {
  std::string model;
  int64_t step = 0;
  int64_t layer = 0;
};

/// Writes align/ANCHOR.h5 into `writer`: the table of `sites` (the same on every rank) and the maps, each
/// by the rank that has it. `mine` pairs an index into `sites` with its alignment; a site that no rank has
/// (dropped, without variance) stands in the table with rank 0 and NaN. Collective.
/// Errors: defect, if two ranks bring the same site.
void write_alignments(const parallel::Communicator& comm, store::Writer& writer,
                      const std::vector<SiteName>& sites,
                      const std::vector<std::pair<int64_t, Alignment>>& mine);

/// The table of an align file, in the order written.
std::vector<SiteName> read_sites(const store::Reader& reader);

/// The alignment of the given row of the table; one of rank 0 where there was none.
Alignment read_alignment(const store::Reader& reader, int64_t site);

}  // namespace incipit::align
