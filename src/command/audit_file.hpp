#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "checkpoint/audit.hpp"
#include "store/schema.hpp"

namespace incipit::command {

/// What audit.h5 holds.
struct AuditFile {
  struct Checkpoint {
    std::string model;
    const checkpoint::LadderStep* step;
    const checkpoint::Verdict* verdict;
  };
  std::vector<Checkpoint> checkpoints;
  std::vector<checkpoint::MissingStep> missing;
};

/// Writes audit.h5 as docs/schema.md says, by this rank alone, unless a file with the same content is there
/// already: then a second run of the same deck changes nothing. Makes the header's fingerprint.
void write_audit_file(const std::filesystem::path& path, store::Header header, const AuditFile& audit);

}  // namespace incipit::command
