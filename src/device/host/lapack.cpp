#include "device/host/lapack.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "error.hpp"

namespace incipit::device::host {

std::string describe(const char* operation, std::int64_t rows, std::int64_t columns) {
  return std::string(operation) + " of " + std::to_string(rows) + " x " + std::to_string(columns);
}

int lapack_size(std::int64_t value, const std::string& what) {
  if (value > std::numeric_limits<int>::max())
    throw Error(Exit::machine, what + ": " + std::to_string(value) + " is beyond LAPACK's integers");
  return static_cast<int>(value);
}

int lapack_length(double asked, const std::string& what) {
  return lapack_size(std::max<std::int64_t>(1, std::llround(asked)), what);
}

void check_lapack(int info, const char* routine, const std::string& what) {
  if (info == 0) return;
  throw Error(info > 0 ? Exit::numbers : Exit::defect,
              what + ": " + routine + " answers info = " + std::to_string(info) +
                  (info > 0 ? ", no convergence" : ", an argument is wrong"));
}

void refuse_nonfinite(const double* values, std::int64_t size, const std::string& what) {
  if (!std::all_of(values, values + size, [](double value) { return std::isfinite(value); }))
    throw Error(Exit::numbers, what + ": the matrix holds NaN or infinity");
}

}  // namespace incipit::device::host
