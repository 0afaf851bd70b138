#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "device/device.hpp"
#include "sae/sae.hpp"

namespace incipit::sae {

/// The latents that fire on each probe: kept and a > 0 (science §2), the largest activation first.
struct Codes {
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::vector<std::int32_t> latent;  ///< n×k; −1 where nothing fires: these stand at the end of a row
  std::vector<float> activation;     ///< n×k; 0 where nothing fires
};

/// Whoever shares probes out over ranks cuts at multiples of this many: then their codes are the same bytes
/// however they are shared.
inline constexpr std::int64_t encode_block = device::encode_tile_rows;

/// What is done with z (rows×h, on the device) of probes begin … begin + rows − 1 before it is gone, for
/// whatever asks about latents that do not fire.
using VisitZ = std::function<void(std::int64_t begin, std::int64_t rows, const float* z)>;

/// Codes of n probes. u: n×d in the SAE's input space, (x − mean)/scale or what a rung of science §7 puts
/// in its place. Probes i, i + 1, … of a call get the same bytes
/// in a call of their own where i is a multiple of encode_block. The n×h matrix is never held whole: with
/// `visit`, z of every latent is made on the way, a block of probes at a time.
/// Error(Exit::numbers) when u holds a non-finite number.
Codes encode(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n,
             const VisitZ& visit = {});

/// Codes in a device's memory. A latent fires where its activation is above 0; where it is not, it was kept
/// without firing.
struct DeviceCodes {
  std::int64_t n = 0;
  std::int64_t k = 0;
  device::Buffer<std::int32_t> latent;  ///< n×k, distinct within a row
  device::Buffer<float> activation;     ///< n×k
};

/// As encode, but nothing goes back to the host.
DeviceCodes encode_on_device(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n,
                             const VisitZ& visit = {});

/// Σ‖u − û‖² / (n·d): FVU(k) of science §2 over the given rows.
double fvu(device::Device& device, const Sae& sae, std::span<const float> u, std::int64_t n);

}  // namespace incipit::sae
