#pragma once

#include <string>

namespace incipit::store {

/// When a write fails on one rank in the midst of a collective call of HDF5 1.10, that rank goes on to wait
/// for the others elsewhere than they wait for it: for ever; and Open MPI 4.1 says of a write that failed
/// only that it wrote nothing. So MPI-IO's writes are looked at on their way (by MPI's profiling interface),
/// and each that fails starts a clock: a rank that has neither let its Writer go nor ended when it runs out
/// says what failed and ends with Exit::io, and the launcher ends the others with it.
inline constexpr int seconds_to_leave = 15;  // longer than parallel::agree waits

/// What the writes to come are about.
void writing(const std::string& path);
/// The rank has come out of HDF5: stops the clock.
void writing_ended() noexcept;

}  // namespace incipit::store
