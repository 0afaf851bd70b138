#include "ceilings.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "arena.hpp"
#include "launch.cuh"

namespace incipit::device::bench {
namespace {

Time time_copy(CudaDevice& device, const Settings& settings) {
  Arena arena(device, 1);
  const std::int64_t n = settings.copy_bytes / static_cast<std::int64_t>(sizeof(float));
  const float* from = arena.normal<float>(n);
  float* to = arena.poisoned<float>(n);
  const cuda::Call call = arena.call("copy");
  return Stopwatch(device).measure(settings.patience, 3, [&](std::size_t) {
    cuda::check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(n) * sizeof(float),
                                cudaMemcpyDeviceToDevice, call.stream),
                call);
  });
}

/// Memory of the host that the device copies from by itself.
class Pinned {
 public:
  explicit Pinned(std::size_t bytes) {
    cuda::check(cudaMallocHost(&data_, bytes), {.operation = "pinned memory"});
    std::memset(data_, 1, bytes);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { cudaFreeHost(data_); }

  [[nodiscard]] const void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

Time time_bus(CudaDevice& device, const Settings& settings) {
  Arena arena(device, 1);
  const auto bytes = static_cast<std::size_t>(settings.upload_bytes);
  const Pinned from(bytes);
  float* to = arena.poisoned<float>(settings.upload_bytes / static_cast<std::int64_t>(sizeof(float)));
  const cuda::Call call = arena.call("copy from the host");
  return Stopwatch(device).measure(settings.patience, 3, [&](std::size_t) {
    cuda::check(cudaMemcpyAsync(to, from.data(), bytes, cudaMemcpyHostToDevice, call.stream), call);
  });
}

template <class T>
Time time_gemm(CudaDevice& device, Gemm& gemm, const Settings& settings, Bound type, int n) {
  Arena arena(device, 2);
  const T* a = arena.normal<T>(std::int64_t{n} * n);
  const T* b = arena.normal<T>(std::int64_t{n} * n);
  T* c = arena.poisoned<T>(std::int64_t{n} * n);
  return Stopwatch(device).measure(settings.patience, 3, [&](std::size_t) { gemm.run(type, n, a, b, c); });
}

/// The best of all sizes.
template <class T>
double best_gemm(CudaDevice& device, Gemm& gemm, const Settings& settings, Bound type) {
  double best = 0;
  for (const int n : settings.gemm) {
    const Time time = time_gemm<T>(device, gemm, settings, type, n);
    const double rate = 2.0 * n * n * n / time.median;
    std::printf("ceiling  %-5s product %5d³ %8.1f TFLOP/s\n", name_of(type).c_str(), n, 1e-12 * rate);
    best = std::max(best, rate);
  }
  return best;
}

}  // namespace

std::string name_of(Bound bound) {
  switch (bound) {
    case Bound::copy:
      return "copy";
    case Bound::bus:
      return "bus";
    case Bound::bf16:
      return "bf16";
    case Bound::fp32:
      return "fp32";
    case Bound::fp64:
      return "fp64";
  }
  return "";
}

double Ceilings::of(Bound bound) const {
  switch (bound) {
    case Bound::copy:
      return copy;
    case Bound::bus:
      return bus;
    case Bound::bf16:
      return bf16;
    case Bound::fp32:
      return fp32;
    case Bound::fp64:
      return fp64;
  }
  return 0;
}

Floor floor_of(const Ceilings& ceilings, double bytes, Bound memory, double flops, Bound arithmetic) {
  const Floor moved{bytes / ceilings.of(memory), memory};
  const Floor products{flops / ceilings.of(arithmetic), arithmetic};
  return products.seconds > moved.seconds ? products : moved;
}

Ceilings measure_ceilings(CudaDevice& device, const Settings& settings) {
  Ceilings ceilings;
  const Time copy = time_copy(device, settings);
  ceilings.copy = 2.0 * static_cast<double>(settings.copy_bytes) / copy.median;
  std::printf("ceiling  copy  of %.2f GB  %8.1f GB/s read and written\n",
              1e-9 * static_cast<double>(settings.copy_bytes), 1e-9 * ceilings.copy);
  ceilings.bus = static_cast<double>(settings.upload_bytes) / time_bus(device, settings).median;
  std::printf("ceiling  bus   of %.2f GB  %8.1f GB/s from pinned memory\n",
              1e-9 * static_cast<double>(settings.upload_bytes), 1e-9 * ceilings.bus);
  Gemm gemm(device);
  ceilings.bf16 = best_gemm<BFloat16>(device, gemm, settings, Bound::bf16);
  ceilings.fp32 = best_gemm<float>(device, gemm, settings, Bound::fp32);
  ceilings.fp64 = best_gemm<double>(device, gemm, settings, Bound::fp64);
  return ceilings;
}

}  // namespace incipit::device::bench
