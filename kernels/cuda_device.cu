// The device itself: finding it, its memory, and the calls that carry operations' names to their errors.

#include <algorithm>
#include <cstdlib>

#include "cuda_device.hpp"
#include "device/cuda.hpp"
#include "error.hpp"
#include "memory.cuh"
#include "products.cuh"
#include "solver.cuh"

namespace incipit::device {
namespace {

std::string version(int number) {
  return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
}

std::string versions() {
  int driver = 0;
  int runtime = 0;
  cudaDriverGetVersion(&driver);
  cudaRuntimeGetVersion(&runtime);
  return "CUDA " + version(runtime) + ", " +
         (driver == 0 ? std::string("no driver") : "driver for CUDA " + version(driver));
}

/// The same for every process that uses the device, on whichever machine.
std::string unique_name(const cudaDeviceProp& properties) {
  constexpr char digits[] = "0123456789abcdef";
  std::string name = "GPU-";
  for (const char byte : properties.uuid.bytes) {
    const auto number = static_cast<unsigned char>(byte);
    name += digits[number / 16];
    name += digits[number % 16];
  }
  return name;
}

cudaDeviceProp properties_of(int ordinal) {
  cudaDeviceProp properties;
  cuda::check(cudaGetDeviceProperties(&properties, ordinal), {.operation = "looking at a CUDA device"});
  return properties;
}

/// Makes device `ordinal` the current one and answers its name.
std::string choose(int ordinal) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    int runtime = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    throw Error(Exit::machine, (driver == 0 ? std::string("there is no CUDA driver here")
                                            : "the CUDA driver is for CUDA " + version(driver) +
                                                  ", this program was built with " + version(runtime)) +
                                   "; run on a node with a recent driver, or set run.device = host");
  }
  if (status != cudaSuccess || ordinal < 0 || ordinal >= count) {
    throw Error(Exit::machine,
                "there is no CUDA device " + std::to_string(ordinal) +
                    "; devices that can be seen: " + std::to_string(count) +
                    (status == cudaSuccess || status == cudaErrorNoDevice
                         ? ""
                         : std::string(" (CUDA answers \"") + cudaGetErrorString(status) + "\")") +
                    ". Ask the scheduler for a GPU, look at CUDA_VISIBLE_DEVICES, or set "
                    "run.device = host");
  }
  const cuda::Call call{.operation = "choosing a CUDA device"};
  cuda::check(cudaSetDevice(ordinal), call);
  const cudaDeviceProp properties = properties_of(ordinal);
  int pools = 0;
  cuda::check(cudaDeviceGetAttribute(&pools, cudaDevAttrMemoryPoolsSupported, ordinal), call);
  if (properties.major < 8 || pools == 0) {
    throw Error(Exit::machine, std::string(properties.name) + " has compute capability " +
                                   std::to_string(properties.major) + "." + std::to_string(properties.minor) +
                                   (pools == 0 ? " and no memory pools" : "") +
                                   "; 8.0 or later is needed. Set run.device = host");
  }
  return properties.name;
}

}  // namespace

CudaDevice::CudaDevice(int ordinal)
    : ordinal_(ordinal),
      name_(choose(ordinal)),
      identity_(unique_name(properties_of(ordinal))),
      last_(std::make_unique<cuda::Call>()),
      memory_(std::make_unique<cuda::Memory>(ordinal, name_)),
      products_(std::make_unique<cuda::Products>()) {
  const char* wait = std::getenv("INCIPIT_CUDA_WAIT");
  wait_ = wait != nullptr && std::string(wait) == "1";
}

CudaDevice::~CudaDevice() = default;

std::string CudaDevice::libraries() const {
  return versions() + ", " + products_->version() + ", " + cuda::Solver::version();
}

std::optional<std::size_t> CudaDevice::free_memory() const {
  const cuda::Call call{.operation = "looking at a CUDA device's memory"};
  cuda::check(cudaSetDevice(ordinal_), call);
  std::size_t free = 0;
  std::size_t total = 0;
  cuda::check(cudaMemGetInfo(&free, &total), call);
  return free;
}

CUstream_st* CudaDevice::stream() const {
  return memory_->stream();
}

std::vector<std::string> CudaDevice::choices() const {
  return products_->choices();
}

cuda::Call CudaDevice::begin(const char* operation, std::initializer_list<std::int64_t> shape) {
  cuda::Call call{.stream = memory_->stream(), .operation = operation, .wait = wait_};
  std::copy(shape.begin(), shape.end(), call.shape.begin());
  *last_ = call;
  // The current device is each thread's own, and operations may come from another than the last.
  cuda::check(cudaSetDevice(ordinal_), call);
  return call;
}

cuda::Solver& CudaDevice::solver() {
  if (!solver_) solver_ = std::make_unique<cuda::Solver>(*memory_);
  return *solver_;
}

void* CudaDevice::allocate(std::size_t bytes) {
  const cuda::Call call{.stream = memory_->stream(),
                        .operation = "allocation",
                        .shape = {static_cast<std::int64_t>(bytes), -1, -1, -1, -1}};
  void* memory = memory_->allocate(bytes, call);
  memory_->mark_allocation(call);
  return memory;
}

void CudaDevice::release(void* memory) noexcept {
  memory_->release(memory);
}

void CudaDevice::upload(void* to, const void* host, std::size_t bytes) {
  memory_->upload(to, host, bytes,
                  {.operation = "upload", .shape = {static_cast<std::int64_t>(bytes), -1, -1, -1, -1}});
}

void CudaDevice::download(void* host, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  // What failed is some operation before, most likely the last.
  cuda::check(cudaMemcpyAsync(host, from, bytes, cudaMemcpyDeviceToHost, memory_->stream()), *last_);
  synchronize();
}

void CudaDevice::zero(void* memory, std::size_t bytes) {
  if (bytes == 0) return;
  cuda::check(cudaMemsetAsync(memory, 0, bytes, memory_->stream()), *last_);
}

void CudaDevice::synchronize() {
  cuda::check(cudaStreamSynchronize(memory_->stream()), *last_);
}

int cuda_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  // Errors stay with the thread until they are asked for.
  cudaGetLastError();
  return status == cudaSuccess ? count : 0;
}

std::unique_ptr<Device> make_cuda_device(int ordinal) {
  return std::make_unique<CudaDevice>(ordinal);
}

std::vector<std::string> describe_cuda() {
  std::vector<std::string> lines = {versions()};
  const int devices = cuda_devices();
  if (devices == 0) lines.front() += ", no device here";
  for (int ordinal = 0; ordinal < devices; ++ordinal) {
    cudaDeviceProp properties;
    std::string line = "device " + std::to_string(ordinal) + ": ";
    if (const cudaError_t status = cudaGetDeviceProperties(&properties, ordinal); status != cudaSuccess) {
      lines.push_back(line + cudaGetErrorString(status));
      continue;
    }
    lines.push_back(line + properties.name + ", compute capability " + std::to_string(properties.major) +
                    "." + std::to_string(properties.minor) + ", " +
                    std::to_string(properties.totalGlobalMem >> 30U) + " GiB");
  }
  return lines;
}

}  // namespace incipit::device
