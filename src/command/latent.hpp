#pragma once

#include <filesystem>
#include <string>

namespace incipit::command {

/// Prints what an emergence.h5 says of the latent that `which` names as ANCHOR:LATENT. Error usage for
/// another form, an anchor or a latent that is not there; Error data, after what there is has been printed,
/// for a file from before the nearest texts were kept.
void print_latent(const std::filesystem::path& emergence, const std::string& which);

}  // namespace incipit::command
