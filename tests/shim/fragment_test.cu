// A warp's matrix products (kernels/fragment.cuh) against plain loops: on the host's shim, and on a device
// where there is one.

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "fragment.cuh"

namespace incipit::device::cuda {
namespace {

constexpr int n = 16;
constexpr int stride = n + 8;

/// The first `rows` rows of a 16×16 matrix, zeros below.
template <HalfNumber T>
__device__ void bring(Shared<T> to, const T* from, int rows) {
  const int row = static_cast<int>(threadIdx.x) / 2;
  const int column = static_cast<int>(threadIdx.x) % 2 * 8;
  begin_copy<T>(to + (row * stride + column), from + row * n + column, row < rows);
}

__device__ void write(float* to, const FragmentSums (&sums)[2]) {
  const int lane = static_cast<int>(threadIdx.x);
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 4; ++i) {
      to[(lane / 4 + 8 * (i / 2)) * n + half * 8 + lane % 4 * 2 + i % 2] = sums[half].value[i];
    }
  }
}

/// once = A·B and twice = (A·B rounded)·B for one warp; with `transposed` B is stored as its transpose.
template <HalfNumber T>
__global__ void product_kernel(const T* a, const T* b, int rows, bool transposed, float* once, float* twice) {
  struct TagA;
  struct TagB;
  const Shared<T> tile_a = shared_array<TagA, T, n * stride>();
  const Shared<T> tile_b = shared_array<TagB, T, n * stride>();
  bring<T>(tile_a, a, rows);
  bring<T>(tile_b, b, n);
  finish_copies();
  __syncwarp();
  RightFragment<T> right[2];
  transposed ? load_right<T>(tile_b, stride, right) : load_right_transposed<T>(tile_b, stride, right);
  const LeftFragment<T> left = load_left<T>(tile_a, stride);
  FragmentSums sums[2] = {};
  for (int half = 0; half < 2; ++half) multiply_add(sums[half], left, right[half]);
  write(once, sums);
  const LeftFragment<T> again = as_left<T>(sums[0], sums[1]);
  FragmentSums more[2] = {};
  for (int half = 0; half < 2; ++half) multiply_add(more[half], again, right[half]);
  write(twice, more);
}

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values) : size_(values.size()) {
    EXPECT_EQ(cudaMallocAsync(&memory_, size_ * sizeof(T), nullptr), cudaSuccess);
    EXPECT_EQ(cudaMemcpyAsync(memory_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice, nullptr),
              cudaSuccess);
  }
  ~OnDevice() { cudaFreeAsync(memory_, nullptr); }
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

  T* data() { return static_cast<T*>(memory_); }
  std::vector<T> download() {
    std::vector<T> values(size_);
    EXPECT_EQ(cudaMemcpyAsync(values.data(), memory_, size_ * sizeof(T), cudaMemcpyDeviceToHost, nullptr),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(nullptr), cudaSuccess);
    return values;
  }

 private:
  void* memory_ = nullptr;
  std::size_t size_;
};

/// Small integers, so that every sum is exact.
template <class T>
std::vector<T> integers(int seed) {
  std::vector<T> values;
  for (int i = 0; i < n * n; ++i)
    values.push_back(round_to<T>(static_cast<float>((i * 7919 + seed) % 17 - 8)));
  return values;
}

/// Row-major left·right, right stored as its transpose on request.
std::vector<float> plain(const std::vector<float>& left, const std::vector<float>& right, bool transposed) {
  std::vector<float> out(std::size_t{n} * n, 0.0F);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j < n; ++j) {
      for (int l = 0; l < n; ++l) {
        out[static_cast<std::size_t>(i * n + j)] +=
            left[static_cast<std::size_t>(i * n + l)] *
            right[static_cast<std::size_t>(transposed ? j * n + l : l * n + j)];
      }
    }
  }
  return out;
}

template <class T>
std::vector<float> rounded(const std::vector<float>& values) {
  std::vector<float> out;
  for (const float x : values) out.push_back(to_float(round_to<T>(x)));
  return out;
}

template <class T>
class Fragments : public testing::Test {
 protected:
  void SetUp() override {
    int devices = 0;
    if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) GTEST_SKIP() << "no CUDA device here";
  }
};
using Halves = testing::Types<Float16, BFloat16>;
TYPED_TEST_SUITE(Fragments, Halves);

TYPED_TEST(Fragments, MultiplyAsPlainLoopsDo) {
  using T = TypeParam;
  const std::vector<T> a = integers<T>(1);
  const std::vector<T> b = integers<T>(5);
  for (const bool transposed : {false, true}) {
    for (const int rows : {n, 11}) {
      SCOPED_TRACE(testing::Message() << transposed << ", rows " << rows);
      std::vector<float> left;
      std::vector<float> right;
      for (int i = 0; i < n * n; ++i) {
        left.push_back(i < rows * n ? to_float(a[static_cast<std::size_t>(i)]) : 0.0F);
        right.push_back(to_float(b[static_cast<std::size_t>(i)]));
      }
      OnDevice<T> on_a(a);
      OnDevice<T> on_b(b);
      OnDevice<float> once(std::vector<float>(a.size(), -1.0F));
      OnDevice<float> twice(std::vector<float>(a.size(), -1.0F));
      cudaLaunchConfig_t config = {};
      config.gridDim = dim3{1, 1, 1};
      config.blockDim = dim3{32, 1, 1};
#ifdef INCIPIT_SHIM
      shim::name_next_kernel("fragments");
#endif
      ASSERT_EQ(
          cudaLaunchKernelEx(&config, product_kernel<T>, static_cast<const T*>(on_a.data()),
                             static_cast<const T*>(on_b.data()), rows, transposed, once.data(), twice.data()),
          cudaSuccess);
      const std::vector<float> expected = plain(left, right, transposed);
      EXPECT_EQ(once.download(), expected);
      EXPECT_EQ(twice.download(), plain(rounded<T>(expected), right, transposed));
    }
  }
}

}  // namespace
}  // namespace incipit::device::cuda
