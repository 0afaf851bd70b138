#include "checkpoint/weights.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <numeric>
#include <set>
#include <utility>

#include "checkpoint/convert.hpp"
#include "checkpoint/safetensors.hpp"
#include "checkpoint/torch_file.hpp"
#include "error.hpp"
#include "meters.hpp"
#include "refuse.hpp"
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
      meters.bytes_read += static_cast<uint64_t>(got);
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

/// A way in which weights lie in a folder.
struct Format {
  const char* name;
  const char* single;
  const char* index;  // of shards
};

// In the order in which `transformers` looks for them.
constexpr Format formats[] = {{"safetensors", "model.safetensors", "model.safetensors.index.json"},
                              {"torch", "pytorch_model.bin", "pytorch_model.bin.index.json"}};

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

/// The files of a checkpoint, and which tensor the index says is in which; no index, no such list.
struct FileList {
  const Format* format = nullptr;
  std::vector<std::string> names;
  std::map<std::string, std::string> shard_of;
};

FileList list_files(const fs::path& folder) {
  for (const Format& format : formats) {
    if (fs::exists(folder / format.single)) return {&format, {format.single}, {}};
    if (!fs::exists(folder / format.index)) continue;
    FileList listing{&format, {}, read_index(folder / format.index)};
    listing.names = shards_in(listing.shard_of);
    return listing;
  }
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    throw Error(Exit::io, folder.string() + ": no such folder, expected a checkpoint");
  }
  std::string expected;
  for (const Format& format : formats)
    expected += std::string(expected.empty() ? "" : ", ") + format.single + ", " + format.index;
  refuse(folder, "no weights: expected one of " + expected);
}

std::vector<Tensor> read_safetensors_index(const ReadAt& read, uint64_t file_size, const fs::path& path) {
  std::string start(std::min<uint64_t>(8, file_size), '\0');
  read(0, std::as_writable_bytes(std::span(start.data(), start.size())), "the header's length");
  std::string header(safetensors_header_size(start, file_size, path), '\0');
  read(8, std::as_writable_bytes(std::span(header.data(), header.size())), "the header");
  return parse_safetensors_header(header, file_size, path);
}

/// A tensor of a shard must be where the index says.
void check_place(const FileList& listing, const std::string& tensor, const std::string& file,
                 const fs::path& folder) {
  if (listing.shard_of.empty()) return;
  const auto entry = listing.shard_of.find(tensor);
  if (entry != listing.shard_of.end() && entry->second == file) return;
  refuse(folder / file,
         "tensor '" + tensor + "' is here, but " + listing.format->index +
             (entry == listing.shard_of.end() ? " does not name it" : " says it is in " + entry->second));
}

/// The axis along which a strided tensor's elements lie closest together.
std::size_t closest_axis(const Tensor& tensor) {
  std::size_t closest = tensor.shape.size() - 1;
  const auto distance = [&](std::size_t axis) {
    return tensor.shape[axis] > 1 && tensor.stride[axis] > 0 ? tensor.stride[axis]
                                                             : std::numeric_limits<int64_t>::max();
  };
  for (std::size_t axis = tensor.shape.size(); axis-- > 0;)
    if (distance(axis) < distance(closest)) closest = axis;
  return closest;
}

/// Counts through all indices of `shape` but those of `skipped`; false after the last.
bool advance(std::vector<int64_t>& index, const std::vector<int64_t>& shape, std::size_t skipped) {
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (axis == skipped) continue;
    if (++index[axis] < shape[axis]) return true;
    index[axis] = 0;
  }
  return false;
}

}  // namespace

Weights::Weights() = default;
Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

Weights Weights::open(const fs::path& folder) {
  const FileList listing = list_files(folder);
  const bool torch = std::string_view(listing.format->name) == "torch";
  Weights weights;
  weights.folder_ = folder;
  weights.format_ = listing.format->name;
  for (const std::string& name : listing.names) {
    const fs::path path = folder / name;
    if (!fs::exists(path)) refuse(path, std::string("missing, but named by ") + listing.format->index);
    auto file = std::make_unique<File>(path);
    const ReadAt read = [&file](uint64_t offset, std::span<std::byte> out, const std::string& what) {
      file->read(offset, out, what);
    };
    for (Tensor& tensor : torch ? read_torch_index(read, file->size(), path)
                                : read_safetensors_index(read, file->size(), path)) {
      check_place(listing, tensor.name, name, folder);
      tensor.file = static_cast<int>(weights.files_.size());
      std::string key = tensor.name;
      weights.tensors_.emplace(std::move(key), std::move(tensor));
    }
    weights.files_.push_back(path);
    weights.opened_.push_back(std::move(file));
  }
  for (const auto& [tensor, shard] : listing.shard_of) {
    if (!weights.tensors_.contains(tensor)) {
      refuse(folder / shard,
             "tensor '" + tensor + "' is not here, though " + listing.format->index + " says so");
    }
  }
  return weights;
}

Weights Weights::drawn(const std::string& what, std::span<const ExpectedTensor> tensors, Draw draw) {
  Weights weights;
  weights.folder_ = what;
  weights.format_ = "drawn";
  weights.files_ = {what};
  weights.draw_ = std::move(draw);
  for (const ExpectedTensor& expected : tensors) {
    Tensor tensor{.name = expected.name, .dtype = Dtype::f32, .dtype_name = "F32", .shape = expected.shape};
    tensor.bytes = static_cast<uint64_t>(tensor.size()) * size_of(tensor.dtype);
    weights.tensors_.emplace(expected.name, std::move(tensor));
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
  if (draw_) return draw_(tensor, first_row, rows, out);
  if (!tensor.stride.empty()) return gather(tensor, first_row, rows, out);
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

/// A strided tensor, in runs along the axis on which its elements lie closest: what lies between them is read
/// and passed over.
void Weights::gather(const Tensor& tensor, int64_t first_row, int64_t rows, std::span<float> out) const {
  if (out.empty()) return;
  const auto element = static_cast<int64_t>(size_of(tensor.dtype));
  std::vector<int64_t> shape = tensor.shape;
  shape.front() = rows;
  std::vector<int64_t> out_stride(shape.size(), 1);
  for (std::size_t axis = shape.size() - 1; axis-- > 0;)
    out_stride[axis] = out_stride[axis + 1] * shape[axis + 1];
  const std::size_t inner = closest_axis(tensor);
  const int64_t step = tensor.stride[inner];
  // Elements of a run that are read at once: one where the run is sparse.
  constexpr int64_t block_elements = 1 << 15U, sparse = 16;
  const int64_t most = step > sparse ? 1 : std::max<int64_t>(1, block_elements / std::max<int64_t>(1, step));
  std::vector<std::byte> bytes;
  std::vector<int64_t> index(shape.size(), 0);
  do {
    int64_t from = first_row * tensor.stride.front(), to = 0;
    for (std::size_t axis = 0; axis < shape.size(); ++axis) {
      from += index[axis] * tensor.stride[axis];
      to += index[axis] * out_stride[axis];
    }
    for (int64_t done = 0; done < shape[inner]; done += most) {
      const int64_t count = std::min(most, shape[inner] - done);
      bytes.resize(static_cast<std::size_t>(((count - 1) * step + 1) * element));
      opened_[static_cast<std::size_t>(tensor.file)]->read(
          tensor.offset + static_cast<uint64_t>((from + done * step) * element), bytes,
          "tensor '" + tensor.name + "'");
      for (int64_t i = 0; i < count; ++i) {
        const auto place = static_cast<std::size_t>(to + (done + i) * out_stride[inner]);
        convert_to_float(tensor.dtype,
                         std::span(bytes).subspan(static_cast<std::size_t>(i * step * element),
                                                  static_cast<std::size_t>(element)),
                         out.subspan(place, 1));
      }
    }
  } while (advance(index, shape, inner));
}

void Weights::read_raw(const Tensor& tensor, uint64_t byte_offset, std::span<std::byte> out) const {
  if (draw_ || !tensor.stride.empty()) {
    throw Error(Exit::defect, "Weights::read_raw: '" + tensor.name + "' is not contiguous in a file");
  }
  if (byte_offset > tensor.bytes || out.size() > tensor.bytes - byte_offset) {
    throw Error(Exit::defect, "Weights::read_raw: bytes beyond the end of '" + tensor.name + "'");
  }
  opened_[static_cast<std::size_t>(tensor.file)]->read(tensor.offset + byte_offset, out,
                                                       "tensor '" + tensor.name + "'");
}

}  // namespace incipit::checkpoint
