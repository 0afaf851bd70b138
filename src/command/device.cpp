#include "command/device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "command/machine.hpp"
#include "device/cuda.hpp"
#include "device/host/host_device.hpp"
#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/node.hpp"

namespace incipit::command {
namespace {

/// Whether all ranks compute on CUDA devices; `warnings` says where only some of them could.
bool wants_cuda(const parallel::Communicator& world, const std::string& wish,
                std::vector<std::string>& warnings) {
  if (wish != "auto") return wish == "cuda";
  const auto able = world.sum(std::int64_t{device::cuda_devices() > 0 ? 1 : 0});
  if (able > 0 && able < world.size())
    warnings.push_back(
        fmt::format("{} of {} ranks see a CUDA device: all compute on the host, since one run's results come "
                    "from one kind of device",
                    able, world.size()));
  return able == world.size();
}

std::unique_ptr<device::Device> make_cuda(int place) {
  try {
    return device::make_cuda_device(place % std::max(1, device::cuda_devices()));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("run.device = cuda: {}", error.what()));
  }
}

/// Ranks that compute on this rank's device, itself among them.
std::int64_t sharers(const std::vector<std::string>& identities, const device::Device& device) {
  return std::ranges::count(identities, device.identity());
}

/// What the user must know, or Error(machine), where ranks share devices.
void judge_sharing(const std::vector<std::string>& identities, bool may_share,
                   std::vector<std::string>& warnings) {
  const std::set<std::string> devices(identities.begin(), identities.end());
  if (devices.size() == identities.size()) return;
  const auto text = fmt::format("{} ranks share {} CUDA device(s)", identities.size(), devices.size());
  if (!may_share)
    throw Error(Exit::machine,
                text +
                    " and run.share_device = no: start as many ranks per node as it has devices, or set "
                    "run.share_device = yes");
  warnings.push_back(text +
                     ": they take turns and share its memory; as many ranks per node as it has devices would "
                     "be faster");
}

}  // namespace

Computer choose_device(const parallel::Communicator& world, const deck::RunOptions& options, int threads) {
  Computer chosen;
  const auto node = parallel::node_share(world);
  const bool cuda = wants_cuda(world, options.device, chosen.warnings);
  parallel::together(world, "choosing a device", [&] {
    chosen.device = cuda ? make_cuda(node.rank) : device::make_host_device(threads);
  });
  std::uint64_t free = available_memory();
  std::int64_t users = node.size;
  if (cuda) {
    const auto identities = world.all_gather(chosen.device->identity());
    parallel::together(world, "choosing a device",
                       [&] { judge_sharing(identities, options.share_device, chosen.warnings); });
    users = sharers(identities, *chosen.device);
    free = chosen.device->free_memory().value_or(free);
    world.barrier();  // nobody takes memory before all have looked
  }
  chosen.memory = options.memory.value_or(free / static_cast<std::uint64_t>(users) / 5 * 4);
  return chosen;
}

plan::Rates rates_of(const deck::RunOptions& options, const device::Device& device, int threads) {
  if (options.machine != "none") return plan::read_rates(options.machine, threads);
  const bool cuda = device.kind() == device::Kind::cuda;
  return plan::assumed_rates(cuda ? plan::Kind::cuda : plan::Kind::host, threads);
}

std::string kind_of(const device::Device& device) {
  return device.kind() == device::Kind::host ? "host" : "cuda";
}

}  // namespace incipit::command
