#include "command/audit_file.hpp"

#include <fmt/format.h>

#include "parallel/communicator.hpp"
#include "store/hash.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::command {
namespace {

using Shape = std::vector<std::int64_t>;

std::string fingerprint_of(const store::Header& header, const AuditFile& audit) {
  std::string text = "incipit audit 1\n" + header.deck;
  for (const auto& c : audit.checkpoints) {
    text += fmt::format("{} {} {} {}\n", c.model, c.step->step, c.verdict->status, c.verdict->reason);
    for (const auto& file : c.step->print.files) text += file.sha256 + "\n";
  }
  for (const auto& m : audit.missing) text += fmt::format("missing {} {} {}\n", m.model, m.step, m.reason);
  return store::sha256(text);
}

void write_checkpoints(store::Writer& out, const std::vector<AuditFile::Checkpoint>& all) {
  std::vector<std::string> model, status, reason;
  std::vector<std::int64_t> step, nonfinite;
  std::vector<double> norm, first, before, after;
  for (const auto& c : all) {
    const auto& v = *c.verdict;
    model.push_back(c.model);
    step.push_back(v.step);
    status.push_back(v.status);
    reason.push_back(v.reason);
    norm.push_back(v.norm);
    first.push_back(v.cosine_first);
    before.push_back(v.cosine_before);
    after.push_back(v.cosine_after);
    nonfinite.push_back(v.nonfinite);
  }
  const Shape shape{static_cast<std::int64_t>(all.size())};
  const std::vector<std::string> axes{"checkpoint"};
  out.strings("model", shape, model, {"1", "model"}, axes);
  out.write("step", shape, step, {"step", "training step"}, axes);
  out.strings("status", shape, status, {"1", "ok, or what is wrong"}, axes);
  out.strings("reason", shape, reason, {"1", "evidence"}, axes);
  out.write("norm", shape, norm, {"1", "norm of all weights"}, axes);
  out.write("cosine_first", shape, first, {"1", "cosine with the first step of the ladder"}, axes);
  out.write("cosine_before", shape, before, {"1", "cosine with the step before"}, axes);
  out.write("cosine_after", shape, after, {"1", "cosine with the step after"}, axes);
  out.write("nonfinite", shape, nonfinite, {"1", "weights that are NaN or infinite"}, axes);
}

void write_files(store::Writer& out, const std::vector<AuditFile::Checkpoint>& all) {
  std::vector<std::int64_t> owner, bytes;
  std::vector<std::string> name, sha256;
  for (std::size_t c = 0; c < all.size(); ++c) {
    for (const auto& file : all[c].step->print.files) {
      owner.push_back(static_cast<std::int64_t>(c));
      name.push_back(file.name);
      sha256.push_back(file.sha256);
      bytes.push_back(static_cast<std::int64_t>(file.bytes));
    }
  }
  if (owner.empty()) return;
  const Shape shape{static_cast<std::int64_t>(owner.size())};
  const std::vector<std::string> axes{"file"};
  out.write("files/checkpoint", shape, owner, {"1", "number of the checkpoint"}, axes);
  out.strings("files/name", shape, name, {"1", "name in the checkpoint's folder"}, axes);
  out.strings("files/sha256", shape, sha256, {"1", "hash of the file"}, axes);
  out.write("files/bytes", shape, bytes, {"byte", "size of the file"}, axes);
}

void write_tensors(store::Writer& out, const std::vector<AuditFile::Checkpoint>& all) {
  std::vector<std::int64_t> owner, file, nonfinite;
  std::vector<std::string> name, sha256;
  std::vector<double> norm;
  for (std::size_t c = 0; c < all.size(); ++c) {
    for (const auto& tensor : all[c].step->print.tensors) {
      owner.push_back(static_cast<std::int64_t>(c));
      file.push_back(tensor.file);
      name.push_back(tensor.name);
      sha256.push_back(tensor.sha256);
      norm.push_back(tensor.norm);
      nonfinite.push_back(tensor.nonfinite);
    }
  }
  if (owner.empty()) return;
  const Shape shape{static_cast<std::int64_t>(owner.size())};
  const std::vector<std::string> axes{"tensor"};
  out.write("tensors/checkpoint", shape, owner, {"1", "number of the checkpoint"}, axes);
  out.write("tensors/file", shape, file, {"1", "file of the checkpoint, from 0"}, axes);
  out.strings("tensors/name", shape, name, {"1", "name of the tensor"}, axes);
  out.strings("tensors/sha256", shape, sha256, {"1", "hash of its bytes"}, axes);
  out.write("tensors/norm", shape, norm, {"1", "norm of the finite elements; 0 for buffers"}, axes);
  out.write("tensors/nonfinite", shape, nonfinite, {"1", "elements that are NaN or infinite"}, axes);
}

void write_missing(store::Writer& out, const std::vector<checkpoint::MissingStep>& missing) {
  if (missing.empty()) return;
  std::vector<std::string> model, reason;
  std::vector<std::int64_t> step;
  for (const auto& m : missing) {
    model.push_back(m.model);
    step.push_back(m.step);
    reason.push_back(m.reason);
  }
  const Shape shape{static_cast<std::int64_t>(missing.size())};
  const std::vector<std::string> axes{"gap"};
  out.strings("missing/model", shape, model, {"1", "model"}, axes);
  out.write("missing/step", shape, step, {"step", "training step that is not there"}, axes);
  out.strings("missing/reason", shape, reason, {"1", "why it is expected"}, axes);
}

}  // namespace

void write_audit_file(const std::filesystem::path& path, store::Header header, const AuditFile& audit) {
  header.fingerprint = fingerprint_of(header, audit);
  if (std::filesystem::exists(path) && store::Reader(path, header.kind).fingerprint() == header.fingerprint)
    return;
  const auto self = parallel::Communicator::self();
  store::Writer out(self, path, header);
  write_checkpoints(out, audit.checkpoints);
  write_files(out, audit.checkpoints);
  write_tensors(out, audit.checkpoints);
  write_missing(out, audit.missing);
  out.commit();
}

}  // namespace incipit::command
