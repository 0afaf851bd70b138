#include "device/svd.hpp"

#include <vector>

#include "device/host/host_device.hpp"
#include "device/host/lapack.hpp"

extern "C" {
void dgesdd_(const char*, const int*, const int*, double*, const int*, double*, double*, const int*, double*,
             const int*, double*, const int*, int*, int*);
void dgesvd_(const char*, const char*, const int*, const int*, double*, const int*, double*, double*,
             const int*, double*, const int*, double*, const int*, int*);
}

namespace incipit::device {
namespace {

/// To LAPACK the memory is aᵀ [n, m], whose left singular vectors, column-major, are our vt.
struct Sizes {
  int rows, columns, p;
};

/// The info of divide and conquer, the fastest.
int by_halves(const Svd& op, const Sizes& is, double* a, const std::string& what) {
  std::vector<int> integers(static_cast<std::size_t>(8 * op.p()));
  double asked = 0;
  int query = -1, info = 0;
  dgesdd_("S", &is.rows, &is.columns, a, &is.rows, op.s, op.vt, &is.rows, op.u, &is.p, &asked, &query,
          integers.data(), &info);
  host::check_lapack(info, "dgesdd", what);
  const int length = host::lapack_length(asked, what);
  std::vector<double> work(static_cast<std::size_t>(length));
  dgesdd_("S", &is.rows, &is.columns, a, &is.rows, op.s, op.vt, &is.rows, op.u, &is.p, work.data(), &length,
          integers.data(), &info);
  return info;
}

/// The slower, sturdier algorithm, for the matrices on which divide and conquer gives up.
int by_qr(const Svd& op, const Sizes& is, double* a, const std::string& what) {
  double asked = 0;
  int query = -1, info = 0;
  dgesvd_("S", "S", &is.rows, &is.columns, a, &is.rows, op.s, op.vt, &is.rows, op.u, &is.p, &asked, &query,
          &info);
  host::check_lapack(info, "dgesvd", what);
  const int length = host::lapack_length(asked, what);
  std::vector<double> work(static_cast<std::size_t>(length));
  dgesvd_("S", "S", &is.rows, &is.columns, a, &is.rows, op.s, op.vt, &is.rows, op.u, &is.p, work.data(),
          &length, &info);
  return info;
}

}  // namespace

void HostDevice::svd(const Svd& op) {
  if (op.p() == 0) return;
  const std::string what = host::describe("svd", op.m, op.n);
  host::refuse_nonfinite(op.a, op.m * op.n, what);
  const Sizes sizes{host::lapack_size(op.n, what), host::lapack_size(op.m, what),
                    host::lapack_size(op.p(), what)};
  std::vector<double> copy(op.a, op.a + op.m * op.n);
  if (by_halves(op, sizes, op.a, what) != 0)
    host::check_lapack(by_qr(op, sizes, copy.data(), what), "dgesvd", what);
}

}  // namespace incipit::device
