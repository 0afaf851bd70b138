#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "deck/deck.hpp"
#include "device/device.hpp"
#include "parallel/communicator.hpp"
#include "plan/rates.hpp"

namespace incipit::command {

/// What a rank computes on.
struct Computer {
  std::unique_ptr<device::Device> device;
  std::uint64_t memory = 0;  ///< bytes this rank may use: of the device's memory where it has its own
  std::vector<std::string> warnings;  ///< the same on every rank
};

/// The device of this rank as run.device asks, the same kind on all ranks: CUDA devices are dealt out by the
/// rank's place on its node (one that is visible, as batch systems bind it, is taken as it is). Collective;
/// errors are agreed. Error(machine): no device though the deck asks for one, or more ranks than devices
/// though the deck refuses that (run.share_device = no).
[[nodiscard]] Computer choose_device(const parallel::Communicator& world, const deck::RunOptions& options,
                                     int threads);

/// What a rank with this device and so many threads is taken to do: as run.machine says, or assumed. Errors
/// as plan::read_rates.
[[nodiscard]] plan::Rates rates_of(const deck::RunOptions& options, const device::Device& device,
                                   int threads);

/// As files and fingerprints name it.
[[nodiscard]] std::string kind_of(const device::Device& device);

}  // namespace incipit::command
