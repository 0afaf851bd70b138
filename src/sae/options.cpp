#include "sae/options.hpp"

#include <fmt/format.h>

#include "error.hpp"

namespace incipit::sae {
namespace {

void check_range(const char* key, std::int64_t value, std::int64_t low, std::int64_t high,
                 const char* advice) {
  if (value >= low && value <= high) return;
  throw Error(Exit::usage,
              fmt::format("sae.{} = {} is out of range: expected {} to {}{}", key, value, low, high, advice));
}

}  // namespace

void check(const SaeOptions& options) {
  constexpr std::int64_t many = 1'000'000'000;
  check_range("latents", options.latents, 1, 1'000'000, "");
  check_range("k", options.k, 1, options.latents, "; a probe cannot keep more latents than sae.latents");
  check_range("steps", options.steps, 1, many, "");
  check_range("batch", options.batch, 1, 1'000'000, "");
  check_range("seeds", options.seeds, 1, 1'000, "");
  check_range("dead_after", options.dead_after, 0, many,
              " samples; 0 stands for two passes over the fit part");
  if (options.init != "data" && options.init != "random")
    throw Error(Exit::usage, fmt::format("sae.init = {} is unknown: expected data or random", options.init));
}

}  // namespace incipit::sae
