#include "phantom/frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "error.hpp"
#include "index.hpp"
#include "random.hpp"

namespace incipit::phantom {
namespace {

void scale_to_one(Direction& x) {
  const double norm = std::sqrt(dot(x, x));
  for (double& v : x) v /= norm;
}

Direction draw_normal(int64_t d, Random& random) {
  Direction x(at(d));
  for (double& v : x) v = random.normal();
  return x;
}

/// The directions of a frame one after the other: Gram and Schmidt, twice against rounding.
class Basis {
 public:
  Basis(int64_t d, uint64_t seed, uint64_t index)
      : d_(d), random_(seed, Purpose::phantom_frame, index), taken_{Direction(at(d), 1.0)} {
    scale_to_one(taken_.front());
  }

  Direction next() {
    if (left() == 0) throw Error(Exit::defect, "phantom: a frame has more directions than dimensions");
    Direction x = draw_normal(d_, random_);
    for (int pass = 0; pass < 2; ++pass)
      for (const Direction& other : taken_) {
        const double along = dot(x, other);
        for (std::size_t i = 0; i < x.size(); ++i) x[i] -= along * other[i];
      }
    scale_to_one(x);
    taken_.push_back(x);
    return x;
  }

  std::vector<Direction> next(int64_t count) {
    std::vector<Direction> all;
    for (int64_t i = 0; i < count; ++i) all.push_back(next());
    return all;
  }

  [[nodiscard]] int64_t left() const { return d_ - static_cast<int64_t>(taken_.size()); }

 private:
  int64_t d_;
  Random random_;
  std::vector<Direction> taken_;
};

bool turns(const SubjectPlan& subject) {
  return (subject.time && subject.time->state == State::turned) ||
         (subject.space && subject.space->state == State::turned);
}

}  // namespace

double dot(const Direction& a, const Direction& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

Frame draw_frame(const Plan& plan, std::size_t model) {
  Frame frame;
  frame.d = plan.model.at(model).d;
  Basis basis(frame.d, plan.options.seed, model);
  frame.constant = basis.next();
  frame.code = basis.next(code_dimensions);
  frame.nuisance = basis.next(plan.options.nuisances);
  frame.filler = basis.next(filler_dimensions);
  for (const SubjectPlan& subject : plan.subject) {
    frame.concept_.push_back(subject.exists ? basis.next() : Direction());
    frame.turned.push_back(turns(subject) ? basis.next() : Direction());
  }
  frame.spare = basis.next(basis.left());
  return frame;
}

std::vector<std::vector<double>> draw_codes(const Options& options) {
  constexpr int most_draws = 20000;
  const int64_t terms = options.subjects * options.terms;
  Random random(options.seed, Purpose::phantom_codes, 0);
  std::vector<std::vector<double>> codes;
  for (int64_t t = 0; t < terms; ++t) {
    for (int draw = 0;; ++draw) {
      if (draw == most_draws)
        throw Error(Exit::usage, fmt::format("phantom: of {} terms only {} can be told apart; expected fewer "
                                             "--subjects or --terms",
                                             terms, t));
      auto code = draw_normal(code_dimensions, random);
      scale_to_one(code);
      if (std::ranges::any_of(codes, [&](const auto& other) { return dot(code, other) > most_alike; }))
        continue;
      codes.push_back(std::move(code));
      break;
    }
  }
  return codes;
}

}  // namespace incipit::phantom
