#pragma once

#include <string>

#include "device/matmul.hpp"

namespace incipit::device::host {

/// Keeps the BLAS to the calling thread, for the whole process: OpenBLAS, BLIS and MKL, whichever is loaded.
/// A library that is none of them is taken to be single-threaded.
void set_blas_single_threaded();

/// Name, version and processor type of the BLAS as it describes itself.
[[nodiscard]] std::string blas_version();

/// One call of the library's sgemm in the calling thread.
void sgemm(const Matmul& op);

}  // namespace incipit::device::host
