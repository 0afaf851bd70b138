// Rate at which the tensors of a checkpoint are read, raw and as fp32, beside a plain pread of the same files
// from one end to the other, cold (the page cache dropped for them) and warm.
//
//   read_bench CHECKPOINT [rounds = 3]
//
// CHECKPOINT is a folder with model.safetensors or pytorch_model.bin, single or sharded. Rates are the best
// of the rounds, which take the three ways in turn.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "checkpoint/weights.hpp"

namespace {

using namespace incipit;
using Clock = std::chrono::steady_clock;

constexpr std::size_t block = std::size_t{1} << 20U;

double seconds_of(const std::function<void()>& f) {
  const auto start = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void drop_from_cache(const checkpoint::Weights& weights) {
  for (const auto& path : weights.files()) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ::fsync(file);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

void read_plain(const checkpoint::Weights& weights) {
  std::vector<std::byte> bytes(block);
  for (const auto& path : weights.files()) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    off_t offset = 0;
    for (ssize_t got = 1; got > 0; offset += got) got = ::pread(file, bytes.data(), bytes.size(), offset);
    ::close(file);
  }
}

void read_raw(const checkpoint::Weights& weights) {
  std::vector<std::byte> bytes(block);
  for (const auto& [name, tensor] : weights.tensors()) {
    for (std::uint64_t at = 0; at < tensor.bytes; at += block)
      weights.read_raw(tensor, at, std::span(bytes).first(std::min<std::uint64_t>(block, tensor.bytes - at)));
  }
}

/// As the forward pass reads: some rows at a time, converted.
void read_floats(const checkpoint::Weights& weights) {
  std::vector<float> values;
  for (const auto& [name, tensor] : weights.tensors()) {
    const std::int64_t step = std::max<std::int64_t>(1, (std::int64_t{1} << 17U) / tensor.row_size());
    for (std::int64_t row = 0; row < tensor.rows(); row += step) {
      const std::int64_t rows = std::min(step, tensor.rows() - row);
      values.resize(static_cast<std::size_t>(rows * tensor.row_size()));
      weights.read(tensor, row, rows, values);
    }
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 2) {
    std::fprintf(stderr, "usage: read_bench CHECKPOINT [rounds]\n");
    return 64;
  }
  const auto weights = checkpoint::Weights::open(argv[1]);
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 3;
  const double gigabytes = static_cast<double>(weights.bytes()) / 1e9;
  std::printf("%s, %s, %.2f GB\n%-6s %12s %14s %14s\n", argv[1], weights.format().c_str(), gigabytes, "",
              "pread GB/s", "raw / pread", "fp32 / pread");
  for (const bool cold : {true, false}) {
    const std::function<void()> ways[] = {[&] { read_plain(weights); }, [&] { read_raw(weights); },
                                          [&] { read_floats(weights); }};
    double best[] = {1e30, 1e30, 1e30};
    for (int round = 0; round < rounds; ++round) {
      for (int way = 0; way < 3; ++way) {
        if (cold) drop_from_cache(weights);
        best[way] = std::min(best[way], seconds_of(ways[way]));
      }
    }
    std::printf("%-6s %12.2f %14.2f %14.2f\n", cold ? "cold" : "warm", gigabytes / best[0], best[0] / best[1],
                best[0] / best[2]);
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "read_bench: %s\n", error.what());
  return 65;
}
