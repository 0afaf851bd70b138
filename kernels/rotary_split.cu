// Takes the product with the query, key and value weights apart: bias, rotary embedding of the first
// dimensions of each head, heads laid out by themselves. Memory-bound; a rotated element reads its partner
// from the cache.

#include "cuda_device.hpp"
#include "device/rotary_split.hpp"
#include "error.hpp"
#include "number.cuh"
#include "rows.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

/// The outputs that are wanted, in the order of the sections of `in`.
template <Number T>
struct Sections {
  T* out[3] = {};
  bool rotated[3] = {};
  bool placed[3] = {};  ///< keys and values, whose rows may lie elsewhere
  int count = 0;

  void add(T* where, bool turns, bool lies_elsewhere) {
    if (where == nullptr) return;
    out[count] = where;
    rotated[count] = turns;
    placed[count++] = lies_elsewhere;
  }
};

template <Number T>
Sections<T> sections_of(const RotarySplit<T>& op) {
  Sections<T> sections;
  sections.add(op.q, true, false);
  sections.add(op.k, true, true);
  sections.add(op.v, false, true);
  return sections;
}

template <int width, Number T>
__device__ __forceinline__ Pack<float, width> biased(const RotarySplit<T>& op, std::int64_t columns,
                                                     std::int64_t row, std::int64_t column) {
  Pack<float, width> x = load_wide<width>(op.in, row * columns + column);
  if (op.bias == nullptr) return x;
  const Pack<float, width> bias = load<width>(op.bias, column);
  for (int u = 0; u < width; ++u) x.value[u] += bias.value[u];
  return x;
}

/// The element `j` of a head, j < rotary_dims, turned with its partner half the dimensions away.
template <int width, Number T>
__device__ __forceinline__ Pack<float, width> turned(const RotarySplit<T>& op, std::int64_t row, int j,
                                                     const Pack<float, width>& x,
                                                     const Pack<float, width>& partner) {
  const int half = static_cast<int>(op.rotary_dims / 2);
  const std::int64_t angle = op.position[row] * static_cast<std::int64_t>(half) + j % half;
  const Pack<float, width> cos = load<width>(op.cos, angle);
  const Pack<float, width> sin = load<width>(op.sin, angle);
  Pack<float, width> y;
  for (int u = 0; u < width; ++u) {
    const float side = j < half ? -partner.value[u] : partner.value[u];
    y.value[u] = x.value[u] * cos.value[u] + side * sin.value[u];
  }
  return y;
}

template <int width, Number T>
__global__ void __launch_bounds__(row_threads)
    rotary_split_kernel(RotarySplit<T> op, Sections<T> sections, int along) {
  const int size = static_cast<int>(op.head_size);
  const int half = static_cast<int>(op.rotary_dims / 2);
  const int section_columns = static_cast<int>(op.heads) * size;
  const std::int64_t columns = static_cast<std::int64_t>(sections.count) * section_columns;
  for_each_element(op.rows, columns / width, along, [&](std::int64_t row, std::int64_t pack) {
    const int column = static_cast<int>(pack) * width;
    const int section = column / section_columns;
    const int head = column % section_columns / size;
    const int j = column % size;
    Pack<float, width> x = biased<width>(op, columns, row, column);
    if (sections.rotated[section] && j < 2 * half) {
      const int partner = j < half ? column + half : column - half;
      x = turned<width>(op, row, j, x, biased<width>(op, columns, row, partner));
    }
    const bool placed = sections.placed[section];
    const std::int64_t rows = placed && op.key_rows != 0 ? op.key_rows : op.rows;
    const std::int64_t to = placed && op.place != nullptr ? op.place[row] : row;
    store_rounded(sections.out[section], (head * rows + to) * op.head_size + j, x);
  });
}

template <int width, Number T>
void run(const RotarySplit<T>& op, const Sections<T>& sections, const Call& call) {
  launch_rows(call, op.rows, sections.count * op.heads * op.head_size / width, rotary_split_kernel<width, T>,
              op, sections);
}

/// A pack must lie within one half of what is turned, or outside of both.
template <int width, Number T>
bool fits(const RotarySplit<T>& op) {
  return op.rotary_dims / 2 % width == 0 &&
         packable<width>(op.head_size, op.in, op.bias, op.cos, op.sin, op.q, op.k, op.v);
}

template <Number T>
void run(const RotarySplit<T>& op, const Call& call) {
  if (op.rotary_dims % 2 != 0 || op.rotary_dims < 0 || op.rotary_dims > op.head_size ||
      op.heads * op.head_size > (std::int64_t{1} << 29)) {
    throw Error(Exit::defect, describe(call) + " (rows, heads, head size, rotary dimensions)");
  }
  const Sections<T> sections = sections_of(op);
  if (fits<widest<T>>(op)) {
    run<widest<T>>(op, sections, call);
  } else if (fits<2>(op)) {
    run<2>(op, sections, call);
  } else {
    run<1>(op, sections, call);
  }
}

}  // namespace

void CudaDevice::rotary_split(const RotarySplit<float>& op) {
  run(op, begin("rotary_split", {op.rows, op.heads, op.head_size, op.rotary_dims}));
}
void CudaDevice::rotary_split(const RotarySplit<Float16>& op) {
  run(op, begin("rotary_split", {op.rows, op.heads, op.head_size, op.rotary_dims}));
}
void CudaDevice::rotary_split(const RotarySplit<BFloat16>& op) {
  run(op, begin("rotary_split", {op.rows, op.heads, op.head_size, op.rotary_dims}));
}

}  // namespace incipit::device
