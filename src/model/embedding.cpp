#include "model/embedding.hpp"

#include <algorithm>
#include <vector>

namespace incipit::model {

void embed(device::Device& device, TensorStream& stream, const checkpoint::Tensor& embedding,
           std::span<const std::int32_t> tokens, float* table, float* x) {
  std::vector<std::int32_t> distinct(tokens.begin(), tokens.end());
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  const std::int64_t d = embedding.row_size();

  for (std::size_t i = 0; i < distinct.size();) {
    std::size_t end = i + 1;
    while (end < distinct.size() && distinct[end] == distinct[end - 1] + 1) ++end;
    stream.read(embedding, distinct[i], static_cast<std::int64_t>(end - i),
                table + static_cast<std::int64_t>(i) * d);
    i = end;
  }

  std::vector<std::int32_t> row;
  row.reserve(tokens.size());
  for (const std::int32_t token : tokens) {
    row.push_back(static_cast<std::int32_t>(std::lower_bound(distinct.begin(), distinct.end(), token) -
                                            distinct.begin()));
  }
  const device::Buffer<std::int32_t> index(device, std::span<const std::int32_t>(row));
  device.gather_rows({.rows = static_cast<std::int64_t>(tokens.size()),
                      .d = d,
                      .in = table,
                      .index = index.data(),
                      .out = x});
  device.synchronize();
}

}  // namespace incipit::model
