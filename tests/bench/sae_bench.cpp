// Samples per second of SAE training (science §2) on the host, all loss terms, beside the rate of a plain
// sgemm measured in the same run, and where the time goes.
//
//   sae_bench [threads = 1] [seconds per case = 4]
//
// Both rates are the best of eight interleaved rounds, so that a busy machine disturbs them alike.
// Inputs are clustered vectors: 12,000 probes around 600 centres. Each case is run as training meets it, with
// few dead latents, and again with three quarters of the latents dead, which is the most AuxK can cost.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "device/host/blas.hpp"
#include "device/host/host_device.hpp"
#include "random.hpp"
#include "sae/batches.hpp"
#include "sae/start.hpp"
#include "sae/trainer.hpp"

namespace {

using namespace incipit;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The host with a stopwatch on every operation of the SAE.
class TimedHost : public device::HostDevice {
 public:
  using HostDevice::encode_top_k;
  using HostDevice::gather_centred;
  using HostDevice::HostDevice;
  using HostDevice::sae_adam;
  using HostDevice::sae_auxiliary;
  using HostDevice::sae_decode;
  using HostDevice::sae_gradient;
  using HostDevice::sae_idle;
  double encode = 0, decode = 0, gradient = 0, auxiliary = 0, adam = 0, rest = 0;

  void gather_centred(const device::GatherCentred<float>& op) override {
    time(rest, [&] { HostDevice::gather_centred(op); });
  }
  void encode_top_k(const device::EncodeTopK<float>& op) override {
    time(encode, [&] { HostDevice::encode_top_k(op); });
  }
  void sae_decode(const device::SaeDecode<float>& op) override {
    time(decode, [&] { HostDevice::sae_decode(op); });
  }
  void sae_gradient(const device::SaeGradient<float>& op) override {
    time(gradient, [&] { HostDevice::sae_gradient(op); });
  }
  void sae_auxiliary(const device::SaeAuxiliary<float>& op) override {
    time(auxiliary, [&] { HostDevice::sae_auxiliary(op); });
  }
  void sae_adam(const device::SaeAdam<float>& op) override {
    time(adam, [&] { HostDevice::sae_adam(op); });
  }
  void sae_idle(const device::SaeIdle<float>& op) override {
    time(rest, [&] { HostDevice::sae_idle(op); });
  }

 private:
  template <class F>
  static void time(double& total, const F& f) {
    const auto start = Clock::now();
    f();
    total += seconds_since(start);
  }
};

/// Seconds of one product of 1024×1024 matrices.
class Sgemm {
 public:
  double run() {
    const auto start = Clock::now();
    device::host::sgemm({.m = n,
                         .n = n,
                         .k = n,
                         .a = a_.data(),
                         .lda = n,
                         .b = b_.data(),
                         .ldb = n,
                         .c = c_.data(),
                         .ldc = n});
    return seconds_since(start);
  }
  static double gflops(double seconds) { return 2e-9 * n * n * n / seconds; }

 private:
  static constexpr std::int64_t n = 1024;
  std::vector<float> a_ = std::vector<float>(n * n, 0.5F);
  std::vector<float> b_ = std::vector<float>(n * n, 0.25F);
  std::vector<float> c_ = std::vector<float>(n * n);
};

/// n×d, mean square 1: centres of share 0.8 of the variance, and noise.
std::vector<float> clustered(std::int64_t n, std::int64_t d) {
  constexpr std::int64_t centres = 600;
  std::vector<float> centre(centres * d);
  Random random(1, Purpose::test, 0);
  for (float& value : centre) value = static_cast<float>(std::sqrt(0.8) * random.normal());
  std::vector<float> rows(n * d);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t from = static_cast<std::int64_t>(random.below(centres));
    for (std::int64_t c = 0; c < d; ++c)
      rows[i * d + c] = centre[from * d + c] + static_cast<float>(std::sqrt(0.2) * random.normal());
  }
  return rows;
}

sae::Parameters<float> start(const std::vector<float>& u, std::int64_t d, std::int64_t h) {
  const std::vector<double> centre(d, 0.0);
  const std::vector<double> directions = sae::start_directions(u, centre, h, "data", 1);
  sae::Parameters<float> parameters{.h = h, .d = d};
  parameters.decoder.assign(directions.begin(), directions.end());
  parameters.encoder = parameters.decoder;
  parameters.encoder_bias.assign(h, 0.0F);
  parameters.pre_bias.assign(d, 0.0F);
  return parameters;
}

void run_case(std::int64_t d, std::int64_t k, bool many_dead, int threads, double seconds) {
  constexpr std::int64_t n = 12000;
  constexpr std::int64_t h = 512;
  constexpr std::int64_t batch_size = 256;
  const std::vector<float> u = clustered(n, d);
  TimedHost device(threads);
  const sae::Start<float> origin{.parameters = start(u, d, h), .dead_after = 2 * n};
  sae::Trainer<float> trainer(device, {&origin, 1}, device::Buffer<float>(device, std::span<const float>(u)),
                              {.k = k, .batch = batch_size});
  sae::Batches batches(n, batch_size, 1);
  std::vector<std::int64_t> idle(h, 0);
  if (many_dead) std::fill(idle.begin() + h / 4, idle.end(), 2 * n);

  constexpr std::int64_t steps = 3000;
  const auto one = [&](std::int64_t step) {
    if (many_dead) trainer.set_idle(idle);
    trainer.load(batches.next());
    trainer.backward();
    trainer.update(sae::learning_rate(d, step % steps, steps));
    return trainer.terms().front();
  };
  for (std::int64_t step = 0; step < 3; ++step) one(step);
  device.encode = device.decode = device.gradient = device.auxiliary = device.adam = device.rest = 0;

  constexpr int rounds = 8;
  Sgemm sgemm;
  double best_sgemm = 1e30;
  double rate = 0;
  double total = 0;
  std::int64_t done = 0;
  sae::Terms terms;
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < 4; ++i) best_sgemm = std::min(best_sgemm, sgemm.run());
    const auto begin = Clock::now();
    const std::int64_t first = done;
    do {
      terms = one(3 + done++);
    } while (seconds_since(begin) < seconds / rounds);
    const double elapsed = seconds_since(begin);
    rate = std::max(rate, static_cast<double>((done - first) * batch_size) / elapsed);
    total += elapsed;
  }
  const double gflops = Sgemm::gflops(best_sgemm);
  const auto share = [&](double part) { return 100 * part / total; };
  std::printf("%5ld %3ld  %-4s %10.0f %8.1f %12.0f   %5.1f %6.1f %8.1f %9.1f %5.1f %5.1f   %.4f %ld\n",
              static_cast<long>(d), static_cast<long>(k), many_dead ? "many" : "few", rate, gflops,
              rate / gflops, share(device.encode), share(device.decode), share(device.gradient),
              share(device.auxiliary), share(device.adam),
              share(total - device.encode - device.decode - device.gradient - device.auxiliary - device.adam),
              terms.fvu, static_cast<long>(trainer.dead().front()));
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 4;
  std::printf("h 512, batch 256, fp32, %d thread(s); shares of time in %%\n", threads);
  std::printf(
      "    d   k  dead  samples/s  GFLOP/s  per GFLOP/s  encode decode gradient auxiliary  adam  rest   fvu "
      "dead\n");
  for (const std::int64_t d : {768, 5120})
    for (const bool many_dead : {false, true}) run_case(d, 1, many_dead, threads, seconds);
  run_case(768, 32, false, threads, seconds);
}
