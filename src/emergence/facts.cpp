#include "emergence/facts.hpp"

#include <cmath>
#include <string_view>
#include <unordered_map>

#include "align/linear_algebra.hpp"
#include "error.hpp"

namespace incipit::emergence {
namespace {

/// A number for each row; equal for rows of equal bytes.
std::vector<int32_t> number_by_bytes(align::Rows x) {
  std::unordered_map<std::string_view, int32_t> number;
  std::vector<int32_t> out;
  for (int64_t i = 0; i < x.n; ++i) {
    const std::string_view bytes(reinterpret_cast<const char*>(x.row(i)),
                                 static_cast<size_t>(x.d) * sizeof(float));
    out.push_back(number.emplace(bytes, static_cast<int32_t>(number.size())).first->second);
  }
  return out;
}

bool dominates_a_subject(const std::vector<int32_t>& vector, const JudgeSet& judge) {
  std::unordered_map<int64_t, int64_t> count;
  for (size_t i = 0; i < vector.size(); ++i) {
    const int32_t c = judge.subject[i];
    const int64_t here = ++count[static_cast<int64_t>(vector[i]) * judge.subjects + c];
    if (here > 1 && 2 * here > judge.probes_of[static_cast<size_t>(c)]) return true;
  }
  return false;
}

}  // namespace

SiteFacts site_facts(align::Rows x, const JudgeSet& judge) {
  if (x.n != judge.n()) throw Error(Exit::defect, "measures: residuals do not fit the judged probes");
  const auto vector = number_by_bytes(x);
  SiteFacts out;
  for (const int32_t v : vector) out.distinct = std::max<int64_t>(out.distinct, v + 1);
  double norms = 0;
  for (int64_t i = 0; i < x.n; ++i) {
    double square = 0;
    for (int64_t j = 0; j < x.d; ++j)
      square += static_cast<double>(x.row(i)[j]) * static_cast<double>(x.row(i)[j]);
    norms += std::sqrt(square);
  }
  out.norm = x.n > 0 ? norms / static_cast<double>(x.n) : 0;
  out.degenerate =
      out.distinct < 2 || out.distinct < 2 * int64_t{judge.subjects} || dominates_a_subject(vector, judge);
  return out;
}

SiteScale site_scale(align::Rows fit) {
  const auto mean = align::column_means(fit);
  const double squares = align::Centred{fit, {}, mean}.squares();
  SiteScale out;
  out.mean.assign(mean.begin(), mean.end());
  if (fit.n > 0)
    out.scale =
        static_cast<float>(std::sqrt(squares / (static_cast<double>(fit.n) * static_cast<double>(fit.d))));
  return out;
}

}  // namespace incipit::emergence
