#include "device/encode_top_k.hpp"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "device/host/gemm.hpp"
#include "device/host/host_device.hpp"
#include "device/host/top_k.hpp"

namespace incipit::device {
namespace {

/// Tiles of the product: encode_tile_rows by these. Rows are padded to whole tiles, so that a row's sums
/// never depend on how many rows stand below it; a BLAS may still sum the rows of one tile in different
/// orders.
constexpr std::int64_t tile_latents = 512;
/// Rows whose z is held at once.
constexpr std::int64_t chunk_rows = 2 * encode_tile_rows;

template <class T>
struct EncodeScratch {
  std::unique_ptr<T[]> z;                     ///< chunk_rows×h
  std::unique_ptr<T[]> padded;                ///< encode_tile_rows×d, the last rows of x with zeros below
  std::unique_ptr<std::int32_t[]> selection;  ///< threads×h
  std::int64_t padded_from = 0;               ///< the row of x that padded begins with
};

template <class T>
EncodeScratch<T> make_scratch(const EncodeTopK<T>& op, int threads) {
  EncodeScratch<T> scratch;
  const std::int64_t whole = op.n / encode_tile_rows * encode_tile_rows;
  const std::int64_t rows = std::min(chunk_rows, whole < op.n ? whole + encode_tile_rows : whole);
  scratch.z = std::make_unique_for_overwrite<T[]>(rows * op.h);
  scratch.selection = std::make_unique_for_overwrite<std::int32_t[]>(threads * op.h);
  scratch.padded_from = whole;
  if (whole < op.n) {
    scratch.padded = std::make_unique<T[]>(encode_tile_rows * op.d);
    std::copy(op.x + whole * op.d, op.x + op.n * op.d, scratch.padded.get());
  }
  return scratch;
}

/// z of one tile, bias added. A NaN becomes +∞: it must not hide behind comparisons.
template <class T>
void multiply_tile(const EncodeTopK<T>& op, const T* x, std::int64_t latent, T* z) {
  const std::int64_t latents = std::min(tile_latents, op.h - latent);
  host::gemm(host::Transpose::no, host::Transpose::yes, encode_tile_rows, latents, op.d, T{1}, x, op.d,
             op.encoder + latent * op.d, op.d, T{0}, z, op.h);
  for (std::int64_t row = 0; row < encode_tile_rows; ++row) {
    T* out = z + row * op.h;
    const T* bias = op.bias + latent;
#pragma omp simd
    for (std::int64_t j = 0; j < latents; ++j) {
      const T value = out[j] + bias[j];
      out[j] = std::isnan(value) ? std::numeric_limits<T>::infinity() : value;
    }
  }
}

template <class T>
void run_chunk(const EncodeTopK<T>& op, const EncodeScratch<T>& scratch, std::int64_t begin, std::int64_t end,
               int threads) {
  const std::int64_t row_tiles = (end - begin + encode_tile_rows - 1) / encode_tile_rows;
  const std::int64_t latent_tiles = (op.h + tile_latents - 1) / tile_latents;
#pragma omp parallel num_threads(threads)
  {
#pragma omp for schedule(dynamic)
    for (std::int64_t tile = 0; tile < row_tiles * latent_tiles; ++tile) {
      const std::int64_t row = tile / latent_tiles * encode_tile_rows;
      const std::int64_t latent = tile % latent_tiles * tile_latents;
      const T* x = begin + row == scratch.padded_from ? scratch.padded.get() : op.x + (begin + row) * op.d;
      multiply_tile(op, x, latent, scratch.z.get() + row * op.h + latent);
    }
#pragma omp for schedule(static)
    for (std::int64_t row = begin; row < end; ++row) {
      const T* z = scratch.z.get() + (row - begin) * op.h;
      if (op.z != nullptr) std::copy(z, z + op.h, op.z + row * op.h);
      if (op.keep > 0)
        host::top_k(z, op.h, op.keep, op.index + row * op.keep, op.value + row * op.keep,
                    scratch.selection.get() + omp_get_thread_num() * op.h);
    }
  }
}

template <class T>
EncodeTopK<T> of_problem(EncodeTopK<T> op, std::int64_t p) {
  op.x += p * op.n * op.d;
  op.encoder += p * op.h * op.d;
  op.bias += p * op.h;
  op.index += p * op.n * op.keep;
  op.value += p * op.n * op.keep;
  if (op.z != nullptr) op.z += p * op.n * op.h;
  return op;
}

template <class T>
void run_problem(const EncodeTopK<T>& op, int threads) {
  const EncodeScratch<T> scratch = make_scratch(op, threads);
  for (std::int64_t begin = 0; begin < op.n; begin += chunk_rows)
    run_chunk(op, scratch, begin, std::min(begin + chunk_rows, op.n), threads);
}

template <class T>
void run(const EncodeTopK<T>& op, int threads) {
  for (std::int64_t p = 0; p < op.problems; ++p) run_problem(of_problem(op, p), threads);
}

}  // namespace

void HostDevice::encode_top_k(const EncodeTopK<float>& op) {
  run(op, threads_);
}
void HostDevice::encode_top_k(const EncodeTopK<double>& op) {
  run(op, threads_);
}

}  // namespace incipit::device
