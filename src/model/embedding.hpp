#pragma once

#include <cstdint>
#include <span>

#include "checkpoint/weights.hpp"
#include "device/device.hpp"
#include "model/tensor_stream.hpp"

namespace incipit::model {

/// Puts the embeddings of tokens into `x`, [tokens, d] on the device. Only the rows of tokens that occur are
/// read, through `table`, device memory for as many rows as there are tokens. All is done on return. The
/// tokens must be in the vocabulary. Errors as TensorStream.
void embed(device::Device& device, TensorStream& stream, const checkpoint::Tensor& embedding,
           std::span<const std::int32_t> tokens, float* table, float* x);

}  // namespace incipit::model
