#include "sae/encode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "error.hpp"

namespace incipit::sae {
namespace {

constexpr std::int64_t block_rows = 1024;

void check_shape(const Sae& sae, std::span<const float> u, std::int64_t n) {
  if (static_cast<std::int64_t>(u.size()) != n * sae.d)
    throw Error(Exit::defect,
                fmt::format("SAE input holds {} numbers, expected {} rows of {}", u.size(), n, sae.d));
}

void check_input(std::span<const float> u, std::int64_t d) {
  const auto bad = std::find_if(u.begin(), u.end(), [](float value) { return !std::isfinite(value); });
  if (bad != u.end())
    throw Error(Exit::numbers,
                fmt::format("SAE input holds {} in row {}: the residuals of this site are not finite", *bad,
                            (bad - u.begin()) / d));
}

/// An SAE on a device, with room for blocks of rows.
class Loaded {
 public:
  Loaded(device::Device& device, const Sae& sae, std::int64_t n)
      : device_(device),
        sae_(sae),
        rows_(std::min(n, block_rows)),
        encoder_(device, sae.encoder),
        bias_(device, sae.encoder_bias),
        pre_bias_(device, sae.pre_bias),
        u_(device, rows_ * sae.d),
        x_(device, rows_ * sae.d) {}

  /// Encodes `rows` rows of host memory to rows×k latents and activations, and to z unless it is null.
  void encode(std::span<const float> u, std::int64_t rows, std::int32_t* latent, float* activation,
              float* z = nullptr) {
    u_.upload(u);
    device_.gather_centred(device::GatherCentred<float>{
        .n = rows, .d = sae_.d, .rows = u_.data(), .centre = pre_bias_.data(), .out = x_.data()});
    device_.encode_top_k(device::EncodeTopK<float>{.n = rows,
                                                   .d = sae_.d,
                                                   .h = sae_.h,
                                                   .keep = sae_.k,
                                                   .x = x_.data(),
                                                   .encoder = encoder_.data(),
                                                   .bias = bias_.data(),
                                                   .index = latent,
                                                   .value = activation,
                                                   .z = z});
  }

  /// The input of the last call, less the pre-bias.
  [[nodiscard]] const float* x() const { return x_.data(); }

 private:
  device::Device& device_;
  const Sae& sae_;
  std::int64_t rows_;
  device::Buffer<float> encoder_, bias_, pre_bias_;
  device::Buffer<float> u_, x_;
};

/// Calls f(begin, rows, u of these rows) for blocks of rows.
template <class F>
void for_blocks(std::span<const float> u, std::int64_t n, std::int64_t d, const F& f) {
  for (std::int64_t begin = 0; begin < n; begin += block_rows) {
    const std::int64_t rows = std::min(block_rows, n - begin);
    f(begin, rows, u.subspan(begin * d, rows * d));
  }
}

}  // namespace

DeviceCodes encode_on_device(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n,
                             const VisitZ& visit) {
  check_shape(sae, u, n);
  check_input(u, sae.d);
  DeviceCodes codes{.n = n,
                    .k = sae.k,
                    .latent = {device, static_cast<std::size_t>(n * sae.k)},
                    .activation = {device, static_cast<std::size_t>(n * sae.k)}};
  Loaded loaded(device, sae, n);
  device::Buffer<float> z(device, visit ? std::min(n, block_rows) * sae.h : 0);
  for_blocks(u, n, sae.d, [&](std::int64_t begin, std::int64_t rows, std::span<const float> block) {
    loaded.encode(block, rows, codes.latent.data() + begin * sae.k, codes.activation.data() + begin * sae.k,
                  z.data());
    if (visit) visit(begin, rows, z.data());
  });
  return codes;
}

Codes encode(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n,
             const VisitZ& visit) {
  const DeviceCodes made = encode_on_device(device, sae, u, n, visit);
  Codes codes{.n = n, .k = sae.k, .latent = made.latent.download(), .activation = made.activation.download()};
  for (std::int64_t i = 0; i < n * sae.k; ++i) {
    if (codes.activation[i] > 0) continue;
    codes.latent[i] = -1;
    codes.activation[i] = 0;
  }
  return codes;
}

double fvu(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n) {
  check_shape(sae, u, n);
  Loaded loaded(device, sae, n);
  const std::int64_t room = std::min(n, block_rows);
  const device::Buffer<float> decoder(device, sae.decoder);
  device::Buffer<std::int32_t> latent(device, room * sae.k);
  device::Buffer<float> activation(device, room * sae.k);
  device::Buffer<float> residual(device, room * sae.d);
  device::Buffer<double> square(device, room);
  double total = 0;
  for_blocks(u, n, sae.d, [&](std::int64_t, std::int64_t rows, std::span<const float> block) {
    loaded.encode(block, rows, latent.data(), activation.data());
    device.sae_decode(device::SaeDecode<float>{.n = rows,
                                               .d = sae.d,
                                               .k = sae.k,
                                               .keep = sae.k,
                                               .x = loaded.x(),
                                               .decoder = decoder.data(),
                                               .index = latent.data(),
                                               .value = activation.data(),
                                               .residual = residual.data(),
                                               .square = square.data()});
    std::vector<double> squares(rows);
    square.download(squares);
    for (const double value : squares) total += value;
  });
  return total / static_cast<double>(n * sae.d);
}

}  // namespace incipit::sae
