#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/pickle.hpp"
#include "tiny.hpp"

/// Files as torch.save writes them, honest or not, for tests.
namespace incipit::checkpoint {

struct ZipMember {
  std::string name, bytes;
  uint16_t method = 0;
  uint16_t flags = 0;
};

template <class T>
std::string le(T value) {
  return bytes_of<T>({value});
}

/// Members one after the other, each header padded as torch does, so that data begin at multiples of 64. With
/// `wide` all sizes and offsets stand in ZIP64 fields, as they do beyond 4 GB.
inline std::string zip_file(const std::vector<ZipMember>& members, bool wide = false) {
  constexpr uint32_t none = 0xffffffff;
  std::string file, directory;
  for (const ZipMember& member : members) {
    const auto size = static_cast<uint32_t>(member.bytes.size());
    const uint64_t local = file.size();
    const std::size_t begin = file.size() + 30 + member.name.size() + 4;
    const std::string padding((64 - begin % 64) % 64, 'Z');
    const std::string common = le<uint16_t>(member.flags) + le<uint16_t>(member.method) + le<uint32_t>(0) +
                               le<uint32_t>(0);  // time, checksum
    file += "PK\x03\x04" + le<uint16_t>(0) + common + le(size) + le(size) +
            le(static_cast<uint16_t>(member.name.size())) + le(static_cast<uint16_t>(padding.size() + 4)) +
            member.name + "FB" + le(static_cast<uint16_t>(padding.size())) + padding + member.bytes;
    const std::string extra =
        wide ? le<uint16_t>(1) + le<uint16_t>(24) + le<uint64_t>(size) + le<uint64_t>(size) + le(local) : "";
    directory += "PK\x01\x02" + le<uint32_t>(0) + common + le(wide ? none : size) + le(wide ? none : size) +
                 le(static_cast<uint16_t>(member.name.size())) + le(static_cast<uint16_t>(extra.size())) +
                 le<uint16_t>(0) + le<uint64_t>(0) + le(wide ? none : static_cast<uint32_t>(local)) +
                 member.name + extra;
  }
  const uint64_t start = file.size(), count = members.size();
  file += directory;
  if (wide) {
    const uint64_t end = file.size();
    file += "PK\x06\x06" + le<uint64_t>(44) + le<uint32_t>(0) + le<uint64_t>(0) + le(count) + le(count) +
            le<uint64_t>(directory.size()) + le(start);
    file += "PK\x06\x07" + le<uint32_t>(0) + le(end) + le<uint32_t>(1);
  }
  const auto few = static_cast<uint16_t>(wide ? 0xffff : count);
  return file + "PK\x05\x06" + le<uint32_t>(0) + le(few) + le(few) +
         le(wide ? none : static_cast<uint32_t>(directory.size())) +
         le(wide ? none : static_cast<uint32_t>(start)) + le<uint16_t>(0);
}

/// Pieces of a pickle of protocol 2.
namespace pickle {

inline std::string text(const std::string& value) {
  return "X" + le(static_cast<uint32_t>(value.size())) + value;
}
inline std::string integer(int64_t value) {
  return std::string("\x8a\x08") + le(value);
}
inline std::string global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string tuple(const std::vector<int64_t>& values) {
  std::string items = "(";
  for (const int64_t value : values) items += integer(value);
  return items + "t";
}
inline std::string tensor(const PickledTensor& t) {
  return global("torch._utils", "_rebuild_tensor_v2") + "((" + text("storage") +
         global("torch", t.storage_type) + text(t.storage) + text("cpu") + integer(t.storage_size) + "tQ" +
         integer(t.offset) + tuple(t.shape) + tuple(t.stride) + "\x89" +
         global("collections", "OrderedDict") + ")RtR";
}
/// As torch writes one: an OrderedDict, filled, with its attribute `_metadata`.
inline std::string state_dict(const std::vector<PickledTensor>& tensors) {
  std::string all = "\x80\x02" + global("collections", "OrderedDict") + ")Rq" + std::string(1, '\0') + "(";
  for (const PickledTensor& t : tensors) all += text(t.name) + tensor(t);
  return all + "u}" + text("_metadata") + global("collections", "OrderedDict") + ")Rsb.";
}

}  // namespace pickle

inline std::vector<int64_t> row_major(const std::vector<int64_t>& shape) {
  std::vector<int64_t> stride(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) stride[i - 1] = stride[i] * shape[i];
  return stride;
}

/// A file of these tensors, each in a storage of its own.
inline std::string torch_file(const std::vector<TinyTensor>& tensors, bool wide = false) {
  std::vector<PickledTensor> pickled;
  std::vector<ZipMember> members{{"archive/data.pkl", "", 0, 0}, {"archive/byteorder", "little", 0, 0}};
  for (const TinyTensor& tensor : tensors) {
    const std::string key = std::to_string(pickled.size());
    const std::string type = tensor.dtype == "F16"    ? "HalfStorage"
                             : tensor.dtype == "BF16" ? "BFloat16Storage"
                             : tensor.dtype == "F64"  ? "DoubleStorage"
                             : tensor.dtype == "U8"   ? "ByteStorage"
                                                      : "FloatStorage";
    const std::size_t element = tensor.dtype == "U8"                              ? 1
                                : tensor.dtype == "F16" || tensor.dtype == "BF16" ? 2
                                : tensor.dtype == "F64"                           ? 8
                                                                                  : 4;
    pickled.push_back({tensor.name, type, key, static_cast<int64_t>(tensor.bytes.size() / element), 0,
                       tensor.shape, row_major(tensor.shape)});
    members.push_back({"archive/data/" + key, tensor.bytes, 0, 0});
  }
  members.front().bytes = pickle::state_dict(pickled);
  return zip_file(members, wide);
}

}  // namespace incipit::checkpoint
