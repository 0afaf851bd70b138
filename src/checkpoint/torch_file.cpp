#include "checkpoint/torch_file.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "checkpoint/pickle.hpp"
#include "checkpoint/zip.hpp"
#include "error.hpp"
#include "refuse.hpp"

namespace incipit::checkpoint {
namespace {

namespace fs = std::filesystem;

using Entries = std::map<std::string, ZipEntry, std::less<>>;

struct StorageType {
  std::string_view name;
  Dtype dtype;
  const char* shown;  // as safetensors spells it
  uint64_t bytes;
};

constexpr std::array storage_types{StorageType{"HalfStorage", Dtype::f16, "F16", 2},
                                   StorageType{"BFloat16Storage", Dtype::bf16, "BF16", 2},
                                   StorageType{"FloatStorage", Dtype::f32, "F32", 4},
                                   StorageType{"DoubleStorage", Dtype::f64, "F64", 8},
                                   StorageType{"LongStorage", Dtype::other, "I64", 8},
                                   StorageType{"IntStorage", Dtype::other, "I32", 4},
                                   StorageType{"ShortStorage", Dtype::other, "I16", 2},
                                   StorageType{"CharStorage", Dtype::other, "I8", 1},
                                   StorageType{"ByteStorage", Dtype::other, "U8", 1},
                                   StorageType{"BoolStorage", Dtype::other, "BOOL", 1}};

const StorageType& type_of(const PickledTensor& tensor, const fs::path& path) {
  const auto* const found = std::find_if(storage_types.begin(), storage_types.end(),
                                         [&](const StorageType& t) { return t.name == tensor.storage_type; });
  if (found == storage_types.end())
    refuse(path, "tensor '" + tensor.name + "' has the type " + tensor.storage_type);
  return *found;
}

/// What other files that people call .bin or .pt begin with.
void refuse_other_formats(const ReadAt& read, uint64_t file_size, const fs::path& path) {
  std::array<std::byte, 15> begin{};
  const std::size_t there = std::min<uint64_t>(begin.size(), file_size);
  read(0, std::span(begin).first(there), "the first bytes");
  const std::string_view bytes(reinterpret_cast<const char*>(begin.data()), there);
  // A pickled long, 0x1950a86a20f9469cfc6c.
  constexpr std::string_view legacy("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e", 15);
  if (bytes == legacy) {
    refuse(
        path,
        "written by PyTorch before 1.6 (or with _use_new_zipfile_serialization=False), a format that is not "
        "read; load it and save it again with a newer PyTorch, or convert it to safetensors");
  }
  if (!bytes.starts_with("PK")) {
    refuse(path,
           "not a file of torch.save: it does not begin as a ZIP archive (PyTorch 1.6 and later write one)");
  }
}

std::string read_text(const ReadAt& read, const ZipEntry& entry, const char* what) {
  std::string text(entry.bytes, '\0');
  read(entry.offset, std::as_writable_bytes(std::span(text.data(), text.size())), what);
  return text;
}

/// The one folder of the archive; its name is that of the file when it was saved.
std::string top_folder(const Entries& entries, const fs::path& path) {
  constexpr std::string_view pickle = "/data.pkl";
  std::string top;
  for (const auto& [name, entry] : entries) {
    const bool found = name.ends_with(pickle) && name.find('/') == name.size() - pickle.size();
    if (found && !top.empty()) refuse(path, "two data.pkl, in " + top + " and in " + name);
    if (found) top = name.substr(0, name.size() - pickle.size());
  }
  if (top.empty()) refuse(path, "no data.pkl in this ZIP archive: not a file of torch.save");
  if (entries.contains(top + "/constants.pkl"))
    refuse(path, "a TorchScript program, not weights; save the state dict with torch.save");
  return top;
}

const ZipEntry& stored_entry(const Entries& entries, const std::string& name, const fs::path& path) {
  const auto found = entries.find(name);
  if (found == entries.end()) refuse(path, "ZIP member '" + name + "' is missing");
  if (found->second.method != 0) {
    refuse(path, "ZIP member '" + name + "' is compressed (method " + std::to_string(found->second.method) +
                     "); torch.save stores its members as they are, and only that is read");
  }
  return found->second;
}

void check_byte_order(const ReadAt& read, const Entries& entries, const std::string& top,
                      const fs::path& path) {
  const std::string name = top + "/byteorder";
  if (!entries.contains(name)) return;  // before PyTorch 2.1
  const ZipEntry& entry = stored_entry(entries, name, path);
  constexpr uint64_t longest = 16;
  const std::string order = entry.bytes <= longest ? read_text(read, entry, "the byte order") : "";
  if (order != "little") refuse(path, "its byte order is '" + order + "', expected 'little'");
}

bool is_contiguous(const PickledTensor& tensor) {
  int64_t expected = 1;
  for (std::size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.stride[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

Tensor place(const PickledTensor& pickled, const ZipEntry& storage, const fs::path& path) {
  const StorageType& type = type_of(pickled, path);
  const auto elements = static_cast<uint64_t>(pickled.storage_size);
  if (storage.bytes != elements * type.bytes) {
    refuse(path, "the storage of tensor '" + pickled.name + "' has " + std::to_string(storage.bytes) +
                     " bytes where " + std::to_string(elements) + " elements of " + type.shown + " need " +
                     std::to_string(elements * type.bytes));
  }
  Tensor tensor;
  tensor.name = pickled.name;
  tensor.dtype = type.dtype;
  tensor.dtype_name = type.shown;
  tensor.shape = pickled.shape;
  tensor.offset = storage.offset + static_cast<uint64_t>(pickled.offset) * type.bytes;
  tensor.bytes = static_cast<uint64_t>(tensor.size()) * type.bytes;
  if (tensor.bytes > 0 && !is_contiguous(pickled)) tensor.stride = pickled.stride;
  return tensor;
}

}  // namespace

std::vector<Tensor> read_torch_index(const ReadAt& read, uint64_t file_size, const fs::path& path) {
  refuse_other_formats(read, file_size, path);
  const Entries entries = read_zip_index(read, file_size, path);
  const std::string top = top_folder(entries, path);
  check_byte_order(read, entries, top, path);
  const ZipEntry& pickle = stored_entry(entries, top + "/data.pkl", path);
  if (pickle.bytes > longest_pickle) {
    refuse(path, "its data.pkl has " + std::to_string(pickle.bytes) + " bytes, more than " +
                     std::to_string(longest_pickle) + ": not the weights of a model");
  }
  std::vector<Tensor> tensors;
  for (const PickledTensor& tensor :
       read_state_dict(read_text(read, pickle, "data.pkl"), path.string() + ": data.pkl")) {
    const ZipEntry& storage = stored_entry(entries, top + "/data/" + tensor.storage, path);
    tensors.push_back(place(tensor, storage, path));
  }
  return tensors;
}

}  // namespace incipit::checkpoint
