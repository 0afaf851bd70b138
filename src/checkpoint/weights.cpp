#include "checkpoint/weights.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <set>
#include <utility>

#include "checkpoint/convert.hpp"
#include "checkpoint/safetensors.hpp"
#include "error.hpp"
#include "store/files.hpp"
#include "store/json.hpp"

namespace incipit::checkpoint {
namespace fs = std::filesystem;

std::size_t size_of(Dtype dtype) {
  switch (dtype) {
    case Dtype::f16:
    case Dtype::bf16:
      return 2;
    case Dtype::f32:
      return 4;
    case Dtype::f64:
      return 8;
    case Dtype::other:
      return 0;
  }
  return 0;
}

std::string shown(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (const int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

int64_t Tensor::row_size() const {
  if (shape.empty()) return 1;
  return std::accumulate(shape.begin() + 1, shape.end(), int64_t{1}, std::multiplies<>());
}

/// An open file, closed with its owner. pread keeps no position, so threads may share it.
class Weights::File {
 public:
  explicit File(fs::path path)
      : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDONLY | O_CLOEXEC)) {
    struct stat status {};
    if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
      const std::string reason = std::strerror(errno);
      close();
      throw Error(Exit::io, path_.string() + ": cannot be opened: " + reason);
    }
    size_ = static_cast<uint64_t>(status.st_size);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { close(); }

  [[nodiscard]] uint64_t size() const { return size_; }

  /// `what` names in a message what was to be read.
  void read(uint64_t offset, std::span<std::byte> out, const std::string& what) const {
    while (!out.empty()) {
      const ssize_t got = ::pread(descriptor_, out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail(offset, what, std::strerror(errno));
      if (got == 0) fail(offset, what, "the file ends there; it has become shorter since it was opened");
      offset += static_cast<uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

 private:
  [[noreturn]] void fail(uint64_t offset, const std::string& what, const std::string& reason) const {
    throw Error(Exit::io, path_.string() + ": " + what + " cannot be read at byte " + std::to_string(offset) +
                              ": " + reason);
  }
  void close() const noexcept {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  fs::path path_;
  int descriptor_;
  uint64_t size_ = 0;
};

namespace {

constexpr const char* single_safetensors = "model.safetensors";
constexpr const char* safetensors_index = "model.safetensors.index.json";

[[noreturn]] void refuse(const fs::path& where, const std::string& what) {
  throw Error(Exit::data, where.string() + ": " + what);
}

/// Which file holds which tensor, as an index of shards says. Names with a slash would lead out of the
/// folder.
std::map<std::string, std::string> read_index(const fs::path& file) {
  const std::string where = file.string();
  const nlohmann::json parsed =
      store::parse_json(store::read_text(file), where, store::DuplicateKeys::refuse);
  const nlohmann::json& entries = store::JsonObject(parsed, where).at("weight_map");
  if (!entries.is_object() || entries.empty()) refuse(file, "weight_map names no tensors");
  std::map<std::string, std::string> shard_of;
  for (const auto& [tensor, shard] : entries.items()) {
    if (!shard.is_string() || shard.get_ref<const std::string&>().empty() ||
        shard.get_ref<const std::string&>().find('/') != std::string::npos) {
      refuse(file, "tensor '" + tensor + "': expected the name of a file beside the index, found " +
                       store::JsonObject::shown(shard));
    }
    shard_of[tensor] = shard.get<std::string>();
  }
  return shard_of;
}

std::vector<std::string> shards_in(const std::map<std::string, std::string>& shard_of) {
  std::set<std::string> names;
  for (const auto& [tensor, shard] : shard_of) names.insert(shard);
  return {names.begin(), names.end()};
}

bool holds_torch_files(const fs::path& folder) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("pytorch_model") && name.ends_with(".bin")) return true;
  }
  return false;
}

[[noreturn]] void refuse_folder(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw Error(Exit::io, folder.string() + ": no such folder, expected a checkpoint");
  }
  if (holds_torch_files(folder)) {
    refuse(folder,
           "holds pytorch_model*.bin only, a format this version does not read; convert it to safetensors");
  }
  refuse(folder, std::string("no weights: expected ") + single_safetensors + " or " + safetensors_index);
}

}  // namespace

Weights::Weights() = default;
Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

Weights Weights::open(const fs::path& folder) {
  Weights weights;
  weights.folder_ = folder;
  weights.format_ = "safetensors";
  std::map<std::string, std::string> shard_of;
  std::vector<std::string> names{single_safetensors};
  // A single file comes before an index where both are there, as it does in `transformers`.
  if (!fs::exists(folder / single_safetensors)) {
    if (!fs::exists(folder / safetensors_index)) refuse_folder(folder);
    shard_of = read_index(folder / safetensors_index);
    names = shards_in(shard_of);
  }
  for (const std::string& name : names) {
    const fs::path path = folder / name;
    if (!fs::exists(path)) refuse(path, std::string("missing, but named by ") + safetensors_index);
    auto file = std::make_unique<File>(path);
    std::string start(8, '\0');
    const std::size_t there = std::min<uint64_t>(start.size(), file->size());
    file->read(0, std::as_writable_bytes(std::span(start.data(), there)), "the header's length");
    std::string header(safetensors_header_size(std::string_view(start).substr(0, there), file->size(), path),
                       '\0');
    file->read(8, std::as_writable_bytes(std::span(header.data(), header.size())), "the header");
    for (Tensor& tensor : parse_safetensors_header(header, file->size(), path)) {
      const auto entry = shard_of.find(tensor.name);
      if (!shard_of.empty() && (entry == shard_of.end() || entry->second != name)) {
        refuse(path, "tensor '" + tensor.name + "' is here, but " + safetensors_index +
                         (entry == shard_of.end() ? " does not name it" : " says it is in " + entry->second));
      }
      tensor.file = static_cast<int>(weights.files_.size());
      std::string key = tensor.name;
      weights.tensors_.emplace(std::move(key), std::move(tensor));
    }
    weights.files_.push_back(path);
    weights.opened_.push_back(std::move(file));
  }
  for (const auto& [tensor, shard] : shard_of) {
    if (!weights.tensors_.contains(tensor)) {
      refuse(folder / shard, "tensor '" + tensor + "' is not here, though " + safetensors_index + " says so");
    }
  }
  return weights;
}

const Tensor* Weights::find(std::string_view name) const {
  const auto it = tensors_.find(name);
  return it == tensors_.end() ? nullptr : &it->second;
}

const Tensor& Weights::at(std::string_view name) const {
  const Tensor* const tensor = find(name);
  if (tensor == nullptr) refuse(folder_, "the tensor '" + std::string(name) + "' is missing");
  return *tensor;
}

uint64_t Weights::bytes() const {
  uint64_t sum = 0;
  for (const auto& [name, tensor] : tensors_) sum += tensor.bytes;
  return sum;
}

void Weights::read(const Tensor& tensor, int64_t first_row, int64_t rows, std::span<float> out) const {
  const std::size_t element = size_of(tensor.dtype);
  if (element == 0) {
    refuse(folder_, "tensor '" + tensor.name + "' has dtype " + tensor.dtype_name +
                        "; only F16, BF16, F32 and F64 can be read");
  }
  const int64_t count = rows * tensor.row_size();
  if (first_row < 0 || rows < 0 || first_row + rows > tensor.rows() ||
      out.size() != static_cast<std::size_t>(count)) {
    throw Error(Exit::defect, "Weights::read: rows " + std::to_string(first_row) + " to " +
                                  std::to_string(first_row + rows) + " of '" + tensor.name + "' " +
                                  shown(tensor.shape) + " into " + std::to_string(out.size()) + " numbers");
  }
  uint64_t offset = static_cast<uint64_t>(first_row * tensor.row_size()) * element;
  if (tensor.dtype == Dtype::f32) return read_raw(tensor, offset, std::as_writable_bytes(out));
  // A block that stays in the second-level cache between the read and the conversion.
  constexpr std::size_t block_bytes = 128 * 1024;
  const auto block = std::make_unique_for_overwrite<std::byte[]>(block_bytes);
  while (!out.empty()) {
    const std::size_t here = std::min(out.size(), block_bytes / element);
    const std::span<std::byte> bytes(block.get(), here * element);
    read_raw(tensor, offset, bytes);
    convert_to_float(tensor.dtype, bytes, out.first(here));
    offset += bytes.size();
    out = out.subspan(here);
  }
}

std::vector<float> Weights::read(const Tensor& tensor) const {
  std::vector<float> values(static_cast<std::size_t>(tensor.size()));
  read(tensor, 0, tensor.rows(), values);
  return values;
}

void Weights::read_raw(const Tensor& tensor, uint64_t byte_offset, std::span<std::byte> out) const {
  if (byte_offset > tensor.bytes || out.size() > tensor.bytes - byte_offset) {
    throw Error(Exit::defect, "Weights::read_raw: bytes beyond the end of '" + tensor.name + "'");
  }
  opened_[static_cast<std::size_t>(tensor.file)]->read(tensor.offset + byte_offset, out,
                                                       "tensor '" + tensor.name + "'");
}

}  // namespace incipit::checkpoint
