#include "command/measure.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>

#include "checkpoint/fingerprints.hpp"
#include "checkpoint/weights.hpp"
#include "checkpoint/write_checkpoint.hpp"
#include "command/pass_cost.hpp"
#include "console/timing.hpp"
#include "error.hpp"
#include "model/neox.hpp"
#include "parallel/agree.hpp"
#include "quantile.hpp"
#include "sae/train.hpp"
#include "store/files.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

/// Seconds that f takes on the slowest rank, all of them beginning together.
double timed(const parallel::Communicator& world, const std::string& what, const std::function<void()>& f) {
  world.barrier();
  const double begin = console::monotonic_seconds();
  parallel::together(world, what, f);
  return world.max(console::monotonic_seconds() - begin);
}

/// Adds rungs of falling speed or growing size until one takes longer than `seconds`: the next would take
/// four times as long.
plan::Ladder climb(std::span<const std::int64_t> widths, double seconds,
                   const std::function<std::pair<double, double>(std::int64_t)>& seconds_and_flops,
                   const std::function<double(std::int64_t)>& size) {
  plan::Ladder ladder;
  for (const auto width : widths) {
    const auto [took, flops] = seconds_and_flops(width);
    ladder.width.push_back(size(width));
    ladder.rate.push_back(flops / took);
    if (took > seconds) break;
  }
  return ladder;
}

checkpoint::Config shape_of(std::int64_t d) {
  checkpoint::Config config;
  config.vocab = 512;
  config.d = d;
  config.layers = 6;
  config.heads = d < 128 ? std::max<std::int64_t>(2, d / 16) : d / (d < 512 ? 16 : d < 2048 ? 64 : 128);
  config.mlp = 4 * d;
  config.context = 2048;
  return config;
}

/// Texts of sixteen tokens in packs of 2,048.
std::vector<corpus::Pack> some_packs(std::int64_t vocab, int packs) {
  std::vector<corpus::Pack> all;
  for (int p = 0; p < packs; ++p) {
    corpus::Pack pack{{}, {}, {0}};
    for (std::int64_t text = 0; text < 128; ++text) {
      pack.probes.push_back(p * 128 + text);
      for (std::int64_t t = 0; t < 16; ++t)
        pack.tokens.push_back(static_cast<std::int32_t>((31 * text + 17 * t + 7 * p) % vocab));
      pack.starts.push_back(static_cast<std::int64_t>(pack.tokens.size()));
    }
    all.push_back(std::move(pack));
  }
  return all;
}

/// Small numbers that cost nothing to make: arithmetic takes as long with them as with any others.
void fill(const checkpoint::Tensor& /*tensor*/, std::int64_t first_row, std::int64_t rows,
          std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = 0.001F *
             static_cast<float>(static_cast<int>((i + static_cast<std::size_t>(first_row + rows)) % 31) - 15);
}

std::vector<float> normal_numbers(std::size_t n) {
  std::mt19937_64 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(n);
  for (float& number : numbers) number = normal(generator);
  return numbers;
}

/// A checkpoint whose file has about so many bytes.
checkpoint::Config config_of_bytes(double bytes) {
  checkpoint::Config config = shape_of(512);
  const double embedding = 2.0 * sizeof(float) * static_cast<double>(config.d);
  const double blocks = sizeof(float) * static_cast<double>(config.params_non_embedding());
  config.vocab = std::max<std::int64_t>(512, static_cast<std::int64_t>((bytes - blocks) / embedding));
  return config;
}

/// False where the page cache keeps the file, as on a file system in memory.
bool forget(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool done = ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) == 0;
  ::close(descriptor);
  return done;
}

void read_all_of(const checkpoint::Weights& weights) {
  std::vector<std::byte> piece(std::size_t{4} << 20U);
  for (const auto& [name, tensor] : weights.tensors())
    for (std::uint64_t at = 0; at < tensor.bytes; at += piece.size())
      weights.read_raw(tensor, at,
                       std::span(piece).first(std::min<std::uint64_t>(piece.size(), tensor.bytes - at)));
}

}  // namespace

plan::Ladder measure_forward(const parallel::Communicator& world, device::Device& device,
                             device::NumberType precision, double seconds) {
  constexpr std::int64_t widths[] = {16, 32, 64, 96, 128, 256, 512, 1024, 2048, 4096};
  const auto pass = [&](std::int64_t d) {
    const auto config = shape_of(d);
    const auto weights =
        checkpoint::Weights::drawn("a model to measure with", checkpoint::expected_tensors(config), fill);
    const auto packs = some_packs(config.vocab, d <= 128 ? 8 : 2);
    const int layers[] = {static_cast<int>(config.layers)};
    const double flops = forward_flops(config, packs, layers[0]);
    const auto run = [&] {
      model::Neox neox(device, weights, config, precision);
      neox.run(packs, layers, [](int, std::span<const float>) {});
    };
    timed(world, "measuring the forward pass", run);  // warms up
    // The middle of several turns: a job lasts, it gets neither the best moments only nor the worst.
    std::vector<double> turns;
    for (double spent = 0; turns.empty() || (turns.size() < 40 && spent < seconds / 4); spent += turns.back())
      turns.push_back(timed(world, "measuring the forward pass", run));
    std::ranges::sort(turns);
    return std::pair(sorted_quantile(turns, 0.5), flops);
  };
  return climb(widths, seconds, pass, [](std::int64_t d) { return static_cast<double>(d); });
}

plan::Ladder measure_training(const parallel::Communicator& world, device::Device& device, double seconds) {
  constexpr std::int64_t widths[] = {32, 96, 256, 512, 1024, 2048};
  constexpr std::int64_t n = 2048, few = 10, more = 60;
  const auto train = [&](std::int64_t d) {
    const auto rows = normal_numbers(static_cast<std::size_t>(n * d));
    sae::SaeOptions options;
    options.latents = d;
    double took[2];
    for (const bool long_one : {false, true}) {
      options.steps = long_one ? more : few;
      took[long_one ? 1 : 0] = timed(world, "measuring the training",
                                     [&] { static_cast<void>(sae::train(device, rows, {}, d, options, 1)); });
    }
    return std::pair(std::max(1e-6, took[1] - took[0]), training_flops(options, n, d) * (more - few) / more);
  };
  return climb(widths, seconds, train, [](std::int64_t d) { return static_cast<double>(d); });
}

FileRates measure_files(const parallel::Communicator& world, const fs::path& folder, double bytes) {
  const fs::path own = folder / fmt::format(".calibrate-{}", world.rank());
  const auto config = config_of_bytes(bytes);
  std::map<std::string, std::vector<float>> tensors;
  for (const auto& tensor : checkpoint::expected_tensors(config)) {
    std::int64_t size = 1;
    for (const auto extent : tensor.shape) size *= extent;
    tensors[tensor.name].assign(static_cast<std::size_t>(size), 0.01F);
  }
  FileRates rates{};
  try {
    const double writing = timed(world, "measuring how fast files are written", [&] {
      checkpoint::write_checkpoint(own, config, tensors);
      store::sync_to_disk(own / "model.safetensors");
    });
    tensors.clear();
    const auto weights = checkpoint::Weights::open(own);
    const auto size = static_cast<double>(weights.bytes());
    bool forgotten = forget(own / "model.safetensors");
    const double together = timed(world, "measuring how fast files are read", [&] { read_all_of(weights); });
    const double printing =
        timed(world, "measuring the audit", [&] { static_cast<void>(checkpoint::fingerprint(weights)); });
    forgotten = forget(own / "model.safetensors") && forgotten;
    const double alone = timed(world, "measuring how fast one rank reads", [&] {
      if (world.root()) read_all_of(weights);
    });
    rates = {.read = size / alone,
             .read_all = size * world.size() / together,
             .write_all = size * world.size() / writing,
             .audit = size / printing,
             .from_disk = !world.any(!forgotten)};
  } catch (...) {
    std::error_code none;
    fs::remove_all(own, none);
    throw;
  }
  std::error_code none;
  fs::remove_all(own, none);
  return rates;
}

}  // namespace incipit::command
