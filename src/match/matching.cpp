#include "match/matching.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "error.hpp"
#include "index.hpp"
#include "match/lexical.hpp"
#include "match/sentence_encoder.hpp"
#include "match/sentence_folder.hpp"
#include "nan.hpp"

namespace incipit::match {
namespace {

constexpr double decoy_share = 0.05;
constexpr double sweep_beyond = 0.1;  // how far past the tau used a sweep goes at least

/// Rows of unit norm or zero.
struct Rows {
  int64_t columns, count;
  std::vector<float> values;

  Rows(Encoder& encoder, std::span<const std::string> texts)
      : columns(encoder.dimensions()),
        count(static_cast<int64_t>(texts.size())),
        values(encoder.embed(texts)) {
    if (values.size() != at(count * columns)) {
      throw Error(Exit::defect, fmt::format("match: encoder {} gave {} numbers for {} texts of {} dimensions",
                                            encoder.name(), values.size(), texts.size(), columns));
    }
  }
  [[nodiscard]] std::span<const float> row(int64_t i) const {
    return std::span<const float>(values).subspan(at(i * columns), at(columns));
  }
  /// The one row, of unit norm or zero, that points as their mean does.
  void average() {
    std::vector<double> sum(at(columns));
    for (std::size_t i = 0; i < values.size(); ++i) sum[i % at(columns)] += static_cast<double>(values[i]);
    double squares = 0;
    for (const double x : sum) squares += x * x;
    values.clear();
    for (const double x : sum) values.push_back(static_cast<float>(squares > 0 ? x / std::sqrt(squares) : 0));
    count = 1;
  }
  [[nodiscard]] bool known(int64_t i) const {
    const auto r = row(i);
    return std::any_of(r.begin(), r.end(), [](float x) { return x != 0; });
  }
};

double cosine(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return std::clamp(sum, -1.0, 1.0);
}

std::optional<double> parse_tau(const std::string& text) {
  if (text == "auto") return std::nullopt;
  double tau = nan;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), tau);
  if (error != std::errc() || end != text.data() + text.size() || !(tau > -1 && tau <= 1)) {
    throw Error(Exit::usage,
                fmt::format("match.tau = {}: expected auto or a cosine above -1 and at most 1", text));
  }
  return tau;
}

/// The smallest cut (between two values) at or above which at most `decoy_share` of the values lie.
double cut_of(std::vector<double> values) {
  std::sort(values.begin(), values.end(), std::greater<>());
  auto above = static_cast<std::size_t>(std::floor(decoy_share * static_cast<double>(values.size())));
  while (above > 0 && values[above - 1] == values[above]) --above;
  if (above == 0) return std::nextafter(values.front(), 2.0);
  return (values[above - 1] + values[above]) / 2;
}

double share_at(const std::vector<double>& values, double tau) {
  if (values.empty()) return nan;
  const auto n = std::count_if(values.begin(), values.end(), [&](double v) { return v >= tau; });
  return static_cast<double>(n) / static_cast<double>(values.size());
}

/// Cosines of every counted label with every decoy of which the encoder knows something.
std::vector<double> decoy_cosines(Encoder& encoder, const Rows& labels, std::span<const int8_t> counted,
                                  const Subjects& subjects) {
  std::vector<double> cosines;
  const Rows decoys(encoder, subjects.decoys);
  for (int64_t j = 0; j < static_cast<int64_t>(counted.size()); ++j) {
    if (counted[at(j)] == 0) continue;
    for (int64_t p = 0; p < static_cast<int64_t>(subjects.decoys.size()); ++p) {
      if (decoys.known(p)) cosines.push_back(cosine(labels.row(j), decoys.row(p)));
    }
  }
  return cosines;
}

/// Which labels the decoy rate is taken over: those that may match, or all if none may.
std::vector<int8_t> counted_labels(std::span<const std::string> labels,
                                   std::span<const int8_t> interpretable) {
  std::vector<int8_t> counted(interpretable.begin(), interpretable.end());
  if (std::find(counted.begin(), counted.end(), 1) != counted.end()) return counted;
  for (std::size_t j = 0; j < labels.size(); ++j) counted[j] = labels[j].empty() ? 0 : 1;
  return counted;
}

void fill_similarity(Encoder& encoder, std::span<const std::string> names, const Rows& labels,
                     const Subjects& subjects, Matches& out) {
  out.similarity.assign(at(out.latents * out.subjects), std::numeric_limits<float>::quiet_NaN());
  for (int64_t c = 0; c < out.subjects; ++c) {
    Rows rows(encoder, subjects.all[at(c)].phrases);
    if (out.phrases == "mean") rows.average();
    for (int64_t j = 0; j < out.latents; ++j) {
      if (names[at(j)].empty()) continue;
      double best = -1;
      for (int64_t p = 0; p < rows.count; ++p) {
        best = std::max(best, cosine(labels.row(j), rows.row(p)));
      }
      out.similarity[at(j * out.subjects + c)] = static_cast<float>(best);
    }
  }
}

void fill_sweep(const std::vector<double>& decoys, std::span<const int8_t> interpretable, Matches& out) {
  constexpr double rounding = 1e-9;
  const int lowest = 5 * static_cast<int>(std::floor(20 * (out.tau - sweep_beyond) + rounding)),
            highest = 5 * static_cast<int>(std::ceil(20 * (out.tau + sweep_beyond) - rounding));
  for (int percent = std::max(-95, std::min(10, lowest)); percent <= std::min(100, std::max(60, highest));
       percent += 5) {
    const double tau = percent / 100.0;
    out.sweep.tau.push_back(tau);
    out.sweep.decoy_rate.push_back(share_at(decoys, tau));
    for (int64_t c = 0; c < out.subjects; ++c) {
      out.sweep.matched.push_back(static_cast<int64_t>(out.of(c, tau, interpretable).size()));
    }
  }
}

bool is_lexical(const MatchOptions& options) {
  return options.encoder == "lexical";
}

}  // namespace

std::vector<int64_t> Matches::of(int64_t subject) const {
  std::vector<int64_t> chosen;
  for (int64_t j = 0; j < latents; ++j) {
    if (matched[at(j * subjects + subject)] != 0) chosen.push_back(j);
  }
  return chosen;
}

std::vector<int64_t> Matches::of(int64_t subject, double other_tau,
                                 std::span<const int8_t> interpretable) const {
  std::vector<int64_t> chosen;
  for (int64_t j = 0; j < latents; ++j) {
    const auto cosine_of = static_cast<double>(similarity[at(j * subjects + subject)]);
    if (interpretable[at(j)] != 0 && cosine_of >= other_tau) chosen.push_back(j);
  }
  return chosen;
}

void check(const MatchOptions& options) {
  parse_tau(options.tau);
}

Matches match_labels(Encoder& encoder, std::span<const std::string> labels,
                     std::span<const int8_t> interpretable, const Subjects& subjects,
                     const MatchOptions& options) {
  if (labels.size() != interpretable.size()) {
    throw Error(Exit::defect, fmt::format("match: {} labels, {} flags of interpretability", labels.size(),
                                          interpretable.size()));
  }
  const std::optional<double> tau = parse_tau(options.tau);
  Matches out;
  out.latents = static_cast<int64_t>(labels.size());
  out.subjects = static_cast<int64_t>(subjects.all.size());
  out.phrases = options.phrases;
  const Rows rows(encoder, labels);
  fill_similarity(encoder, labels, rows, subjects, out);
  const std::vector<double> decoys =
      decoy_cosines(encoder, rows, counted_labels(labels, interpretable), subjects);
  out.tau_auto = !tau;
  // Without a label there is nothing to match, so any tau is as good as the other; 1 matches least.
  const bool nothing =
      std::all_of(labels.begin(), labels.end(), [](const auto& label) { return label.empty(); });
  if (!tau && decoys.empty() && !nothing) {
    throw Error(
        Exit::data,
        fmt::format("{}: match.tau = auto needs 'decoys' of which the encoder ({}) knows a word, found none "
                    "among {}; add some, or give match.tau a number",
                    options.subjects.string(), encoder.name(), subjects.decoys.size()));
  }
  out.tau = tau ? *tau : decoys.empty() ? 1.0 : cut_of(decoys);
  out.pairs = static_cast<int64_t>(decoys.size());
  out.decoy_rate = share_at(decoys, out.tau);
  out.matched.assign(out.similarity.size(), 0);
  for (int64_t c = 0; c < out.subjects; ++c) {
    for (const int64_t j : out.of(c, out.tau, interpretable)) out.matched[at(j * out.subjects + c)] = 1;
  }
  fill_sweep(decoys, interpretable, out);
  return out;
}

std::unique_ptr<Encoder> make_encoder(const MatchOptions& options, const corpus::Probes& probes,
                                      const Subjects& subjects, uint64_t seed, int threads,
                                      device::Device& device) {
  if (is_lexical(options)) return std::make_unique<LexicalEncoder>(probes, subjects, seed, threads);
  return std::make_unique<SentenceEncoder>(device, read_sentence_folder(options.encoder));
}

std::vector<std::filesystem::path> encoder_files(const MatchOptions& options) {
  if (is_lexical(options)) return {};
  return read_sentence_folder(options.encoder).files;
}

}  // namespace incipit::match
