#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "fragment.cuh"
#include "pack.cuh"
#include "shared.cuh"

/// The shim must do what a device does, and must report what a device would silently do wrong: kernel, block,
/// thread.
namespace incipit::device::cuda {
namespace {

template <class... Parameters, class... Arguments>
cudaError_t launch(unsigned blocks, unsigned threads, std::size_t shared, void (*kernel)(Parameters...),
                   Arguments... arguments) {
  shim::name_next_kernel("under test");
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3{blocks, 1, 1};
  config.blockDim = dim3{threads, 1, 1};
  config.dynamicSmemBytes = shared;
  return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/// Expects a report that names the kernel and holds all of `parts`.
template <class... Parameters, class... Arguments>
void expect_report(std::initializer_list<const char*> parts, unsigned blocks, unsigned threads,
                   void (*kernel)(Parameters...), Arguments... arguments) {
  try {
    (void)launch(blocks, threads, 0, kernel, arguments...);
    FAIL() << "nothing was reported";
  } catch (const shim::Violation& violation) {
    const std::string what = violation.what();
    EXPECT_NE(what.find("kernel under test"), std::string::npos) << what;
    for (const char* part : parts) EXPECT_NE(what.find(part), std::string::npos) << what;
  }
}

// ---- what a device does

__global__ void number(int* out) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  out[i] = static_cast<int>(i + 1000 * gridDim.x);
}

TEST(Shim, RunsEveryThreadOfEveryBlock) {
  std::vector<int> out(3 * 70, -1);
  ASSERT_EQ(launch(3, 70, 0, number, out.data()), cudaSuccess);
  std::vector<int> expected(out.size());
  std::iota(expected.begin(), expected.end(), 3000);
  EXPECT_EQ(out, expected);
}

__global__ void reverse(int* values) {
  struct Tag;
  const Shared<int> memory = shared_array<Tag, int, 1024>();
  const int thread = static_cast<int>(threadIdx.x);
  const int last = static_cast<int>(blockDim.x) - 1;
  for (int turn = 0; turn < 3; ++turn) {
    memory[thread] = values[thread];
    __syncthreads();
    values[thread] = memory[last - thread];
    __syncthreads();
  }
}

TEST(Shim, BarriersSeparateWritesFromReads) {
  for (const unsigned threads : {1U, 33U, 256U, 1024U}) {
    std::vector<int> values(threads);
    std::iota(values.begin(), values.end(), 0);
    ASSERT_EQ(launch(1, threads, 0, reverse, values.data()), cudaSuccess);
    for (unsigned i = 0; i < threads; ++i) EXPECT_EQ(values[i], static_cast<int>(threads - 1 - i));
  }
}

__global__ void warp_tricks(double* sum, unsigned* votes, int* up, float* down, int* broadcast) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  double value = threadIdx.x;
  for (int bits = 16; bits > 0; bits /= 2) value += __shfl_xor_sync(0xffffffffU, value, bits);
  sum[threadIdx.x] = value;
  votes[threadIdx.x] = __ballot_sync(0xffffffffU, lane % 3 == 0);
  up[threadIdx.x] = __shfl_up_sync(0xffffffffU, lane, 2);
  down[threadIdx.x] = __shfl_down_sync(0xffffffffU, static_cast<float>(lane), 5, 16);
  broadcast[threadIdx.x] = __shfl_sync(0xffffffffU, lane, 3, 8);
}

TEST(Shim, WarpsExchangeAndVote) {
  std::vector<double> sum(64);
  std::vector<unsigned> votes(64);
  std::vector<int> up(64);
  std::vector<float> down(64);
  std::vector<int> broadcast(64);
  ASSERT_EQ(launch(1, 64, 0, warp_tricks, sum.data(), votes.data(), up.data(), down.data(), broadcast.data()),
            cudaSuccess);
  for (int i = 0; i < 64; ++i) {
    const auto place = static_cast<std::size_t>(i);
    const int lane = i % 32;
    EXPECT_EQ(sum[place], i < 32 ? 496 : 1520);
    EXPECT_EQ(votes[place], 0x49249249U);
    EXPECT_EQ(up[place], lane < 2 ? lane : lane - 2);
    EXPECT_EQ(down[place], static_cast<float>(lane % 16 < 11 ? lane + 5 : lane));
    EXPECT_EQ(broadcast[place], lane / 8 * 8 + 3);
  }
}

__global__ void half_warp(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  if (lane < 16) {
    out[lane] = __shfl_xor_sync(0xffffU, lane, 1);
  } else {
    out[lane] = __shfl_xor_sync(0xffff0000U, 100 * lane, 2);
  }
}

TEST(Shim, PartsOfAWarpMayGoTheirOwnWay) {
  std::vector<int> out(32);
  ASSERT_EQ(launch(1, 32, 0, half_warp, out.data()), cudaSuccess);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[static_cast<std::size_t>(i)], i < 16 ? i ^ 1 : 100 * (i ^ 2));
}

__global__ void dynamic(float* out) {
  const Shared<float> first = dynamic_shared<float>(0, 8);
  const Shared<double> second = dynamic_shared<double>(32, 4);
  if (threadIdx.x == 0) {
    store(first, 4, Pack<float, 4>{{1, 2, 3, 4}});
    second[3] = 5;
    second[3] += 0.5;
  }
  __syncthreads();
  const Pack<float, 2> pack = load<2>(first, 6);
  out[threadIdx.x] = pack.value[0] * pack.value[1] + static_cast<float>(second[3]);
}

TEST(Shim, DynamicSharedMemoryAndPacks) {
  std::vector<float> out(40);
  ASSERT_EQ(launch(1, 40, 64, dynamic, out.data()), cudaSuccess);
  EXPECT_EQ(out, std::vector<float>(40, 17.5F));
}

__global__ void histogram(int* out) {
  struct Tag;
  const Shared<int> counts = shared_array<Tag, int, 4>();
  if (threadIdx.x < 4) counts[threadIdx.x] = 0;
  __syncthreads();
  atomic_add(counts, threadIdx.x % 3, 2);
  __syncthreads();
  if (threadIdx.x < 4) atomicAdd(&out[threadIdx.x], int(counts[threadIdx.x]));
}

TEST(Shim, IntegersAddAtomically) {
  std::vector<int> out(4);
  ASSERT_EQ(launch(2, 90, 0, histogram, out.data()), cudaSuccess);
  EXPECT_EQ(out, (std::vector<int>{120, 120, 120, 0}));
}

__global__ void nothing() {}

TEST(Shim, RefusesWhatADeviceWouldRefuse) {
  EXPECT_EQ(launch(1, 1024, 0, nothing), cudaSuccess);
  EXPECT_EQ(launch(1, 1025, 0, nothing), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(0, 32, 0, nothing), cudaErrorInvalidConfiguration);
  EXPECT_EQ(launch(1, 32, 49'153, nothing), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 49'153), cudaSuccess);
  EXPECT_EQ(launch(1, 32, 49'153, nothing), cudaSuccess);
  EXPECT_EQ(cudaFuncSetAttribute(nothing, cudaFuncAttributeMaxDynamicSharedMemorySize, 300'000),
            cudaErrorInvalidValue);
}

TEST(Shim, FreshDeviceMemoryIsNoNumber) {
  void* memory = nullptr;
  ASSERT_EQ(cudaMallocAsync(&memory, 3 * sizeof(float), nullptr), cudaSuccess);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(std::isnan(static_cast<float*>(memory)[i]));
  EXPECT_EQ(cudaFreeAsync(memory, nullptr), cudaSuccess);
}

// ---- what it reports

__global__ void reads_beyond() {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 32>();
  memory[threadIdx.x] = 1;
  __syncthreads();
  if (blockIdx.x == 2 && threadIdx.x == 7) memory[0] = memory[32];
}

TEST(ShimReports, SharedMemoryOutOfBounds) {
  expect_report(
      {"block (2, 0, 0)", "thread (7, 0, 0)", "out of bounds", "reads element 32 of a shared array of 32"}, 4,
      32, reads_beyond);
}

__global__ void writes_before() {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 32>();
  if (threadIdx.x == 31) (memory + 2)[-3] = 1;
}

TEST(ShimReports, SharedMemoryWrittenBeforeItsBeginning) {
  expect_report({"thread (31, 0, 0)", "out of bounds", "writes element -1"}, 1, 32, writes_before);
}

__global__ void reads_first(float* out) {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 64>();
  if (threadIdx.x != 40) memory[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = memory[threadIdx.x];
}

TEST(ShimReports, SharedMemoryReadBeforeItIsWritten) {
  std::vector<float> out(64);
  expect_report({"block (0, 0, 0)", "thread (40, 0, 0)", "read before write", "element 40"}, 1, 64,
                reads_first, out.data());
}

__global__ void forgets_barrier(float* out) {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 64>();
  memory[threadIdx.x] = 1;
  out[threadIdx.x] = memory[threadIdx.x == 33 ? 5 : threadIdx.x];
}

TEST(ShimReports, AReadThatRacesWithAWrite) {
  std::vector<float> out(64);
  expect_report({"thread (33, 0, 0)", "race", "thread (5, 0, 0)"}, 1, 64, forgets_barrier, out.data());
}

__global__ void forgets_second_barrier(float* out) {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 64>();
  memory[threadIdx.x] = 1;
  __syncthreads();
  out[threadIdx.x] = memory[0];
  if (threadIdx.x == 63) memory[0] = 2;
}

TEST(ShimReports, AWriteThatRacesWithARead) {
  std::vector<float> out(64);
  expect_report({"thread (63, 0, 0)", "race: it writes element 0", "read with no barrier between"}, 1, 64,
                forgets_second_barrier, out.data());
}

__global__ void warp_is_no_block(float* out) {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 64>();
  memory[threadIdx.x] = 1;
  __syncthreads();
  memory[threadIdx.x] = 2;
  __syncwarp();
  out[threadIdx.x] = memory[threadIdx.x ^ (blockIdx.x == 0 ? 1U : 32U)];
}

TEST(ShimReports, ABarrierOfAWarpOrdersThatWarpAlone) {
  std::vector<float> out(64);
  ASSERT_EQ(launch(1, 64, 0, warp_is_no_block, out.data()), cudaSuccess);
  expect_report({"block (1, 0, 0)", "race"}, 2, 64, warp_is_no_block, out.data());
}

__global__ void some_wait() {
  if (threadIdx.x < 40) __syncthreads();
}

TEST(ShimReports, ABarrierThatNotAllReach) {
  expect_report({"divergent barrier", "thread (0, 0, 0)", "thread (40, 0, 0) has ended"}, 1, 64, some_wait);
}

__global__ void wait_apart() {
  if (threadIdx.x < 40) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST(ShimReports, TwoBarriersTakenForOne) {
  expect_report({"divergent barrier", "thread (40, 0, 0)", "shim_test.cpp"}, 1, 64, wait_apart);
}

__global__ void shuffle_without_some(int* out) {
  if (threadIdx.x != 9) out[threadIdx.x] = __shfl_xor_sync(0xffffffffU, 1, 1);
}

TEST(ShimReports, AShuffleThatALaneMisses) {
  std::vector<int> out(32);
  expect_report({"divergent", "shuffle", "thread (9, 0, 0) has ended"}, 1, 32, shuffle_without_some,
                out.data());
}

__global__ void shuffle_against_vote(unsigned* out) {
  out[threadIdx.x] = threadIdx.x < 8 ? __shfl_xor_sync(0xffffffffU, 1U, 1) : __ballot_sync(0xffffffffU, true);
}

TEST(ShimReports, AWarpThatDoesTwoThingsAtOnce) {
  std::vector<unsigned> out(32);
  expect_report({"divergent warp", "a shuffle", "a vote"}, 1, 32, shuffle_against_vote, out.data());
}

__global__ void shuffle_from_outside(int* out) {
  if (threadIdx.x < 16) out[threadIdx.x] = __shfl_xor_sync(0xffffU, 1, 16);
}

TEST(ShimReports, AShuffleFromALaneThatTakesNoPart) {
  std::vector<int> out(32);
  expect_report({"thread (0, 0, 0)", "reads lane 16"}, 1, 32, shuffle_from_outside, out.data());
}

__global__ void misaligned(float* out) {
  struct Tag;
  const Shared<float> memory = shared_array<Tag, float, 64>();
  memory[threadIdx.x] = 1;
  __syncthreads();
  out[0] = load<4>(memory, 2).value[0];
}

__global__ void product_without_some(float* out) {
  FragmentSums sums = {};
  if (threadIdx.x != 9) multiply_add(sums, LeftFragment<BFloat16>{}, RightFragment<BFloat16>{});
  out[threadIdx.x] = sums.value[0];
}

TEST(ShimReports, AProductOfMatricesThatALaneMisses) {
  std::vector<float> out(32);
  expect_report({"divergent", "product of matrices", "thread (9, 0, 0) has ended"}, 1, 32,
                product_without_some, out.data());
}

__global__ void misaligned_matrix(unsigned* out) {
  struct Tag;
  const Shared<Float16> memory = shared_array<Tag, Float16, 512>();
  for (unsigned i = threadIdx.x; i < 512; i += 32) memory[i] = Float16{0};
  __syncwarp();
  out[threadIdx.x] = load_left<Float16>(memory, 20).pair[0];
}

TEST(ShimReports, AMatrixThatIsNotAligned) {
  std::vector<unsigned> out(32);
  expect_report({"misaligned matrix"}, 1, 32, misaligned_matrix, out.data());
}

TEST(ShimReports, APackThatIsNotAligned) {
  std::vector<float> out(1);
  expect_report({"thread (0, 0, 0)", "misaligned"}, 1, 64, misaligned, out.data());
}

__global__ void overlaps() {
  const Shared<float> first = dynamic_shared<float>(0, 8);
  const Shared<float> second = dynamic_shared<float>(16, 8);
  first[0] = second[0] = 1;
}

__global__ void too_long() {
  dynamic_shared<float>(32, 9)[0] = 1;
}

TEST(ShimReports, DynamicSharedMemoryThatOverlapsOrIsTooLong) {
  EXPECT_THROW((void)launch(1, 32, 64, overlaps), shim::Violation);
  EXPECT_THROW((void)launch(1, 32, 64, too_long), shim::Violation);
}

TEST(ShimReports, ALaunchAfterAReportRunsAsIfNothingHadBeen) {
  EXPECT_THROW((void)launch(1, 64, 0, some_wait), shim::Violation);
  std::vector<int> values(256);
  std::iota(values.begin(), values.end(), 0);
  ASSERT_EQ(launch(1, 256, 0, reverse, values.data()), cudaSuccess);
  EXPECT_EQ(values[0], 255);
}

}  // namespace
}  // namespace incipit::device::cuda
