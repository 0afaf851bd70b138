#pragma once

#include <filesystem>

#include "phantom/builder.hpp"
#include "phantom/plan.hpp"
#include "phantom/texts.hpp"
#include "store/schema.hpp"

namespace incipit::phantom {

/// The words of a kind of dip, as science.md §7 has them: rescaled, turned, outvoted, lost.
[[nodiscard]] const char* verdict_of(State state);

/// truth.h5 (kind "truth"): what was planted where. `reference`: the largest model's directions.
void write_truth(const std::filesystem::path& path, const store::Header& header, const Plan& plan,
                 const Texts& texts, const std::vector<checkpoint::Config>& models, const Frame& reference);

}  // namespace incipit::phantom
