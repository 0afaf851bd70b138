#include "model/tensor_stream.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "error.hpp"

namespace incipit::model {
namespace {

/// Numbers converted at once: they stay in the second-level cache until they are checked and copied on.
constexpr std::int64_t chunk = std::int64_t{1} << 17U;

std::int64_t chunk_rows(std::int64_t row_size) {
  return std::max<std::int64_t>(1, chunk / row_size);
}

bool all_finite(std::span<const float> values) {
  // From the bits and without a branch, so that it runs at the speed of memory.
  std::uint32_t bad = 0;
  for (const float value : values) {
    bad |= static_cast<std::uint32_t>((std::bit_cast<std::uint32_t>(value) & 0x7f800000U) == 0x7f800000U);
  }
  return bad == 0;
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

}  // namespace

TensorStream::TensorStream(device::Device& device, const checkpoint::Weights& weights)
    : device_(device), weights_(weights) {}

void TensorStream::read(const checkpoint::Tensor& tensor, std::int64_t first, std::int64_t rows, float* to) {
  const std::int64_t row_size = tensor.row_size();
  const std::int64_t step = chunk_rows(row_size);
  values_.resize(static_cast<std::size_t>(std::min(step, rows) * row_size));
  for (std::int64_t row = 0; row < rows; row += step) {
    const std::int64_t count = std::min(step, rows - row);
    const std::span<float> values(values_.data(), static_cast<std::size_t>(count * row_size));
    weights_.read(tensor, first + row, count, values);
    check(tensor, first + row, values);
    device_.upload(to + row * row_size, values.data(), values.size_bytes());
  }
}

std::size_t TensorStream::bytes(std::int64_t row_size) {
  return static_cast<std::size_t>(chunk_rows(row_size) * row_size) * sizeof(float);
}

void TensorStream::check(const checkpoint::Tensor& tensor, std::int64_t first,
                         std::span<const float> values) const {
  if (all_finite(values)) return;
  const auto bad =
      std::find_if_not(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
  const std::int64_t index = first * tensor.row_size() + (bad - values.begin());
  throw Error(Exit::numbers,
              weights_.files()[static_cast<std::size_t>(tensor.file)].string() + ": tensor " + tensor.name +
                  " holds " + (std::isnan(*bad) ? "NaN" : "infinity") + " at " + place(index, tensor.shape) +
                  "; finite numbers are expected. Get the checkpoint again, or leave this step out "
                  "with family.steps");
}

}  // namespace incipit::model
