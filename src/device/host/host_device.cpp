#include "device/host/host_device.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "device/host/blas.hpp"
#include "error.hpp"

namespace incipit::device {
namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20U;

}  // namespace

HostDevice::HostDevice(int threads) : threads_(threads) {
  if (threads < 1) {
    throw Error(Exit::usage, "run.threads is " + std::to_string(threads) + ", at least 1 is expected");
  }
  host::set_blas_single_threaded();
}

std::string HostDevice::name() const {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "CPU of unknown make";
}

std::string HostDevice::libraries() const {
  return host::blas_version();
}

void* HostDevice::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  // Large arrays on huge pages: matrix products walk them with strides that small pages' TLB cannot hold.
  const std::size_t alignment = bytes >= 2 * huge_page ? huge_page : cache_line;
  const std::size_t rounded = (bytes + cache_line - 1) / cache_line * cache_line;
  void* memory = nullptr;
  if (rounded < bytes || posix_memalign(&memory, alignment, rounded) != 0) {
    throw OutOfMemory("cannot allocate " + std::to_string(bytes) +
                      " bytes of memory; lower run.memory or run.pack_tokens, or use more nodes");
  }
  if (alignment == huge_page) madvise(memory, rounded / huge_page * huge_page, MADV_HUGEPAGE);
  return memory;
}

void HostDevice::release(void* memory) noexcept {
  std::free(memory);
}

void HostDevice::upload(void* to, const void* host, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, host, bytes);
}

void HostDevice::download(void* host, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(host, from, bytes);
}

void HostDevice::zero(void* memory, std::size_t bytes) {
  if (bytes > 0) std::memset(memory, 0, bytes);
}

std::unique_ptr<Device> make_host_device(int threads) {
  return std::make_unique<HostDevice>(threads);
}

}  // namespace incipit::device
