#include "device/qr_of_transpose.hpp"

#include <vector>

#include "device/host/host_device.hpp"
#include "device/host/lapack.hpp"
#include "error.hpp"

extern "C" {
void dgeqrf_(const int*, const int*, double*, const int*, double*, double*, const int*, int*);
void dorgqr_(const int*, const int*, const int*, double*, const int*, const double*, double*, const int*,
             int*);
}

namespace incipit::device {

void HostDevice::qr_of_transpose(const QrOfTranspose& op) {
  const std::string what = host::describe("qr_of_transpose", op.n, op.d);
  if (op.n > op.d) throw Error(Exit::defect, what + ": more rows than columns");
  if (op.n == 0) return;
  host::refuse_nonfinite(op.rows, op.n * op.d, what);
  // To LAPACK the memory is rowsᵀ [d, n].
  const int height = host::lapack_size(op.d, what), width = host::lapack_size(op.n, what);
  std::vector<double> tau(static_cast<std::size_t>(op.n));
  double asked = 0;
  int query = -1, info = 0;
  dgeqrf_(&height, &width, op.rows, &height, tau.data(), &asked, &query, &info);
  host::check_lapack(info, "dgeqrf", what);
  int length = host::lapack_length(asked, what);
  std::vector<double> work(static_cast<std::size_t>(length));
  dgeqrf_(&height, &width, op.rows, &height, tau.data(), work.data(), &length, &info);
  host::check_lapack(info, "dgeqrf", what);
  for (std::int64_t i = 0; i < op.n; ++i)
    for (std::int64_t j = 0; j < op.n; ++j) op.r[i * op.n + j] = i <= j ? op.rows[j * op.d + i] : 0.0;
  dorgqr_(&height, &width, &width, op.rows, &height, tau.data(), &asked, &query, &info);
  host::check_lapack(info, "dorgqr", what);
  length = host::lapack_length(asked, what);
  work.resize(static_cast<std::size_t>(length));
  dorgqr_(&height, &width, &width, op.rows, &height, tau.data(), work.data(), &length, &info);
  host::check_lapack(info, "dorgqr", what);
}

}  // namespace incipit::device
