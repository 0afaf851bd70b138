#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "checkpoint/audit.hpp"
#include "checkpoint/family.hpp"
#include "command/session.hpp"
#include "console/console.hpp"
#include "parallel/communicator.hpp"
#include "store/schema.hpp"

namespace incipit::command {

/// A checkpoint to be looked at. Those of one model stand together, their steps ascending.
struct AuditItem {
  std::string model;
  checkpoint::Config config;
  std::int64_t step = 0;
  std::filesystem::path folder;
};

/// What to do about a checkpoint that cannot be read: name it in the table, or end with its error.
enum class Unreadable { report, refuse };

/// The audit of a family: its checkpoints are fingerprinted, shared out over the ranks, and rank 0 compares
/// them model by model. What is found is the same for any number of ranks.
class FamilyAudit {
 public:
  /// Reads every checkpoint that `cache` (a folder; empty for none) does not hold with the same files' sizes
  /// and times. `between` is called before each and may throw. Collective. Errors as Weights::open and
  /// check_tensors, unless they are to be reported.
  FamilyAudit(const parallel::Communicator& world, console::Console& console, std::vector<AuditItem> items,
              const std::filesystem::path& cache, Unreadable unreadable,
              const std::function<void()>& between = {});

  [[nodiscard]] const std::vector<AuditItem>& items() const { return items_; }
  /// One per item.
  [[nodiscard]] const std::vector<checkpoint::Verdict>& verdicts() const { return verdicts_; }
  /// SHA-256 of every weight file, by its path.
  [[nodiscard]] const std::map<std::string, std::string>& hashes() const { return hashes_; }
  /// "nano-550k step 0: duplicate of step4000: cosine ..." for each checkpoint that is not ok.
  [[nodiscard]] std::vector<std::string> complaints() const;
  /// A row per checkpoint. Rank 0's.
  [[nodiscard]] std::string table() const;
  /// audit.h5, unless it is there with the same content. Rank 0 writes; collective.
  void write(const std::filesystem::path& path, store::Header header,
             const std::vector<checkpoint::MissingStep>& missing) const;

 private:
  void gather(const std::string& mine);
  void compare();
  void share();

  const parallel::Communicator& world_;
  std::vector<AuditItem> items_;
  std::vector<checkpoint::LadderStep> steps_;  ///< one per item, on rank 0 alone
  std::vector<checkpoint::Verdict> verdicts_;
  std::map<std::string, std::string> hashes_;
};

/// Before the stages of a deck: audits the checkpoints of its scope and does with bad ones what
/// run.audit says. Leaves the verdicts and the files' hashes in the session. Collective. Error data: a
/// checkpoint fails under `strict`, or an anchor's does.
void audit_study(Session& session);

}  // namespace incipit::command
