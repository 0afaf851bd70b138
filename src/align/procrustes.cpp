#include "align/procrustes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <string>
#include <utility>

#include "align/folds.hpp"
#include "align/linear_algebra.hpp"
#include "align/sample.hpp"
#include "align/similarity.hpp"
#include "error.hpp"
#include "nan.hpp"
#include "random.hpp"

namespace incipit::align {
namespace {

constexpr int shuffles = 100;

using Index = std::vector<int64_t>;

/// C = XᵀY of centred rows, taken apart: its leading singular vectors up to the numerical rank.
struct Decomposition {
  std::vector<double> mean_x, mean_y;
  std::vector<double> left;   ///< [d_x, rank]
  std::vector<double> right;  ///< [d_y, rank]
  std::vector<double> values;
  int64_t rank = 0;
  double scale = 0;  ///< c
};

/// Columns [0, rank) of a [rows, p] matrix.
std::vector<double> leading_columns(const std::vector<double>& a, int64_t rows, int64_t p, int64_t rank) {
  std::vector<double> out(static_cast<size_t>(rows * rank));
  for (int64_t i = 0; i < rows; ++i) std::copy_n(a.begin() + i * p, rank, out.begin() + i * rank);
  return out;
}

/// The first `rank` rows of vt [p, n], transposed: [n, rank].
std::vector<double> leading_rows_transposed(const std::vector<double>& vt, int64_t n, int64_t rank) {
  std::vector<double> out(static_cast<size_t>(n * rank));
  for (int64_t i = 0; i < rank; ++i)
    for (int64_t j = 0; j < n; ++j)
      out[static_cast<size_t>(j * rank + i)] = vt[static_cast<size_t>(i * n + j)];
  return out;
}

/// `epsilon`: of the numbers that the matrix was summed in.
int64_t numerical_rank(const std::vector<double>& values, double epsilon, int64_t n, int64_t dx, int64_t dy) {
  if (values.empty() || !(values.front() > 0)) return 0;
  const double bound = epsilon * values.front() * static_cast<double>(std::max({n, dx, dy}));
  return std::count_if(values.begin(), values.end(), [bound](double s) { return s > bound; });
}

/// qᵀ-held orthonormal basis [n, d] times coordinates [n, rank]: [d, rank].
std::vector<double> lift(device::Device& device, const device::Buffer<double>& q, int64_t n, int64_t d,
                         std::span<const double> coordinates, int64_t rank) {
  const device::Buffer<double> in(device, coordinates);
  device::Buffer<double> out(device, static_cast<size_t>(d * rank));
  device.matmul(device::MatrixProduct<double>{.transpose_a = true,
                                              .m = d,
                                              .n = rank,
                                              .k = n,
                                              .a = q.data(),
                                              .lda = d,
                                              .b = in.data(),
                                              .ldb = rank,
                                              .c = out.data(),
                                              .ldc = rank});
  return out.download();
}

/// With fewer rows than dimensions C lives in the row spaces: C = Q_x (R_x R_yᵀ) Q_yᵀ for Xᵀ = Q_x R_x and
/// Yᵀ = Q_y R_y. A side with enough rows enters as it is.
struct Core {
  Core(device::Device& device, const Centred& rows)
      : reduced(rows.n() < rows.d()), height(std::min(rows.n(), rows.d())) {
    const auto x = rows.copy();
    if (!reduced) {
      r = device::Buffer<double>(device, std::span<const double>(x));
      return;
    }
    Qr qr = qr_of_transpose(device, x, rows.n(), rows.d());
    q = std::move(qr.q);
    r = std::move(qr.r);
  }

  bool reduced;
  int64_t height;            ///< n or d
  device::Buffer<double> q;  ///< [n, d], of a side that was reduced
  device::Buffer<double> r;  ///< [n, n] R, or the rows themselves [n, d]
};

/// R_x R_yᵀ, [x.height, y.height].
device::Buffer<double> core_product(device::Device& device, const Core& x, const Core& y, int64_t n) {
  device::Buffer<double> out(device, static_cast<size_t>(x.height * y.height));
  device.matmul(device::MatrixProduct<double>{.transpose_a = !x.reduced,
                                              .transpose_b = y.reduced,
                                              .m = x.height,
                                              .n = y.height,
                                              .k = n,
                                              .a = x.r.data(),
                                              .lda = x.height,
                                              .b = y.r.data(),
                                              .ldb = y.height,
                                              .c = out.data(),
                                              .ldc = y.height});
  return out;
}

/// Takes the leading singular vectors, as many as the numerical rank.
void take_leading(Decomposition& out, Svd parts, int64_t height, int64_t width, int64_t rank) {
  out.rank = rank;
  out.left = leading_columns(parts.u, height, parts.p, rank);
  out.right = leading_rows_transposed(parts.vt, width, rank);
  out.values = std::move(parts.s);
  out.values.resize(static_cast<size_t>(rank));
}

/// T: what C is summed in.
template <class T>
void decompose_whole(device::Device& device, const DeviceRows& x, const DeviceRows& y, const Index& index,
                     int64_t n, Decomposition& out) {
  const int64_t dx = x.rows.d, dy = y.rows.d;
  Svd parts = svd(device, cross_covariance<T>(device, x, y, index, out.mean_x, out.mean_y), dx, dy);
  const auto epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());
  const int64_t rank = numerical_rank(parts.s, epsilon, n, dx, dy);
  take_leading(out, std::move(parts), dx, dy, rank);
}

void decompose_core(device::Device& device, const Centred& x, const Centred& y, Decomposition& out) {
  const int64_t n = x.n();
  const Core a(device, x), b(device, y);
  Svd parts = svd(device, core_product(device, a, b, n), a.height, b.height);
  const int64_t rank = numerical_rank(parts.s, std::numeric_limits<double>::epsilon(), n, x.d(), y.d());
  take_leading(out, std::move(parts), a.height, b.height, rank);
  if (a.reduced) out.left = lift(device, a.q, n, x.d(), out.left, rank);
  if (b.reduced) out.right = lift(device, b.q, n, y.d(), out.right, rank);
}

Decomposition decompose(device::Device& device, const DeviceRows& x, const DeviceRows& y,
                        const Index& index) {
  Decomposition out;
  out.mean_x = column_means(x.rows, index);
  out.mean_y = column_means(y.rows, index);
  const Centred cx{x.rows, index, out.mean_x}, cy{y.rows, index, out.mean_y};
  const double variance_x = cx.squares(), variance_y = cy.squares();
  if (!(variance_x > 0) || !(variance_y > 0)) return out;
  out.scale = std::sqrt(variance_y / variance_x);
  if (cx.n() < cx.d() || cx.n() < cy.d()) {
    decompose_core(device, cx, cy, out);
  } else if (device.kind() == device::Kind::cuda) {
    decompose_whole<float>(device, x, y, index, cx.n(), out);
  } else {
    decompose_whole<double>(device, x, y, index, cx.n(), out);
  }
  return out;
}

/// rows · basis, a block of rows at a time: [count, rank].
std::vector<double> project(const Centred& rows, int64_t begin, int64_t count,
                            const std::vector<double>& basis, int64_t rank) {
  std::vector<double> block(static_cast<size_t>(count * rows.d()));
  rows.copy(begin, count, 0, rows.d(), block.data());
  std::vector<double> out(static_cast<size_t>(count * rank));
  multiply(false, false, count, rank, rows.d(), 1.0, block.data(), rows.d(), basis.data(), rank, 0.0,
           out.data(), rank);
  return out;
}

/// Squared error on held-out rows of the map of each rank 1 … limit, less ‖y − μ_y‖²: with P = X U and
/// Q = Y V it is Σ_{i≤r} (c² ‖P_i‖² − 2c P_i·Q_i).
std::vector<double> held_out_errors(const Decomposition& map, Rows x, Rows y, const Index& held) {
  const Centred cx{x, held, map.mean_x}, cy{y, held, map.mean_y};
  std::vector<double> gain(static_cast<size_t>(map.rank), 0.0);
  for (int64_t begin = 0; begin < cx.n(); begin += block_rows) {
    const int64_t count = std::min(block_rows, cx.n() - begin);
    const auto p = project(cx, begin, count, map.left, map.rank),
               q = project(cy, begin, count, map.right, map.rank);
    for (int64_t i = 0; i < count; ++i)
      for (int64_t r = 0; r < map.rank; ++r) {
        const auto at = static_cast<size_t>(i * map.rank + r);
        gain[static_cast<size_t>(r)] += map.scale * p[at] * (map.scale * p[at] - 2.0 * q[at]);
      }
  }
  for (size_t r = 1; r < gain.size(); ++r) gain[r] += gain[r - 1];
  return gain;
}

/// The rank that predicts held-out folds best; `full` if nothing speaks for cutting.
int64_t choose_rank(device::Device& device, const DeviceRows& x, const DeviceRows& y,
                    const std::vector<int32_t>& fold, int64_t full) {
  std::vector<std::vector<double>> errors;
  int64_t tried = full;
  for (int f = 0; f < folds; ++f) {
    Index train, held;
    for (int64_t i = 0; i < x.rows.n; ++i) (fold[static_cast<size_t>(i)] == f ? held : train).push_back(i);
    if (held.empty() || train.size() < 2) continue;
    const Decomposition map = decompose(device, x, y, train);
    if (map.rank == 0) continue;
    errors.push_back(held_out_errors(map, x.rows, y.rows, held));
    tried = std::min(tried, map.rank);
  }
  if (errors.empty()) return full;
  int64_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int64_t r = 0; r < tried; ++r) {
    double total = 0;
    for (const auto& e : errors) total += e[static_cast<size_t>(r)];
    if (total < least) {
      least = total;
      best = r + 1;
    }
  }
  return best == tried ? full : best;
}

void check_rows(Rows rows, const char* what) {
  if (rows.n < 1 || rows.d < 1 || static_cast<int64_t>(rows.data.size()) != rows.n * rows.d)
    throw Error(Exit::data, std::string("alignment: the ") + what + " part has no rows, or " +
                                std::to_string(rows.data.size()) + " numbers instead of " +
                                std::to_string(rows.n) + " x " + std::to_string(rows.d));
}

/// The p-th quantile, linear between order statistics.
double quantile(std::vector<double> values, double p) {
  std::sort(values.begin(), values.end());
  const double at = p * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (at - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace

struct Reference::State {
  State(device::Device& device_, Rows fit_, Rows judge_, const std::vector<int32_t>& fit_group,
        const std::vector<int32_t>& judge_group, uint64_t seed)
      : device(device_),
        fit(device_, fit_),
        judge(judge_),
        fold(group_folds(fit_group, folds, seed)),
        mean(column_means(fit_)),
        judge_moments(device_, judge_),
        pairs(judge_group, seed),
        cosines(pairs.cosines(judge_)) {
    const Centred centred{judge, {}, mean};
    std::vector<double> row(static_cast<size_t>(judge.d));
    for (int64_t i = 0; i < judge.n; ++i) {
      centred.copy(i, 1, 0, judge.d, row.data());
      double square = 0;
      for (const double v : row) square += v * v;
      judge_squares.push_back(square);
      judge_total += square;
    }
    for (int t = 0; t < shuffles; ++t) {
      Random random(seed, Purpose::shuffle_alignment, static_cast<uint64_t>(t));
      shuffle.push_back(permutation(judge.n, random));
    }
  }

  /// Residual of the judge part projected on the top k principal components of the fit part, k = 0 … .
  double floor(int64_t k) const {
    std::call_once(floor_once, [this] {
      const Decomposition own = decompose(device, fit, fit, {});
      const Centred centred{judge, {}, mean};
      std::vector<double> energy(static_cast<size_t>(own.rank), 0.0);
      for (int64_t begin = 0; begin < judge.n; begin += block_rows) {
        const int64_t count = std::min(block_rows, judge.n - begin);
        const auto p = project(centred, begin, count, own.right, own.rank);
        for (size_t at = 0; at < p.size(); ++at) energy[at % energy.size()] += p[at] * p[at];
      }
      double left = judge_total;
      floors.push_back(1.0);
      for (const double e : energy) {
        left -= e;
        floors.push_back(std::sqrt(std::max(0.0, left) / judge_total));
      }
    });
    return floors[static_cast<size_t>(std::min<int64_t>(k, static_cast<int64_t>(floors.size()) - 1))];
  }

  device::Device& device;
  DeviceRows fit;
  Rows judge;
  std::vector<int32_t> fold;
  std::vector<double> mean;  ///< μ_ref
  std::vector<double> judge_squares;
  double judge_total = 0;
  Moments judge_moments;
  PairSample pairs;
  std::vector<double> cosines;
  std::vector<std::vector<int64_t>> shuffle;

 private:
  mutable std::once_flag floor_once;
  mutable std::vector<double> floors;
};

Reference::Reference(device::Device& device, Rows fit, Rows judge, const std::vector<int32_t>& fit_group,
                     const std::vector<int32_t>& judge_group, uint64_t seed) {
  check_rows(fit, "fit");
  check_rows(judge, "judge");
  if (fit.d != judge.d || fit.n != static_cast<int64_t>(fit_group.size()) ||
      judge.n != static_cast<int64_t>(judge_group.size()))
    throw Error(Exit::data, "alignment: the reference's parts differ in dimension or miss groups");
  state_ = std::make_unique<State>(device, fit, judge, fit_group, judge_group, seed);
  const Centred centred{fit, {}, state_->mean};
  if (!(centred.squares() > 0) || !(state_->judge_total > 0))
    throw Error(Exit::numbers, "alignment: the anchor's activations have no variance");
}

Reference::~Reference() = default;
Reference::Reference(Reference&&) noexcept = default;
Reference& Reference::operator=(Reference&&) noexcept = default;

namespace {

/// What a block of judge rows adds to the judgement.
struct BlockSums {
  double site = 0, inside = 0, predicted = 0, error = 0, hits = 0;
  std::vector<double> shuffled = std::vector<double>(shuffles, 0.0);
};

/// One judge row: is its own reference the nearest, and how well do the shuffled ones fit.
void judge_row(const Reference::State& reference, int64_t i, double predicted, const double* products,
               BlockSums& sums) {
  const auto& squares = reference.judge_squares;
  const auto distance = [&](int64_t j) {
    return predicted + squares[static_cast<size_t>(j)] - 2.0 * products[j];
  };
  double nearest = std::numeric_limits<double>::infinity(), largest = 0;
  for (int64_t j = 0; j < reference.judge.n; ++j) {
    nearest = std::min(nearest, distance(j));
    largest = std::max(largest, squares[static_cast<size_t>(j)]);
  }
  // Equal reference vectors differ in the last bits of the products: within rounding they are one.
  const double bound = nearest + 1e-11 * (predicted + largest);
  if (distance(i) <= bound) {
    int64_t equals = 0;
    for (int64_t j = 0; j < reference.judge.n; ++j) equals += distance(j) <= bound ? 1 : 0;
    sums.hits += 1.0 / static_cast<double>(equals);
  }
  for (int t = 0; t < shuffles; ++t)
    sums.shuffled[static_cast<size_t>(t)] +=
        products[reference.shuffle[static_cast<size_t>(t)][static_cast<size_t>(i)]];
}

BlockSums judge_block(const Reference::State& reference, const Decomposition& map, const Centred& site,
                      int64_t begin) {
  const int64_t count = std::min(block_rows, site.n() - begin), d = reference.judge.d, n = reference.judge.n;
  const auto p = project(site, begin, count, map.left, map.rank);
  std::vector<double> predicted(static_cast<size_t>(count * d));
  multiply(false, true, count, d, map.rank, map.scale, p.data(), map.rank, map.right.data(), map.rank, 0.0,
           predicted.data(), d);
  const Centred own{reference.judge, {}, reference.mean};
  BlockSums sums;
  std::vector<double> row(static_cast<size_t>(site.d()));
  for (int64_t i = 0; i < count; ++i) {
    site.copy(begin + i, 1, 0, site.d(), row.data());
    for (const double v : row) sums.site += v * v;
  }
  for (const double v : p) sums.inside += v * v;
  std::vector<double> products(static_cast<size_t>(count * n)), block(static_cast<size_t>(block_rows * d));
  for (int64_t other = 0; other < n; other += block_rows) {
    const int64_t width = std::min(block_rows, n - other);
    own.copy(other, width, 0, d, block.data());
    multiply(false, true, count, width, d, 1.0, predicted.data(), d, block.data(), d, 0.0,
             products.data() + other, n);
  }
  own.copy(begin, count, 0, d, block.data());
  for (int64_t i = 0; i < count; ++i) {
    double square = 0, error = 0;
    for (int64_t j = 0; j < d; ++j) {
      const double x = predicted[static_cast<size_t>(i * d + j)], y = block[static_cast<size_t>(i * d + j)];
      square += x * x;
      error += (x - y) * (x - y);
    }
    sums.predicted += square;
    sums.error += error;
    judge_row(reference, begin + i, square, products.data() + i * n, sums);
  }
  return sums;
}

BlockSums judge_all(const Reference::State& reference, const Decomposition& map, const Centred& site) {
  const int64_t blocks = (site.n() + block_rows - 1) / block_rows;
  std::vector<BlockSums> parts(static_cast<size_t>(blocks));
#pragma omp parallel for schedule(dynamic)
  for (int64_t b = 0; b < blocks; ++b)
    parts[static_cast<size_t>(b)] = judge_block(reference, map, site, b * block_rows);
  BlockSums total;
  for (const BlockSums& part : parts) {
    total.site += part.site;
    total.inside += part.inside;
    total.predicted += part.predicted;
    total.error += part.error;
    total.hits += part.hits;
    for (size_t t = 0; t < total.shuffled.size(); ++t) total.shuffled[t] += part.shuffled[t];
  }
  return total;
}

Judgement judge_map(const Reference::State& reference, const Decomposition& map, Rows judge) {
  const Centred site{judge, {}, map.mean_x};
  const BlockSums sums = judge_all(reference, map, site);
  Judgement out;
  out.residual = std::sqrt(sums.error / reference.judge_total);
  std::vector<double> shuffled;
  for (const double product : sums.shuffled)
    shuffled.push_back(std::sqrt(std::max(0.0, sums.predicted + reference.judge_total - 2.0 * product) /
                                 reference.judge_total));
  out.residual_shuffled = quantile(shuffled, 0.05);
  out.residual_floor = judge.d < reference.judge.d ? reference.floor(judge.d) : 0.0;
  out.outside = sums.site > 0 ? std::max(0.0, 1.0 - sums.inside / sums.site) : 0.0;
  out.retrieval = sums.hits / static_cast<double>(judge.n);
  const Cka similarity = cka(reference.device, Moments(reference.device, judge), reference.judge_moments);
  out.cka = similarity.unbiased;
  out.cka_biased = similarity.biased;
  out.cosine_correlation = reference.pairs.correlation(reference.pairs.cosines(judge), reference.cosines);
  out.effective_rank = effective_rank(map.values);
  out.reliable = out.cka >= 0.7 && out.cosine_correlation >= 0.5 && out.residual < out.residual_shuffled;
  return out;
}

Alignment no_alignment(int64_t d_site, int64_t d_reference) {
  Alignment out;
  out.d_site = d_site;
  out.d_reference = d_reference;
  out.scale = nan;
  out.projected = d_site > d_reference;
  out.judgement = {nan, nan, nan, nan, nan, nan, nan, nan, nan, false};
  return out;
}

}  // namespace

Alignment align(const Reference& reference, Rows fit, Rows judge) {
  const auto& state = reference.state();
  const Rows anchor = state.fit.rows;
  check_rows(fit, "fit");
  check_rows(judge, "judge");
  if (fit.n != anchor.n || judge.n != state.judge.n || fit.d != judge.d)
    throw Error(Exit::data, "alignment: the site has " + std::to_string(fit.n) + " and " +
                                std::to_string(judge.n) + " probes, the anchor " + std::to_string(anchor.n) +
                                " and " + std::to_string(state.judge.n));
  const DeviceRows site(state.device, fit);
  Decomposition map = decompose(state.device, site, state.fit, {});
  if (map.rank == 0) return no_alignment(fit.d, anchor.d);
  const int64_t rank = choose_rank(state.device, site, state.fit, state.fold, map.rank);
  map.left = leading_columns(map.left, fit.d, map.rank, rank);
  map.right = leading_columns(map.right, anchor.d, map.rank, rank);
  map.rank = rank;

  Alignment out;
  out.d_site = fit.d;
  out.d_reference = anchor.d;
  out.rank = rank;
  out.scale = map.scale;
  out.projected = fit.d > anchor.d;
  out.left.assign(map.left.begin(), map.left.end());
  out.right.assign(map.right.begin(), map.right.end());
  out.judgement = judge_map(state, map, judge);
  out.mean_site = std::move(map.mean_x);
  return out;
}

std::vector<float> apply(const Alignment& alignment, Rows x, double anchor_scale) {
  if (x.d != alignment.d_site)
    throw Error(Exit::defect, "alignment: rows of " + std::to_string(x.d) + " dimensions for a map from " +
                                  std::to_string(alignment.d_site));
  if (alignment.rank < 1) throw Error(Exit::defect, "alignment: this site has no map to apply");
  const int64_t d = alignment.d_reference, r = alignment.rank;
  std::vector<float> out(static_cast<size_t>(x.n * d));
  const auto factor = static_cast<float>(alignment.scale / anchor_scale);
  const Centred centred{x, {}, alignment.mean_site};
  const int64_t blocks = (x.n + block_rows - 1) / block_rows;
#pragma omp parallel for schedule(dynamic)
  for (int64_t b = 0; b < blocks; ++b) {
    const int64_t begin = b * block_rows, count = std::min(block_rows, x.n - begin);
    std::vector<double> exact(static_cast<size_t>(count * x.d));
    centred.copy(begin, count, 0, x.d, exact.data());
    const std::vector<float> block(exact.begin(), exact.end());
    std::vector<float> coordinates(static_cast<size_t>(count * r));
    multiply(false, false, count, r, x.d, 1.0F, block.data(), x.d, alignment.left.data(), r, 0.0F,
             coordinates.data(), r);
    multiply(false, true, count, d, r, factor, coordinates.data(), r, alignment.right.data(), r, 0.0F,
             out.data() + begin * d, d);
  }
  return out;
}

}  // namespace incipit::align
