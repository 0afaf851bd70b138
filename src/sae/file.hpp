#pragma once

#include <filesystem>
#include <vector>

#include "sae/sae.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::sae {

/// Writes the SAEs of one anchor (files.md, `sae`): seeds[0] at the root, the others under seeds/S with S
/// their seed. Collective: every rank of the writer's communicator passes the same SAEs. Does not commit.
void write_saes(store::Writer& writer, const std::vector<Sae>& seeds);

/// Reads them back in the order they were written. Error(Exit::data) when shapes disagree, naming the
/// dataset.
std::vector<Sae> read_saes(const store::Reader& reader);

}  // namespace incipit::sae
