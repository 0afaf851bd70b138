// Dense products by cuBLASLt, in the arithmetic of the operands and with sums of fp32 at least: no TF32, no
// emulation. The library is asked once for each problem which algorithm suits it, within one workspace of one
// size and among those whose sums have one order, so that every sum is a function of the problem.

#include <cublasLt.h>

#include <algorithm>
#include <compare>
#include <map>
#include <type_traits>

#include "error.hpp"
#include "number.cuh"
#include "products.cuh"
#include "rows.cuh"

namespace incipit::device::cuda {
namespace {

/// What cuBLAS itself takes on Hopper; more than it wants elsewhere.
constexpr std::size_t workspace_bytes = std::size_t{32} << 20U;
/// Better alignment than that of the widest loads makes no difference.
constexpr std::uint32_t best_alignment = 16;

void check(cublasStatus_t status, const Call& call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_INVALID_VALUE ? Exit::defect : Exit::machine,
              describe(call) + ": cuBLASLt answers " + cublasLtGetStatusString(status));
}

/// What the library's choice depends on.
struct Problem {
  cudaDataType operands, result;
  bool transpose_a, transpose_b;
  std::int64_t m, n, k;
  std::int64_t lda, ldb, ldc;
  std::uint32_t alignment_a, alignment_b, alignment_c;

  auto operator<=>(const Problem&) const = default;
};

template <class T>
constexpr cudaDataType type_of = std::is_same_v<T, Float16>    ? CUDA_R_16F
                                 : std::is_same_v<T, BFloat16> ? CUDA_R_16BF
                                 : std::is_same_v<T, double>   ? CUDA_R_64F
                                                               : CUDA_R_32F;

const char* name(cudaDataType type) {
  switch (type) {
    case CUDA_R_16F:
      return "fp16";
    case CUDA_R_16BF:
      return "bf16";
    case CUDA_R_64F:
      return "fp64";
    default:
      return "fp32";
  }
}

std::uint32_t alignment_of(const void* array) {
  std::uint32_t alignment = best_alignment;
  while (reinterpret_cast<std::uintptr_t>(array) % alignment != 0) alignment /= 2;
  return alignment;
}

template <class T, class Result>
Problem problem_of(const MatrixProduct<T, Result>& p) {
  return {.operands = type_of<T>,
          .result = type_of<Result>,
          .transpose_a = p.transpose_a,
          .transpose_b = p.transpose_b,
          .m = p.m,
          .n = p.n,
          .k = p.k,
          .lda = p.lda,
          .ldb = p.ldb,
          .ldc = p.ldc,
          .alignment_a = alignment_of(p.a),
          .alignment_b = alignment_of(p.b),
          .alignment_c = alignment_of(p.c)};
}

/// Pedantic arithmetic is that of the type and no other; products of 16 bits are exact in fp32 anyway.
cublasComputeType_t arithmetic(const Problem& problem) {
  switch (problem.operands) {
    case CUDA_R_64F:
      return CUBLAS_COMPUTE_64F_PEDANTIC;
    case CUDA_R_32F:
      return CUBLAS_COMPUTE_32F_PEDANTIC;
    default:
      return CUBLAS_COMPUTE_32F;
  }
}

/// A description that the library has made.
template <class T, cublasStatus_t (*destroy)(T*)>
struct Destroyer {
  void operator()(T* description) const { destroy(description); }
};
template <class T, cublasStatus_t (*destroy)(T*)>
using Handle = std::unique_ptr<T, Destroyer<T, destroy>>;

using Operation = Handle<cublasLtMatmulDescOpaque_t, cublasLtMatmulDescDestroy>;
using Layout = Handle<cublasLtMatrixLayoutOpaque_t, cublasLtMatrixLayoutDestroy>;
using Preference = Handle<cublasLtMatmulPreferenceOpaque_t, cublasLtMatmulPreferenceDestroy>;

Operation make_operation(const Problem& problem, const Call& call) {
  cublasLtMatmulDesc_t raw = nullptr;
  check(cublasLtMatmulDescCreate(&raw, arithmetic(problem),
                                 problem.operands == CUDA_R_64F ? CUDA_R_64F : CUDA_R_32F),
        call);
  Operation operation(raw);
  // Row-major C = A·B is column-major Cᵀ = Bᵀ·Aᵀ.
  const cublasOperation_t first = problem.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = problem.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  check(cublasLtMatmulDescSetAttribute(raw, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first), call);
  check(cublasLtMatmulDescSetAttribute(raw, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second), call);
  return operation;
}

/// A row-major matrix as it is stored.
Layout make_layout(cudaDataType type, std::int64_t rows, std::int64_t columns, std::int64_t ld,
                   const Call& call) {
  cublasLtMatrixLayout_t raw = nullptr;
  check(cublasLtMatrixLayoutCreate(&raw, type, static_cast<std::uint64_t>(columns),
                                   static_cast<std::uint64_t>(rows), ld),
        call);
  return Layout(raw);
}

template <class Value>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t what, Value value,
         const Call& call) {
  check(cublasLtMatmulPreferenceSetAttribute(preference.get(), what, &value, sizeof value), call);
}

Preference make_preference(const Problem& problem, const Call& call) {
  cublasLtMatmulPreference_t raw = nullptr;
  check(cublasLtMatmulPreferenceCreate(&raw), call);
  Preference preference(raw);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_bytes}, call);
  // Parts of a sum, if there are any, wait in the workspace in full precision until all are there.
  set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      std::uint32_t{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}, call);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, problem.alignment_b, call);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, problem.alignment_a, call);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, problem.alignment_c, call);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, problem.alignment_c, call);
  return preference;
}

template <class Value>
std::string configured(const cublasLtMatmulAlgo_t& algorithm, cublasLtMatmulAlgoConfigAttributes_t what) {
  Value value = 0;
  std::size_t written = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoConfigGetAttribute(&algorithm, what, &value, sizeof value, &written);
  return status == CUBLAS_STATUS_SUCCESS ? std::to_string(value) : "?";
}

/// "512 x 8192 x 2048, fp32 + bf16 · bf16ᵀ, strides 2048, 2048, 8192, aligned to 16, 16, 16: algorithm 66,
/// tile 20, …"
std::string text_of(const Problem& p, const cublasLtMatmulHeuristicResult_t& found) {
  const auto three = [](auto a, auto b, auto c, const char* between) {
    return std::to_string(a) + between + std::to_string(b) + between + std::to_string(c);
  };
  const auto factor = [&](bool transposed) { return name(p.operands) + std::string(transposed ? "ᵀ" : ""); };
  const cublasLtMatmulAlgo_t& by = found.algo;
  return three(p.m, p.n, p.k, " x ") + ", " + name(p.result) + " = " + factor(p.transpose_a) + " · " +
         factor(p.transpose_b) + ", strides " + three(p.lda, p.ldb, p.ldc, ", ") + ", aligned to " +
         three(p.alignment_a, p.alignment_b, p.alignment_c, ", ") + ": algorithm " +
         configured<std::int32_t>(by, CUBLASLT_ALGO_CONFIG_ID) + ", tile " +
         configured<std::uint32_t>(by, CUBLASLT_ALGO_CONFIG_TILE_ID) + ", stages " +
         configured<std::uint32_t>(by, CUBLASLT_ALGO_CONFIG_STAGES_ID) + ", cluster " +
         configured<std::uint16_t>(by, CUBLASLT_ALGO_CONFIG_CLUSTER_SHAPE_ID) + ", split-k " +
         configured<std::int32_t>(by, CUBLASLT_ALGO_CONFIG_SPLITK_NUM) + ", reduction " +
         configured<std::uint32_t>(by, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME) + ", workspace " +
         std::to_string(found.workspaceSize);
}

/// How the library solves a problem.
struct Plan {
  Operation operation;
  Layout a, b, c;
  cublasLtMatmulAlgo_t algorithm = {};
  std::string text = {};
};

Plan make_plan(cublasLtHandle_t handle, const Problem& p, const Call& call) {
  Plan plan{
      .operation = make_operation(p, call),
      .a = make_layout(p.operands, p.transpose_a ? p.k : p.m, p.transpose_a ? p.m : p.k, p.lda, call),
      .b = make_layout(p.operands, p.transpose_b ? p.n : p.k, p.transpose_b ? p.k : p.n, p.ldb, call),
      .c = make_layout(p.result, p.m, p.n, p.ldc, call),
  };
  const Preference preference = make_preference(p, call);
  cublasLtMatmulHeuristicResult_t found = {};
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle, plan.operation.get(), plan.b.get(), plan.a.get(), plan.c.get(),
                                     plan.c.get(), preference.get(), 1, &found, &count);
  check(status == CUBLAS_STATUS_SUCCESS && count == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : status, call);
  check(found.state, call);
  plan.algorithm = found.algo;
  plan.text = text_of(p, found);
  return plan;
}

/// c = beta · c, where there is nothing to sum.
template <class Result, class Scalar>
__global__ void __launch_bounds__(row_threads)
    scale_kernel(std::int64_t rows, std::int64_t columns, std::int64_t ld, Scalar beta, Result* c,
                 int along) {
  for_each_element(rows, columns, along, [&](std::int64_t row, std::int64_t column) {
    Result& x = c[row * ld + column];
    if constexpr (std::is_same_v<Result, double>) {
      x = beta == 0 ? 0 : beta * x;
    } else {
      x = narrow<Result>(beta == 0 ? 0 : beta * widen(x));
    }
  });
}

constexpr Call making_products{.operation = "preparing cuBLASLt"};

}  // namespace

struct Products::Library {
  template <class T, class Result>
  void multiply(const MatrixProduct<T, Result>& p, const Call& call) {
    if (p.m == 0 || p.n == 0) return;
    if (p.k == 0) {
      return launch_rows(call, p.m, p.n, scale_kernel<Result, typename MatrixProduct<T, Result>::Scalar>, p.m,
                         p.n, p.ldc, p.beta, p.c);
    }
    const Plan& plan = plan_of(problem_of(p), call);
    check(cublasLtMatmul(handle, plan.operation.get(), &p.alpha, p.b, plan.b.get(), p.a, plan.a.get(),
                         &p.beta, p.c, plan.c.get(), p.c, plan.c.get(), &plan.algorithm, workspace,
                         workspace_bytes, call.stream),
          call);
    finish(call);
  }

  const Plan& plan_of(const Problem& problem, const Call& call) {
    const auto known = plans.find(problem);
    if (known != plans.end()) return known->second;
    return plans.emplace(problem, make_plan(handle, problem, call)).first->second;
  }

  cublasLtHandle_t handle = nullptr;
  void* workspace = nullptr;
  std::map<Problem, Plan> plans;
};

Products::Products() : library_(std::make_unique<Library>()) {
  check(cublasLtCreate(&library_->handle), making_products);
  check(cudaMalloc(&library_->workspace, workspace_bytes), making_products);
}

Products::~Products() {
  library_->plans.clear();
  cublasLtDestroy(library_->handle);
  cudaFree(library_->workspace);
}

std::string Products::version() const {
  const std::size_t version = cublasLtGetVersion();
  return "cuBLASLt " + std::to_string(version / 10000) + "." + std::to_string(version / 100 % 100) + "." +
         std::to_string(version % 100);
}

std::vector<std::string> Products::choices() const {
  std::vector<std::string> lines;
  for (const auto& [problem, plan] : library_->plans) lines.push_back(plan.text);
  return lines;
}

void Products::run(const MatrixProduct<float>& product, const Call& call) {
  library_->multiply(product, call);
}
void Products::run(const MatrixProduct<double>& product, const Call& call) {
  library_->multiply(product, call);
}
void Products::run(const MatrixProduct<Float16>& product, const Call& call) {
  library_->multiply(product, call);
}
void Products::run(const MatrixProduct<Float16, float>& product, const Call& call) {
  library_->multiply(product, call);
}
void Products::run(const MatrixProduct<BFloat16>& product, const Call& call) {
  library_->multiply(product, call);
}
void Products::run(const MatrixProduct<BFloat16, float>& product, const Call& call) {
  library_->multiply(product, call);
}

}  // namespace incipit::device::cuda
