#pragma once

#include <cstdint>
#include <string>

/// What the calls of LAPACK share. Its matrices are column-major: what is row-major here is its transpose.
namespace incipit::device::host {

/// "svd of 3 x 4"
[[nodiscard]] std::string describe(const char* operation, std::int64_t rows, std::int64_t columns);

/// LAPACK counts in int; Error(machine) beyond.
[[nodiscard]] int lapack_size(std::int64_t value, const std::string& what);
/// LAPACK answers a workspace query with a floating-point length.
[[nodiscard]] int lapack_length(double asked, const std::string& what);

/// Error(numbers) where a routine did not converge, Error(defect) where it refused an argument.
void check_lapack(int info, const char* routine, const std::string& what);

/// Error(numbers) when one of the values is NaN or infinite.
void refuse_nonfinite(const double* values, std::int64_t size, const std::string& what);

}  // namespace incipit::device::host
