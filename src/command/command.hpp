#pragma once

#include <string>
#include <vector>

#include "parallel/communicator.hpp"

namespace incipit::command {

/// Runs the subcommand that `words` (the command line without the program's name) ask for. Collective.
/// Error usage for a subcommand that does not exist; errors of the subcommand otherwise.
void dispatch(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit run DECK`: all stages of the main job, then the table of results.
void run(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit attribute DECK [--anchor=NAME] [--ablate=attention:3,...]`: who wrote and who erased each concept
/// along the layers, and what becomes of it without them.
void attribute_and_ablate(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit loss DECK`: the next-token losses of the probes at every checkpoint that the deck selects, and a
/// table of their means.
void loss(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit calibrate`: what a rank of this machine does in a second, into a file for `plan` and run.machine.
void calibrate(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit plan DECK --ranks=64`: what `run` would do there, and how long.
void plan_run(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit models FAMILY`: what a family holds, and what is missing there.
void models(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit audit FAMILY`: whether every checkpoint is what its name says. Error data when one is not.
void audit(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit inspect FILE [--validate | --latent ANCHOR:LATENT]`: what is in a file of ours, whether it holds
/// what docs/schema.md says, or all that it says of one latent.
void inspect(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit doctor [DECK] [--folder=DIR]`: what the machine, the libraries and a folder will do to a run.
/// Error machine or io when something fails that a run needs.
void doctor(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit phantom --out=FOLDER`: a family of checkpoints whose concepts were planted, and the truth.
void phantom(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit sweep DECK [--k=1,2] [--latents=64,128]`: what hangs on the size of an anchor's dictionary.
void sweep(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit sheet EMERGENCE.h5`: a blinded sheet on which people judge labels, and its key.
void sheet(const parallel::Communicator& world, const std::vector<std::string>& words);

/// `incipit agree KEY.h5 FILLED.csv ...`: how far people and the teacher agree.
void agree(const parallel::Communicator& world, const std::vector<std::string>& words);

}  // namespace incipit::command
