#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "sae/trainer.hpp"

/// The SAE of science §2 in plain fp64 loops: dense, no BLAS, no sharing of code with what it checks.
namespace incipit::sae::reference {

using Matrix = std::vector<std::vector<double>>;

struct Model {
  std::int64_t h = 0, d = 0, k = 0, dead_after = 0;
  Matrix encoder = {}, decoder = {};  // h×d
  std::vector<double> encoder_bias = {}, pre_bias = {};
  std::vector<std::int64_t> idle = {};
};

/// What one loss is made of, per row of a batch; enough to take derivatives with.
struct Row {
  std::vector<double> x, z;                // d, h
  std::vector<double> a, a_multi, a_dead;  // h
  std::vector<double> r, r_multi, f;       // d
};

struct Pass {
  std::vector<Row> rows;
  double fvu = 0, fvu_multi = 0, auxk = 0, loss = 0;
  double aux_norm = 0;
  bool aux = false;
};

/// Activations with all but the `keep` largest of `candidates` at 0.
inline std::vector<double> top(const std::vector<double>& z, std::vector<std::int64_t> candidates,
                               std::int64_t keep) {
  std::stable_sort(candidates.begin(), candidates.end(),
                   [&](std::int64_t p, std::int64_t q) { return z[p] > z[q]; });
  std::vector<double> a(z.size(), 0.0);
  for (std::int64_t t = 0; t < keep; ++t) a[candidates[t]] = std::max(z[candidates[t]], 0.0);
  return a;
}

inline std::vector<double> minus(std::vector<double> from, const std::vector<double>& a,
                                 const Matrix& decoder) {
  for (std::size_t j = 0; j < a.size(); ++j)
    for (std::size_t c = 0; c < from.size(); ++c) from[c] -= a[j] * decoder[j][c];
  return from;
}

inline double square(const std::vector<double>& v) {
  return std::inner_product(v.begin(), v.end(), v.begin(), 0.0);
}

/// `frozen`: where e (and with it the AuxK denominator) is taken from, as it is a constant; null: this pass
/// itself.
inline Pass forward(const Model& m, const Matrix& batch, const Pass* frozen = nullptr) {
  Pass pass;
  const double size = static_cast<double>(batch.size()) * static_cast<double>(m.d);
  std::vector<std::int64_t> all(m.h);
  std::iota(all.begin(), all.end(), 0);
  std::vector<std::int64_t> dead;
  for (std::int64_t j = 0; j < m.h; ++j)
    if (m.idle[j] >= m.dead_after) dead.push_back(j);
  const std::int64_t aux_keep = std::min({m.d / 2, m.h / 2, static_cast<std::int64_t>(dead.size())});
  pass.aux = aux_keep > 0;
  double e_square = 0;
  double f_square = 0;
  for (const std::vector<double>& u : batch) {
    Row row;
    row.x = u;
    for (std::int64_t c = 0; c < m.d; ++c) row.x[c] -= m.pre_bias[c];
    for (std::int64_t j = 0; j < m.h; ++j)
      row.z.push_back(m.encoder_bias[j] +
                      std::inner_product(row.x.begin(), row.x.end(), m.encoder[j].begin(), 0.0));
    row.a = top(row.z, all, m.k);
    row.a_multi = top(row.z, all, std::min(4 * m.k, m.h));
    row.a_dead = top(row.z, dead, aux_keep);
    row.r = minus(row.x, row.a, m.decoder);
    row.r_multi = minus(row.x, row.a_multi, m.decoder);
    const std::vector<double>& e = frozen != nullptr ? frozen->rows[pass.rows.size()].r : row.r;
    row.f = minus(e, row.a_dead, m.decoder);
    pass.fvu += square(row.r) / size;
    pass.fvu_multi += square(row.r_multi) / size;
    e_square += square(e);
    f_square += square(row.f);
    pass.rows.push_back(row);
  }
  pass.aux_norm = std::max(e_square, 1e-6 * size);
  pass.auxk = pass.aux ? f_square / pass.aux_norm : 0;
  pass.loss = pass.fvu + pass.fvu_multi / 8 + pass.auxk / 32;
  return pass;
}

struct Gradients {
  Matrix encoder, decoder;
  std::vector<double> encoder_bias, pre_bias;
};

/// One term scale·‖target − Σ a_j w_j − (with_pre_bias) b‖² of one row: residual v, activations a.
inline void add_term(const Model& m, const Row& row, const std::vector<double>& a,
                     const std::vector<double>& v, double scale, bool with_pre_bias, Gradients& g) {
  for (std::int64_t j = 0; j < m.h; ++j) {
    if (!(a[j] > 0)) continue;
    double by_a = 0;
    for (std::int64_t c = 0; c < m.d; ++c) {
      by_a -= 2 * scale * v[c] * m.decoder[j][c];
      g.decoder[j][c] -= 2 * scale * v[c] * a[j];
    }
    g.encoder_bias[j] += by_a;
    for (std::int64_t c = 0; c < m.d; ++c) {
      g.encoder[j][c] += by_a * row.x[c];
      g.pre_bias[c] -= by_a * m.encoder[j][c];
    }
  }
  if (with_pre_bias)
    for (std::int64_t c = 0; c < m.d; ++c) g.pre_bias[c] -= 2 * scale * v[c];
}

inline Gradients backward(const Model& m, const Pass& pass) {
  const std::vector<double> zero(m.d, 0.0);
  Gradients g{Matrix(m.h, zero), Matrix(m.h, zero), std::vector<double>(m.h, 0.0), zero};
  const double size = static_cast<double>(pass.rows.size()) * static_cast<double>(m.d);
  for (const Row& row : pass.rows) {
    add_term(m, row, row.a, row.r, 1 / size, true, g);
    add_term(m, row, row.a_multi, row.r_multi, 1 / size / 8, true, g);
    if (pass.aux) add_term(m, row, row.a_dead, row.f, 1 / pass.aux_norm / 32, false, g);
  }
  return g;
}

inline void count_idle(Model& m, const Pass& pass) {
  for (std::int64_t& samples : m.idle) samples += static_cast<std::int64_t>(pass.rows.size());
  for (const Row& row : pass.rows)
    for (std::int64_t j = 0; j < m.h; ++j)
      if (row.a[j] > 0) m.idle[j] = 0;
}

/// Adam of science §2 for one array of parameters.
struct Moments {
  std::vector<double> first, second;
  void step(std::vector<double>& w, const std::vector<double>& g, double rate, int t) {
    first.resize(w.size(), 0.0);
    second.resize(w.size(), 0.0);
    for (std::size_t i = 0; i < w.size(); ++i) {
      first[i] = 0.9 * first[i] + 0.1 * g[i];
      second[i] = 0.999 * second[i] + 0.001 * g[i] * g[i];
      const double m_hat = first[i] / (1 - std::pow(0.9, t));
      const double v_hat = second[i] / (1 - std::pow(0.999, t));
      w[i] -= rate * m_hat / (std::sqrt(v_hat) + 6.25e-10);
    }
  }
};

struct Optimizer {
  int t = 0;
  std::vector<Moments> encoder, decoder;
  Moments encoder_bias, pre_bias;
  void step(Model& m, Gradients g, double rate) {
    encoder.resize(m.h);
    decoder.resize(m.h);
    ++t;
    for (std::int64_t j = 0; j < m.h; ++j) {
      std::vector<double>& w = m.decoder[j];
      const double parallel = std::inner_product(w.begin(), w.end(), g.decoder[j].begin(), 0.0);
      for (std::int64_t c = 0; c < m.d; ++c) g.decoder[j][c] -= parallel * w[c];
      encoder[j].step(m.encoder[j], g.encoder[j], rate, t);
      decoder[j].step(w, g.decoder[j], rate, t);
      const double norm = std::sqrt(square(w));
      for (double& value : w) value /= norm;
    }
    encoder_bias.step(m.encoder_bias, g.encoder_bias, rate, t);
    pre_bias.step(m.pre_bias, g.pre_bias, rate, t);
  }
};

inline std::vector<double> flat(const Matrix& rows) {
  std::vector<double> all;
  for (const auto& row : rows) all.insert(all.end(), row.begin(), row.end());
  return all;
}

}  // namespace incipit::sae::reference
