// The operations of the alignment of sites: the covariance of two sites' residuals, and the decompositions in
// fp64, whose results are put together again instead of being compared with a naive version.

#include <algorithm>
#include <cmath>
#include <limits>

#include "case.hpp"
#include "types.hpp"

namespace incipit::device::bench {
namespace {

double area(std::int64_t rows, std::int64_t columns) {
  return static_cast<double>(rows) * static_cast<double>(columns);
}

/// What rounding may leave: of ‖result − what it is made of‖ / ‖what it is made of‖, and of ‖q·qᵀ − 1‖.
double allowed(std::int64_t n) {
  return 16 * std::numeric_limits<double>::epsilon() * static_cast<double>(n);
}

double length_of(const std::vector<double>& values) {
  double square = 0;
  for (const double value : values) square += value * value;
  return std::sqrt(square);
}

std::vector<double> downloaded(Device& device, const double* from, std::int64_t n) {
  std::vector<double> values(static_cast<std::size_t>(n));
  device.download(values.data(), from, values.size() * sizeof(double));
  return values;
}

/// ‖op(a)·op(b) − c‖ / ‖c‖; the product's shape, pointers and strides but for c are given.
double distance(Device& device, MatrixProduct<double> product, const std::vector<double>& c) {
  Buffer<double> rest(device, c);
  product.beta = -1;
  product.c = rest.data();
  product.ldc = product.n;
  device.matmul(product);
  return length_of(rest.download()) / length_of(c);
}

/// ‖q·qᵀ − 1‖ of the n rows of q, or ‖qᵀ·q − 1‖ of its n columns.
double from_orthonormal(Device& device, const double* q, std::int64_t n, std::int64_t d, bool columns) {
  std::vector<double> one(static_cast<std::size_t>(n * n));
  for (std::int64_t i = 0; i < n; ++i) one[static_cast<std::size_t>(i * n + i)] = 1;
  const std::int64_t stride = columns ? n : d;
  return length_of(one) * distance(device,
                                   {.transpose_a = columns,
                                    .transpose_b = !columns,
                                    .m = n,
                                    .n = n,
                                    .k = d,
                                    .a = q,
                                    .lda = stride,
                                    .b = q,
                                    .ldb = stride},
                                   one);
}

/// The largest; NaN where one is.
double worst(const std::vector<double>& errors) {
  double largest = 0;
  for (const double error : errors) {
    if (std::isnan(error)) return error;
    largest = std::max(largest, error);
  }
  return largest;
}

double svd_error(Device& device, const Svd& op, const double* a) {
  std::vector<double> scaled = downloaded(device, op.u, op.m * op.p());
  const std::vector<double> s = downloaded(device, op.s, op.p());
  for (std::size_t i = 0; i < scaled.size(); ++i) scaled[i] *= s[i % s.size()];
  const Buffer<double> left(device, scaled);
  return worst({distance(device,
                         {.m = op.m,
                          .n = op.n,
                          .k = op.p(),
                          .a = left.data(),
                          .lda = op.p(),
                          .b = op.vt,
                          .ldb = op.n},
                         downloaded(device, a, op.m * op.n)),
                from_orthonormal(device, op.u, op.p(), op.m, true),
                from_orthonormal(device, op.vt, op.p(), op.n, false)}) /
         allowed(std::max(op.m, op.n));
}

double qr_error(Device& device, const QrOfTranspose& op, const double* rows) {
  return worst({distance(device,
                         {.transpose_a = true,
                          .m = op.n,
                          .n = op.d,
                          .k = op.n,
                          .a = op.r,
                          .lda = op.n,
                          .b = op.rows,
                          .ldb = op.d},
                         downloaded(device, rows, op.n * op.d)),
                from_orthonormal(device, op.rows, op.n, op.d, false)}) /
         allowed(op.d);
}

/// Both decompositions work in place: each run begins with a copy, which is little beside them.
void copy(const cuda::Call& call, const double* from, double* to, std::int64_t n) {
  cuda::check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(n) * sizeof(double),
                              cudaMemcpyDeviceToDevice, call.stream),
              call);
}

template <class T>
Case covariance_case(std::int64_t n, std::int64_t d) {
  return {.operation = "cross_covariance",
          .type = type_name<T>,
          .shape = sizes({n, d, d}),
          .bytes = 8 * area(n, d) + 8 * area(d, d),
          .flops = 2 * area(n, d) * static_cast<double>(d),
          .arithmetic = arithmetic_of<T>,
          .make = [=](Arena& arena) {
            std::vector<std::int32_t> index;
            for (std::int64_t i = 0; i < n; ++i) index.push_back(static_cast<std::int32_t>((i * 7919) % n));
            const CrossCovariance<T> op{.n = n,
                                        .d_x = d,
                                        .d_y = d,
                                        .x = arena.normal<float>(n * d),
                                        .y = arena.normal<float>(n * d),
                                        .index = arena.upload(index),
                                        .mean_x = arena.normal<double>(d, 0.1),
                                        .mean_y = arena.normal<double>(d, 0.1),
                                        .out = arena.output<double>(d * d, product_rounding<T, T>)};
            return instance(arena, &Device::cross_covariance, op);
          }};
}

Case svd_case(std::int64_t n) {
  return {.operation = "svd",
          .type = "fp64",
          .shape = sizes({n, n}),
          .slow = true,
          .make = [=](Arena& arena) -> Instance {
            const double* a = arena.normal<double>(n * n);
            const Svd op{.m = n,
                         .n = n,
                         .a = arena.poisoned<double>(n * n),
                         .u = arena.output<double>(n * n, 0),
                         .s = arena.output<double>(n, 0),
                         .vt = arena.output<double>(n * n, 0)};
            CudaDevice& device = arena.device();
            return {.run =
                        [&device, call = arena.call("svd"), op, a] {
                          copy(call, a, op.a, op.m * op.n);
                          device.svd(op);
                        },
                    .naive = {},
                    .error = [&device, op, a] { return svd_error(device, op, a); }};
          }};
}

Case qr_case(std::int64_t n, std::int64_t d) {
  return {.operation = "qr_of_transpose",
          .type = "fp64",
          .shape = sizes({n, d}),
          // Reflectors found, and multiplied out: 2·(2·n²·d − 2·n³/3).
          .flops = 4 * area(n, n) * (static_cast<double>(d) - static_cast<double>(n) / 3),
          .arithmetic = Bound::fp64,
          .slow = true,
          .make = [=](Arena& arena) -> Instance {
            const double* rows = arena.normal<double>(n * d);
            const QrOfTranspose op{
                .n = n, .d = d, .rows = arena.output<double>(n * d, 0), .r = arena.output<double>(n * n, 0)};
            CudaDevice& device = arena.device();
            return {.run =
                        [&device, call = arena.call("qr_of_transpose"), op, rows] {
                          copy(call, rows, op.rows, op.n * op.d);
                          device.qr_of_transpose(op);
                        },
                    .naive = {},
                    .error = [&device, op, rows] { return qr_error(device, op, rows); }};
          }};
}

}  // namespace

std::vector<Case> align_cases(const Settings& settings) {
  std::vector<Case> cases;
  for (const std::int64_t d : settings.aligned) {
    cases.push_back(covariance_case<float>(settings.aligned_rows, d));
    cases.push_back(covariance_case<double>(settings.aligned_rows, d));
  }
  for (const std::int64_t n : settings.decomposed) {
    cases.push_back(svd_case(n));
    cases.push_back(qr_case(n / 2, n));
  }
  return cases;
}

}  // namespace incipit::device::bench
