#pragma once

#include <cstdint>
#include <filesystem>

#include "device/device.hpp"
#include "device/number.hpp"
#include "parallel/communicator.hpp"
#include "plan/rates.hpp"

/// What `incipit calibrate` measures piece by piece, all ranks at once, as they work in a run.
namespace incipit::command {

/// FLOP/s of a rank's forward pass by the model's width: models of six blocks in Pythia's proportions, up
/// to the width at which a wave takes longer than `seconds`. Collective.
plan::Ladder measure_forward(const parallel::Communicator& world, device::Device& device,
                             device::NumberType precision, double seconds);

/// FLOP/s of SAE training by √(latents · width). Collective.
plan::Ladder measure_training(const parallel::Communicator& world, device::Device& device, double seconds);

/// Bytes per second of a file system.
struct FileRates {
  double read, read_all, write_all;  ///< as plan::Rates
  double audit;                      ///< bytes/s that a rank fingerprints
  bool from_disk;                    ///< the page cache let go of the files before they were read
};

/// Every rank writes a checkpoint of about so many bytes below `folder`, all together; then they read them,
/// all together and rank 0 alone. What was written is removed. Collective. Error io.
FileRates measure_files(const parallel::Communicator& world, const std::filesystem::path& folder,
                        double bytes);

}  // namespace incipit::command
