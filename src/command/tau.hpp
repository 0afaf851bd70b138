#pragma once

#include <cstddef>
#include <string>

#include "command/session.hpp"
#include "emergence/tau_sweep.hpp"
#include "store/reader.hpp"

namespace incipit::command {

/// How an anchor's curves move with match.tau, counted anew over the activations and the matches that are
/// there now. A curve whose activations (or, where widths differ, alignments) are not all there has no
/// points. Collective. Error usage when the matches are not there.
emergence::TauSweep sweep_tau(Session& session, std::size_t anchor);

/// The same as emergence.h5 holds it, for the matches it was made with.
emergence::TauSweep read_tau_sweep(const store::Reader& file, const std::string& anchor);

/// Tables of a sweep, and then its notes.
std::string tau_table(const emergence::TauSweep& sweep);

/// What its columns mean.
std::string tau_legend();

/// Which subjects' conclusions hang on tau, in words.
std::string tau_notes(const emergence::TauSweep& sweep);

}  // namespace incipit::command
