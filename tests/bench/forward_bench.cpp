// Tokens per second of the forward pass beside the rate of the machine's own sgemm, measured in the same
// run with the same library; see README.md.

#include <sys/resource.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <iostream>
#include <map>

#include "corpus/packs.hpp"
#include "corpus/probes.hpp"
#include "corpus/tokenizer.hpp"
#include "device/host/host_device.hpp"
#include "model/neox.hpp"

namespace options = boost::program_options;
namespace fs = std::filesystem;
using namespace incipit;

namespace {

/// Seconds by the clock on the wall, or of this process's processors: the latter where others use the
/// machine too (it then says what one would have alone).
class Clock {
 public:
  explicit Clock(bool cpu) : id_(cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC) {}
  [[nodiscard]] double now() const {
    timespec t{};
    clock_gettime(id_, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }

 private:
  clockid_t id_;
};

/// The host device with a stopwatch on every operation.
class TimedHost final : public device::HostDevice {
 public:
  TimedHost(int threads, const Clock& clock) : HostDevice(threads), clock_(clock) {}

  using HostDevice::matmul;
  void matmul(const device::Matmul& op) override {
    timed("matmul", [&] { HostDevice::matmul(op); });
  }
  void gather_rows(const device::GatherRows& op) override {
    timed("gather_rows", [&] { HostDevice::gather_rows(op); });
  }
  using HostDevice::double_layer_norm;
  void double_layer_norm(const device::DoubleLayerNorm<float>& op) override {
    timed("double_layer_norm", [&] { HostDevice::double_layer_norm(op); });
  }
  using HostDevice::rotary_split;
  void rotary_split(const device::RotarySplit<float>& op) override {
    timed("rotary_split", [&] { HostDevice::rotary_split(op); });
  }
  using HostDevice::attention;
  void attention(const device::Attention<float>& op) override {
    timed("attention", [&] { HostDevice::attention(op); });
  }
  using HostDevice::bias_activation;
  void bias_activation(const device::BiasActivation<float>& op) override {
    timed("bias_activation", [&] { HostDevice::bias_activation(op); });
  }
  void add_bias(const device::AddBias& op) override {
    timed("add_bias", [&] { HostDevice::add_bias(op); });
  }

  void print(double total) const {
    double known = 0;
    for (const auto& [name, seconds] : seconds_) {
      std::printf("  %-18s %8.3f s  %5.1f %%\n", name.c_str(), seconds, 100 * seconds / total);
      known += seconds;
    }
    std::printf("  %-18s %8.3f s  %5.1f %%\n", "rest", total - known, 100 * (total - known) / total);
  }

 private:
  template <class F>
  void timed(const char* name, F&& f) {
    const double start = clock_.now();
    f();
    seconds_[name] += clock_.now() - start;
  }

  const Clock& clock_;
  std::map<std::string, double> seconds_;
};

/// The best of several products of the sizes libraries like best, on one thread: floating-point operations
/// per second.
double sgemm_rate(const Clock& clock) {
  const auto device = device::make_host_device(1);
  double best = 0;
  for (const std::int64_t n : {512, 1024, 2048}) {
    const std::vector<float> values(static_cast<std::size_t>(n * n), 0.5F);
    const device::Buffer<float> a(*device, std::span<const float>(values));
    const device::Buffer<float> b(*device, std::span<const float>(values));
    device::Buffer<float> c(*device, values.size());
    for (int repeat = 0; repeat < 6; ++repeat) {
      const double start = clock.now();
      for (std::int64_t done = 0; done < 2048; done += n) {
        device->matmul(device::Matmul{.transpose_b = true,
                                      .m = n,
                                      .n = n,
                                      .k = n,
                                      .a = a.data(),
                                      .lda = n,
                                      .b = b.data(),
                                      .ldb = n,
                                      .c = c.data(),
                                      .ldc = n});
      }
      const double products = 2048.0 / static_cast<double>(n);
      best = std::max(best, products * 2.0 * static_cast<double>(n * n * n) / (clock.now() - start));
    }
  }
  return best;
}

struct Arguments {
  std::string checkpoint, probes, tokenizer, format, text;
  std::int64_t limit = 0, pack_tokens = 0;
  int threads = 1;
  bool cpu_time = false;
  bool all_layers = false;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  options::options_description known("forward_bench [options]");
  known.add_options()("help", "this text")("checkpoint", options::value(&a.checkpoint)->required(),
                                           "a step's folder; make_random_checkpoint writes one")(
      "probes", options::value(&a.probes)->required(), "a probe file")(
      "tokenizer", options::value(&a.tokenizer)->required(), "tokenizer.json")(
      "format", options::value(&a.format)->default_value("mmlu-pro"), "of the probes")(
      "template", options::value(&a.text)->default_value("{question}"), "of the probes")(
      "limit", options::value(&a.limit)->default_value(0), "most probes per subject, 0: all")(
      "pack_tokens", options::value(&a.pack_tokens)->default_value(2048), "tokens of a pack")(
      "threads", options::value(&a.threads)->default_value(1), "of the forward pass")(
      "cpu", options::bool_switch(&a.cpu_time), "time of the processors instead of the wall's")(
      "all", options::bool_switch(&a.all_layers), "capture every layer, not the last only");
  options::variables_map given;
  options::store(options::parse_command_line(argc, argv, known), given);
  if (given.count("help") != 0) {
    std::cout << known;
    std::exit(0);
  }
  options::notify(given);
  return a;
}

std::vector<corpus::Pack> packs_of(const Arguments& a, std::int64_t context) {
  corpus::ProbeOptions probe_options;
  probe_options.path = a.probes;
  probe_options.format = a.format;
  probe_options.template_ = a.text;
  probe_options.split = "none";
  probe_options.limit = a.limit;
  const corpus::Probes probes = corpus::load_probes(probe_options, 1);
  const corpus::Tokenizer tokenizer = corpus::Tokenizer::load(a.tokenizer);
  return corpus::make_packs(corpus::tokenize(probes, tokenizer, probe_options, context), a.pack_tokens);
}

}  // namespace

int main(int argc, char** argv) try {
  const Arguments a = parse(argc, argv);
  const Clock clock(a.cpu_time);
  const double ceiling = sgemm_rate(clock);
  std::printf("sgemm               %8.1f GFLOP/s on one thread\n", 1e-9 * ceiling);

  const checkpoint::Config config = checkpoint::read_config(fs::path(a.checkpoint) / "config.json");
  const checkpoint::Weights weights = checkpoint::Weights::open(a.checkpoint);
  const std::vector<corpus::Pack> packs = packs_of(a, config.context);
  double tokens = 0;
  double probes = 0;
  for (const corpus::Pack& pack : packs) {
    tokens += static_cast<double>(pack.tokens.size());
    probes += static_cast<double>(pack.probes.size());
  }
  std::printf("texts               %8.0f of %.1f tokens on average, %zu packs\n", probes, tokens / probes,
              packs.size());

  TimedHost device(a.threads, clock);
  std::vector<int> layers;
  for (int layer = a.all_layers ? 0 : static_cast<int>(config.layers); layer <= config.layers; ++layer) {
    layers.push_back(layer);
  }
  model::Neox neox(device, weights, config);
  const double start = clock.now();
  neox.run(packs, layers, [](int, std::span<const float>) {});
  const double seconds = clock.now() - start;

  const double rate = config.flops_per_token() * tokens / seconds;
  const double cores = a.cpu_time ? 1.0 : static_cast<double>(a.threads);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  std::printf("forward             %8.1f s, %.0f tokens/s, %.1f GFLOP/s in useful operations\n", seconds,
              tokens / seconds, 1e-9 * rate);
  std::printf("fraction of sgemm   %8.1f %% of %d thread%s\n", 100 * rate / (ceiling * cores), a.threads,
              a.threads == 1 ? "" : "s");
  std::printf(
      "peak memory         %8.0f MB; foretold %.0f MB fixed, %.0f MB for the wave\n",
      static_cast<double>(usage.ru_maxrss) / 1e3,
      1e-6 * static_cast<double>(model::Neox::bytes_fixed(config, a.pack_tokens, device::NumberType::f32)),
      1e-6 * static_cast<double>(model::Neox::bytes_per_wave(config, packs, device::NumberType::f32)));
  device.print(seconds);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "forward_bench: " << error.what() << "\n";
  return 70;
}
