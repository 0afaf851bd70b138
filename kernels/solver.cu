// Decompositions by cuSOLVER, in its deterministic mode: the singular values by its polar decomposition,
// which is made of matrix products, and by the QR algorithm where that had to move the matrix or gave up.

#include <cusolverDn.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "error.hpp"
#include "solver.cuh"
#include "transpose.cuh"

namespace incipit::device::cuda {
namespace {

constexpr Call making_solver{.operation = "preparing cuSOLVER"};

void check(cusolverStatus_t status, const Call& call) {
  if (status == CUSOLVER_STATUS_SUCCESS) return;
  throw Error(status == CUSOLVER_STATUS_INVALID_VALUE ? Exit::defect : Exit::machine,
              describe(call) + ": cuSOLVER answers " + std::to_string(static_cast<int>(status)));
}

/// `info` of LAPACK's kind: below 0 an argument, above 0 what did not converge.
void check_info(int info, const char* routine, const Call& call) {
  if (info == 0) return;
  throw Error(info > 0 ? Exit::numbers : Exit::defect,
              describe(call) + ": " + routine + " answers info = " + std::to_string(info) +
                  (info > 0 ? ", no convergence" : ", an argument is wrong"));
}

/// One value of the device; waits for the stream.
template <class T>
T read(const T* value, const Call& call) {
  T out{};
  cuda::check(cudaMemcpyAsync(&out, value, sizeof(T), cudaMemcpyDeviceToHost, call.stream), call);
  cuda::check(cudaStreamSynchronize(call.stream), call);
  return out;
}

/// What a routine works in, on both sides.
struct Workspace {
  Workspace(Memory& memory, std::size_t device_bytes, std::size_t host_bytes, const Call& call)
      : device(memory, static_cast<std::int64_t>(device_bytes), call),
        host(host_bytes),
        info(memory, 1, call),
        bytes(device_bytes) {}

  Scratch<char> device;
  std::vector<char> host;
  Scratch<int> info;
  std::size_t bytes;
};

/// The routines that count in int have only that.
int narrow(std::int64_t value, const Call& call) {
  if (value > std::numeric_limits<int>::max())
    throw Error(Exit::machine,
                describe(call) + ": " + std::to_string(value) + " is beyond cuSOLVER's integers");
  return static_cast<int>(value);
}

}  // namespace

struct Solver::Library {
  Memory& memory;
  cusolverDnHandle_t handle = nullptr;
  cusolverDnParams_t params = nullptr;

  [[nodiscard]] bool by_polar(const Svd& svd, const Call& call) const;
  void by_qr(const Svd& svd, const Call& call) const;
};

Solver::Solver(Memory& memory) : library_(std::make_unique<Library>(memory)) {
  check(cusolverDnCreate(&library_->handle), making_solver);
  check(cusolverDnCreateParams(&library_->params), making_solver);
  check(cusolverDnSetStream(library_->handle, memory.stream()), making_solver);
  check(cusolverDnSetDeterministicMode(library_->handle, CUSOLVER_DETERMINISTIC_RESULTS), making_solver);
}

Solver::~Solver() {
  cusolverDnDestroyParams(library_->params);
  cusolverDnDestroy(library_->handle);
}

std::string Solver::version() {
  int version = 0;
  check(cusolverGetVersion(&version), making_solver);
  return "cuSOLVER " + std::to_string(version / 1000) + "." + std::to_string(version / 100 % 10) + "." +
         std::to_string(version % 100);
}

/// Whether the result can be had: near a singular matrix the routine moves the matrix a little, and answers
/// by how much; more than rounding is refused.
bool Solver::Library::by_polar(const Svd& svd, const Call& call) const {
  constexpr int economy = 1;
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  check(cusolverDnXgesvdp_bufferSize(handle, params, CUSOLVER_EIG_MODE_VECTOR, economy, svd.rows, svd.columns,
                                     CUDA_R_64F, svd.a, svd.rows, CUDA_R_64F, svd.values, CUDA_R_64F,
                                     svd.left, svd.rows, CUDA_R_64F, svd.right, svd.columns, CUDA_R_64F,
                                     &device_bytes, &host_bytes),
        call);
  Workspace work(memory, device_bytes, host_bytes, call);
  double moved = 0;
  check(cusolverDnXgesvdp(handle, params, CUSOLVER_EIG_MODE_VECTOR, economy, svd.rows, svd.columns,
                          CUDA_R_64F, svd.a, svd.rows, CUDA_R_64F, svd.values, CUDA_R_64F, svd.left, svd.rows,
                          CUDA_R_64F, svd.right, svd.columns, CUDA_R_64F, work.device.get(), work.bytes,
                          work.host.data(), work.host.size(), work.info.get(), &moved),
        call);
  const int info = read(work.info.get(), call);
  check_info(std::min(info, 0), "Xgesvdp", call);
  const double rounding =
      std::numeric_limits<double>::epsilon() * static_cast<double>(svd.rows) * read(svd.values, call);
  return info == 0 && moved <= rounding;
}

void Solver::Library::by_qr(const Svd& svd, const Call& call) const {
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  const Scratch<double> transposed(memory, svd.columns * svd.columns, call);
  check(cusolverDnXgesvd_bufferSize(handle, params, 'S', 'S', svd.rows, svd.columns, CUDA_R_64F, svd.a,
                                    svd.rows, CUDA_R_64F, svd.values, CUDA_R_64F, svd.left, svd.rows,
                                    CUDA_R_64F, transposed.get(), svd.columns, CUDA_R_64F, &device_bytes,
                                    &host_bytes),
        call);
  Workspace work(memory, device_bytes, host_bytes, call);
  check(cusolverDnXgesvd(handle, params, 'S', 'S', svd.rows, svd.columns, CUDA_R_64F, svd.a, svd.rows,
                         CUDA_R_64F, svd.values, CUDA_R_64F, svd.left, svd.rows, CUDA_R_64F, transposed.get(),
                         svd.columns, CUDA_R_64F, work.device.get(), work.bytes, work.host.data(),
                         work.host.size(), work.info.get()),
        call);
  check_info(read(work.info.get(), call), "Xgesvd", call);
  transpose(svd.columns, svd.columns, transposed.get(), svd.right, call);
}

void Solver::svd(const Svd& svd, const Call& call) {
  const std::int64_t size = svd.rows * svd.columns;
  const Scratch<double> copy(library_->memory, size, call);
  cuda::check(cudaMemcpyAsync(copy.get(), svd.a, static_cast<std::size_t>(size) * sizeof(double),
                              cudaMemcpyDeviceToDevice, call.stream),
              call);
  if (library_->by_polar(svd, call)) return;
  Svd again = svd;
  again.a = copy.get();
  library_->by_qr(again, call);
}

void Solver::factor(const Qr& qr, const Call& call) {
  std::size_t device_bytes = 0;
  std::size_t host_bytes = 0;
  check(cusolverDnXgeqrf_bufferSize(library_->handle, library_->params, qr.rows, qr.columns, CUDA_R_64F, qr.a,
                                    qr.rows, CUDA_R_64F, qr.scales, CUDA_R_64F, &device_bytes, &host_bytes),
        call);
  Workspace work(library_->memory, device_bytes, host_bytes, call);
  check(cusolverDnXgeqrf(library_->handle, library_->params, qr.rows, qr.columns, CUDA_R_64F, qr.a, qr.rows,
                         CUDA_R_64F, qr.scales, CUDA_R_64F, work.device.get(), work.bytes, work.host.data(),
                         work.host.size(), work.info.get()),
        call);
  check_info(read(work.info.get(), call), "Xgeqrf", call);
}

void Solver::form_q(const Qr& qr, const Call& call) {
  const int rows = narrow(qr.rows, call);
  const int columns = narrow(qr.columns, call);
  int length = 0;
  check(cusolverDnDorgqr_bufferSize(library_->handle, rows, columns, columns, qr.a, rows, qr.scales, &length),
        call);
  const Scratch<double> work(library_->memory, length, call);
  const Scratch<int> info(library_->memory, 1, call);
  check(cusolverDnDorgqr(library_->handle, rows, columns, columns, qr.a, rows, qr.scales, work.get(), length,
                         info.get()),
        call);
  check_info(read(info.get(), call), "Dorgqr", call);
}

}  // namespace incipit::device::cuda
