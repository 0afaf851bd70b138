#include "case.hpp"

#include <algorithm>
#include <cstdio>
#include <memory>

#include "launch.cuh"

namespace incipit::device::bench {
namespace {

/// One set of arguments with the memory they live in.
struct Round {
  Round(CudaDevice& device, std::uint64_t seed, const Case& from)
      : arena(device, seed), instance(from.make(arena)) {}
  Arena arena;
  Instance instance;
};

/// As many sets of arguments as fill the cache several times over, one after the other.
std::vector<std::unique_ptr<Round>> rounds_of(CudaDevice& device, const Settings& settings,
                                              const Case& from) {
  constexpr std::size_t caches = 4;
  constexpr std::size_t most = 64;
  std::vector<std::unique_ptr<Round>> rounds;
  rounds.push_back(std::make_unique<Round>(device, 1, from));
  if (!settings.rotate) return rounds;
  int cache = 0;
  cuda::check(cudaDeviceGetAttribute(&cache, cudaDevAttrL2CacheSize, 0),
              {.operation = "asking for the cache's size"});
  const std::size_t needed =
      caches * static_cast<std::size_t>(cache) / std::max<std::size_t>(1, rounds.front()->arena.bytes()) + 1;
  while (rounds.size() < std::min(most, needed))
    rounds.push_back(std::make_unique<Round>(device, rounds.size() + 1, from));
  return rounds;
}

/// Copies of all outputs.
std::vector<Buffer<std::byte>> keep_outputs(CudaDevice& device, const Round& round) {
  std::vector<Buffer<std::byte>> kept;
  const cuda::Call call = round.arena.call("keeping outputs");
  for (const Output& output : round.arena.outputs()) {
    kept.emplace_back(device, output.bytes);
    cuda::check(
        cudaMemcpyAsync(kept.back().data(), output.data, output.bytes, cudaMemcpyDeviceToDevice, call.stream),
        call);
  }
  return kept;
}

/// Runs both versions from the same start and says how far apart they end; a complaint where that is too far,
/// or where something was not written.
void compare(CudaDevice& device, Round& round, Line& line) {
  round.arena.restore();
  round.instance.run();
  const std::vector<Buffer<std::byte>> ours = keep_outputs(device, round);
  if (round.instance.error) {
    line.difference = round.instance.error();
    // Written so that NaN fails.
    if (!(line.difference <= 1))
      line.complaint = "is off by " + std::to_string(line.difference) + " times what is allowed";
  }
  if (round.instance.naive) {
    round.arena.restore();
    round.instance.naive();
  }
  for (std::size_t i = 0; i < ours.size(); ++i) {
    const Output& output = round.arena.outputs()[i];
    const Difference found = output.difference(device, ours[i].data(), output.data, output.n);
    const std::string which = "output " + std::to_string(i) + " ";
    if (found.nonfinite > 0)
      line.complaint = which + "has " + std::to_string(found.nonfinite) + " NaN or infinities";
    // Written so that NaN fails.
    if (!(found.value <= output.tolerance)) {
      line.complaint = which + "is off by " + std::to_string(found.value) + " of the naive one; allowed " +
                       std::to_string(output.tolerance);
    }
    const double exact = found.value == 0 ? 0 : 1e300;
    line.difference =
        std::max(line.difference, output.tolerance > 0 ? found.value / output.tolerance : exact);
  }
  round.arena.restore();
}

Line run_case(CudaDevice& device, const Settings& settings, const Case& from) {
  Line line{.part = "operation",
            .operation = from.operation,
            .type = from.type,
            .shape = from.shape,
            .bytes = from.bytes,
            .flops = from.flops,
            .arithmetic = from.arithmetic,
            .items = from.items};
  const std::vector<std::unique_ptr<Round>> rounds = rounds_of(device, settings, from);
  compare(device, *rounds.front(), line);
  Stopwatch watch(device);
  const auto number = static_cast<int>(rounds.size());
  line.time = watch.measure(from.slow ? settings.long_patience : settings.patience,
                            from.slow ? 0 : std::max(2, number),
                            [&](std::size_t turn) { rounds[turn % rounds.size()]->instance.run(); });
  if (rounds.front()->instance.naive) {
    line.naive = watch.measure(settings.naive_patience, 0,
                               [&](std::size_t turn) { rounds[turn % rounds.size()]->instance.naive(); });
  }
  return line;
}

}  // namespace

std::string sizes(std::initializer_list<std::int64_t> numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : "x") + std::to_string(number);
  return text;
}

void run_cases(CudaDevice& device, const Settings& settings, const std::string& only, Report& report) {
  const std::pair<const char*, std::vector<Case>> stages[] = {
      {"operations of the forward pass", forward_cases(settings)},
      {"operations of the sparse autoencoder", sae_cases(settings)},
      {"operations of the statistics, items are results of draws", statistics_cases(settings)},
      {"operations of the alignment", align_cases(settings)},
  };
  for (const auto& [title, cases] : stages) {
    report.begin(title);
    for (const Case& from : cases) {
      if (from.operation.find(only) != std::string::npos) report.add(run_case(device, settings, from));
    }
  }
}

}  // namespace incipit::device::bench
