// Which groups fire each latent: the codes in the order of their groups, sorted by latent. The sort is
// stable, so groups stay in order.

#include <limits>

#include "cuda_device.hpp"
#include "device/latent_groups.hpp"
#include "error.hpp"
#include "launch.cuh"
#include "memory.cuh"
#include "segments.cuh"
#include "sort_pairs.cuh"

namespace incipit::device {
namespace {

using namespace cuda;

constexpr int group_threads = 256;

/// Codes that do not fire get the key h, behind all latents.
__global__ void __launch_bounds__(group_threads) number_codes_kernel(LatentGroups op, Pairs pairs) {
  const std::int64_t code = static_cast<std::int64_t>(blockIdx.x) * group_threads + threadIdx.x;
  if (code >= op.n * op.keep) return;
  const std::int32_t probe = op.member[code / op.keep];
  const std::int64_t place = probe * op.keep + code % op.keep;
  pairs.key[code] = op.value[place] > 0 ? op.index[place] : static_cast<std::int32_t>(op.h);
  pairs.item[code] = op.group[probe];
}

__global__ void __launch_bounds__(group_threads)
    list_groups_kernel(LatentGroups op, const std::int32_t* groups) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * group_threads + threadIdx.x;
  if (at < op.start[op.h]) op.list[at] = groups[at];
}

}  // namespace

void CudaDevice::latent_groups(const LatentGroups& op) {
  const Call call = begin("latent_groups", {op.n, op.keep, op.h});
  const std::int64_t all = op.n * op.keep;
  if (all > std::numeric_limits<std::int32_t>::max() || op.h >= std::numeric_limits<std::int32_t>::max())
    throw Error(Exit::defect, describe(call) + " (n, keep, h): more codes than can be numbered");
  const Scratch<std::int32_t> numbers(*memory_, 4 * all, call);
  const Pairs pairs{numbers.get(), numbers.get() + all};
  const Pairs spare{numbers.get() + 2 * all, numbers.get() + 3 * all};
  const Grid grid{.blocks = divide_up(all, group_threads), .threads = group_threads};
  launch(call, grid, number_codes_kernel, op, pairs);
  const Pairs sorted = sort_pairs(pairs, spare, all, op.h + 1, *memory_, call);
  segment_starts(sorted.key, all, op.h, op.start, call);
  launch(call, grid, list_groups_kernel, op, sorted.item);
}

}  // namespace incipit::device
