#include "checkpoint/safetensors.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <string>
#include <utility>

#include "error.hpp"
#include "refuse.hpp"
#include "store/json.hpp"

namespace incipit::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr uint64_t length_bytes = 8;

struct KnownType {
  const char* name;
  Dtype dtype;
  uint64_t bytes;
};

constexpr std::array known_types{
    KnownType{"F16", Dtype::f16, 2},       KnownType{"BF16", Dtype::bf16, 2},
    KnownType{"F32", Dtype::f32, 4},       KnownType{"F64", Dtype::f64, 8},
    KnownType{"BOOL", Dtype::other, 1},    KnownType{"U8", Dtype::other, 1},
    KnownType{"I8", Dtype::other, 1},      KnownType{"U16", Dtype::other, 2},
    KnownType{"I16", Dtype::other, 2},     KnownType{"U32", Dtype::other, 4},
    KnownType{"I32", Dtype::other, 4},     KnownType{"U64", Dtype::other, 8},
    KnownType{"I64", Dtype::other, 8},     KnownType{"F8_E4M3", Dtype::other, 1},
    KnownType{"F8_E5M2", Dtype::other, 1},
};

const KnownType& known_type(const std::string& name, const std::string& where) {
  const auto* const found = std::find_if(known_types.begin(), known_types.end(),
                                         [&](const KnownType& t) { return t.name == name; });
  if (found == known_types.end()) refuse(where, "unknown dtype '" + name + "'");
  return *found;
}

uint64_t whole(const nlohmann::json& value, const std::string& where, const char* what) {
  if (!value.is_number_unsigned()) {
    refuse(where,
           std::string(what) + ": expected a whole number from 0, found " + store::JsonObject::shown(value));
  }
  return value.get<uint64_t>();
}

/// Bytes of a tensor of this shape. The running product may not pass 2^62 even where a later 0 would make
/// it small again: no such tensor is honest.
uint64_t read_shape(const nlohmann::json& shape, uint64_t element_bytes, const std::string& where,
                    Tensor& tensor) {
  constexpr uint64_t most = uint64_t{1} << 62;
  uint64_t bytes = element_bytes;
  for (const nlohmann::json& dimension : shape) {
    const uint64_t extent = whole(dimension, where, "shape");
    uint64_t product = 0;
    if (extent > most || __builtin_mul_overflow(bytes, extent, &product) || product > most) {
      refuse(where, "the shape " + shape.dump() + " is absurd");
    }
    bytes = product;
    tensor.shape.push_back(static_cast<int64_t>(extent));
  }
  return bytes;
}

Tensor read_entry(const std::string& name, const nlohmann::json& value, uint64_t data_bytes,
                  const std::string& where) {
  const store::JsonObject entry(value, where);
  Tensor tensor;
  tensor.name = name;
  tensor.dtype_name = entry.text("dtype");
  const KnownType& type = known_type(tensor.dtype_name, where);
  tensor.dtype = type.dtype;
  tensor.bytes = read_shape(entry.array("shape"), type.bytes, where, tensor);
  const nlohmann::json& offsets = entry.array("data_offsets");
  if (offsets.size() != 2) refuse(where, "data_offsets must hold two numbers, found " + offsets.dump());
  const uint64_t begin = whole(offsets[0], where, "data_offsets");
  const uint64_t end = whole(offsets[1], where, "data_offsets");
  if (begin > end) refuse(where, "data_offsets " + offsets.dump() + " run backwards");
  if (end > data_bytes) {
    refuse(where, "its data end at byte " + std::to_string(end) + " of the data, of which the file has " +
                      std::to_string(data_bytes) + ": truncated? Copy the file again");
  }
  if (end - begin != tensor.bytes) {
    refuse(where, "data_offsets span " + std::to_string(end - begin) + " bytes, but dtype " +
                      tensor.dtype_name + " and shape " + entry.array("shape").dump() + " need " +
                      std::to_string(tensor.bytes));
  }
  tensor.offset = begin;
  return tensor;
}

/// Sorted by place in the file, every byte must belong to exactly one tensor.
void check_cover(std::vector<Tensor>& tensors, uint64_t data_bytes, const std::string& where) {
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::pair(a.offset, a.offset + a.bytes) < std::pair(b.offset, b.offset + b.bytes);
  });
  uint64_t end = 0;
  for (const Tensor& tensor : tensors) {
    if (tensor.offset != end) {
      refuse(where, "tensor '" + tensor.name + "' begins at byte " + std::to_string(tensor.offset) +
                        " of the data where " + std::to_string(end) +
                        " was expected: " + (tensor.offset < end ? "it overlaps the one before" : "a gap"));
    }
    end += tensor.bytes;
  }
  if (end != data_bytes) {
    refuse(where, "the tensors end at byte " + std::to_string(end) + " of the data, the file has " +
                      std::to_string(data_bytes));
  }
}

}  // namespace

uint64_t safetensors_header_size(std::string_view first_bytes, uint64_t file_size,
                                 const std::filesystem::path& path) {
  if (first_bytes.size() < length_bytes || file_size < length_bytes) {
    refuse(path.string(), "only " + std::to_string(file_size) + " bytes: too short for a safetensors file");
  }
  uint64_t size = 0;
  std::memcpy(&size, first_bytes.data(), length_bytes);
  if (size > longest_safetensors_header) {
    refuse(path.string(), "the header claims " + std::to_string(size) +
                              " bytes, more than the format's limit of " +
                              std::to_string(longest_safetensors_header) + ": not a safetensors file?");
  }
  if (size > file_size - length_bytes) {
    refuse(path.string(), "the header claims " + std::to_string(size) + " bytes, the file has " +
                              std::to_string(file_size - length_bytes) + " after its length: truncated?");
  }
  return size;
}

std::vector<Tensor> parse_safetensors_header(std::string_view header, uint64_t file_size,
                                             const std::filesystem::path& path) {
  const std::string where = path.string();
  const nlohmann::json parsed = store::parse_json(header, where, store::DuplicateKeys::refuse);
  if (!parsed.is_object()) refuse(where, "the header is no JSON object");
  const uint64_t data_begin = length_bytes + header.size();
  const uint64_t data_bytes = file_size - data_begin;
  std::vector<Tensor> tensors;
  for (const auto& [name, value] : parsed.items()) {
    if (name == "__metadata__") continue;
    tensors.push_back(read_entry(name, value, data_bytes, where + ": tensor '" + name + "'"));
  }
  check_cover(tensors, data_bytes, where);
  for (Tensor& tensor : tensors) tensor.offset += data_begin;
  return tensors;
}

}  // namespace incipit::checkpoint
