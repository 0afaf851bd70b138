#include "model/tensor_stream.hpp"

#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "error.hpp"

namespace incipit::model {
namespace {

/// Numbers brought over at once: on the host they stay in the second-level cache until they are converted, a
/// device of its own gets enough of them that a copy's latency does not count.
constexpr std::int64_t host_chunk = std::int64_t{1} << 17U;
constexpr std::int64_t device_chunk = std::int64_t{1} << 22U;

std::int64_t rows_within(std::int64_t chunk, std::int64_t row_size) {
  return std::max<std::int64_t>(1, chunk / row_size);
}

/// "[3, 17]" for the element `index` of a tensor of this shape.
std::string place(std::int64_t index, const std::vector<std::int64_t>& shape) {
  std::string text;
  for (std::size_t axis = shape.size(); axis-- > 0;) {
    if (!text.empty()) text.insert(0, ", ");
    text.insert(0, std::to_string(index % shape[axis]));
    index /= shape[axis];
  }
  return "[" + text + "]";
}

/// What a tensor's numbers are on their way: as the file holds them, but in fp32 where they do not lie row
/// after row.
device::NumberType on_the_way(const checkpoint::Tensor& tensor) {
  if (!tensor.stride.empty()) return device::NumberType::f32;
  switch (tensor.dtype) {
    case checkpoint::Dtype::f16:
      return device::NumberType::f16;
    case checkpoint::Dtype::bf16:
      return device::NumberType::bf16;
    case checkpoint::Dtype::f64:
      return device::NumberType::f64;
    default:
      return device::NumberType::f32;  // what cannot be read at all, Weights::read refuses
  }
}

std::string trouble_of(float value, device::NumberType type) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return "infinity";
  return std::to_string(value) + ", more than " + (type == device::NumberType::f16 ? "fp16" : "bf16") +
         " holds";
}

}  // namespace

TensorStream::TensorStream(device::Device& device, const checkpoint::Weights& weights,
                           checkpoint::SharedParts* shared, std::string way_out)
    : device_(device), weights_(weights), shared_(shared), way_out_(std::move(way_out)) {}

std::int64_t TensorStream::chunk_rows(std::int64_t row_size) const {
  return rows_within(device_.kind() == device::Kind::host ? host_chunk : device_chunk, row_size);
}

/// As they are on their way; valid until the next call.
const std::byte* TensorStream::bytes_of_rows(const checkpoint::Tensor& tensor, std::int64_t first,
                                             std::int64_t rows, device::NumberType type) {
  const std::int64_t count = rows * tensor.row_size();
  const std::size_t size = static_cast<std::size_t>(count) * device::bytes_of(type);
  const std::uint64_t offset = static_cast<std::uint64_t>(first * tensor.row_size()) * device::bytes_of(type);
  if (const std::byte* there = shared_ == nullptr ? nullptr : shared_->find(tensor, offset, size))
    return there;
  bytes_.resize(size);
  if (type == device::NumberType::f32) {
    weights_.read(tensor, first, rows,
                  {reinterpret_cast<float*>(bytes_.data()), static_cast<std::size_t>(count)});
  } else {
    weights_.read_raw(tensor, offset, bytes_);
  }
  return bytes_.data();
}

void TensorStream::read_chunk(const checkpoint::Tensor& tensor, std::int64_t first, std::int64_t rows,
                              device::NumberType type, void* to) {
  const device::NumberType from = on_the_way(tensor);
  const std::int64_t count = rows * tensor.row_size();
  const std::byte* bytes = bytes_of_rows(tensor, first, rows, from);
  const std::int64_t bad =
      device_.upload_numbers({.count = count, .from = from, .host = bytes, .to = type, .device = to});
  if (bad < count) refuse(tensor, first * tensor.row_size() + bad, type);
}

std::size_t TensorStream::bytes(std::int64_t row_size) {
  return static_cast<std::size_t>(rows_within(host_chunk, row_size) * row_size) * sizeof(float);
}

void TensorStream::refuse(const checkpoint::Tensor& tensor, std::int64_t index,
                          device::NumberType type) const {
  std::vector<float> row(static_cast<std::size_t>(tensor.row_size()));
  weights_.read(tensor, index / tensor.row_size(), 1, row);
  const float value = row[static_cast<std::size_t>(index % tensor.row_size())];
  throw Error(Exit::numbers, weights_.files()[static_cast<std::size_t>(tensor.file)].string() + ": tensor " +
                                 tensor.name + " holds " + trouble_of(value, type) + " at " +
                                 place(index, tensor.shape) + "; finite numbers are expected. " +
                                 (std::isfinite(value) ? "Set run.precision = bf16 or fp32, or "
                                                       : "Get the checkpoint again, or ") +
                                 way_out_);
}

}  // namespace incipit::model
