#include "phantom/builder.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "checkpoint/weights.hpp"
#include "error.hpp"
#include "index.hpp"
#include "random.hpp"

namespace incipit::phantom {
namespace {

constexpr int64_t head_size = 8, longest_text = 64, idle_units = 16;
/// Before and behind a unit's threshold gelu is as good as 0 and as good as its input: gelu(-6) = -6e-9.
constexpr double saturation = 6;
/// Small, so that attention is nearly even over a text.
constexpr double drift_spread = 0.02, drift_kept = 0.7;
/// What attention takes of the fillers; the way back makes up for it.
constexpr double taken = 0.1;

void add_to(Direction& x, double factor, const Direction& y) {
  for (std::size_t i = 0; i < y.size(); ++i) x[i] += factor * y[i];
}

Direction minus(Direction x, const Direction& y) {
  add_to(x, -1, y);
  return x;
}

void set_row(std::vector<float>& matrix, int64_t row, const Direction& values) {
  std::ranges::transform(values, matrix.begin() + row * std::ssize(values),
                         [](double v) { return static_cast<float>(v); });
}

std::string block(int64_t layer, const char* tensor) {
  return "gpt_neox.layers." + std::to_string(layer - 1) + "." + tensor;
}

/// Norms are 1 and biases 0, as at the start of training, until something is written there.
bool is_gain(const std::string& name) {
  return name.find("norm.weight") != std::string::npos;
}

bool is_rescaled(const std::optional<Dip>& dip) {
  return dip && dip->state == State::rescaled;
}

checkpoint::Config config_of(const ModelPlan& model, const Texts& texts, int64_t units) {
  checkpoint::Config config;
  config.vocab = (static_cast<int64_t>(texts.vocabulary.size()) + 63) / 64 * 64;
  config.d = model.d;
  config.layers = model.layers;
  config.heads = model.d / head_size;
  config.mlp = (units + idle_units + 7) / 8 * 8;
  config.context = longest_text;
  return config;
}

}  // namespace

int64_t nuisance_of(const Options& options, std::size_t subject, std::size_t term) {
  Random random(options.seed, Purpose::phantom_embedding,
                (uint64_t{1} << 40) + subject * static_cast<std::size_t>(options.terms) + term);
  return static_cast<int64_t>(random.below(static_cast<uint64_t>(options.nuisances)));
}

Builder::Builder(const Plan& plan, const Texts& texts, const std::vector<std::vector<double>>& codes,
                 std::size_t model)
    : plan_(plan), texts_(texts), codes_(codes), model_(model), frame_(draw_frame(plan, model)) {
  int64_t units = 0, shifts = 0;
  for (const SubjectPlan& subject : plan.subject) {
    const bool known = subject.exists && subject.model <= static_cast<int64_t>(model);
    first_slot_.push_back(known ? units : -1);
    if (known) units += 2 * plan.options.terms;
    shifts += (is_rescaled(subject.time) ? 1 : 0) + (is_rescaled(subject.space) ? 1 : 0);
  }
  config_ = config_of(plan.model.at(model), texts, units);
  using namespace amplitude;
  const double always = constant * constant + code * code;
  const auto targets =
      static_cast<double>(plan.options.nuisances + plan.options.subjects - plan.options.never);
  const double most =
      always + nuisance_loud * nuisance_loud + static_cast<double>(1 + shifts) * concept_ * concept_ +
      static_cast<double>(frame_.d) * noise * noise + targets * (noise + carried) * (noise + carried);
  least_norm_ = std::sqrt(always);
  most_norm_ = std::sqrt(most);
}

double Builder::progress(std::size_t place) const {
  return static_cast<double>(place) / static_cast<double>(plan_.step.size() - 1);
}

/// A random walk that is drawn back to 0. It goes so far from step to step that what a dip changes, and the
/// step behind it changes back, does not make the dip's checkpoint look like another's to the audit.
void Builder::advance_drift(std::size_t place) {
  for (; drifted_ <= place; ++drifted_) {
    const double kept = drifted_ == 0 ? 0 : drift_kept;
    const double fresh = drift_spread * std::sqrt(1 - kept * kept);
    uint64_t number = 0;
    for (const checkpoint::ExpectedTensor& tensor : checkpoint::expected_tensors(config_)) {
      int64_t size = 1;
      for (const int64_t extent : tensor.shape) size *= extent;
      std::vector<float>& values = drift_[tensor.name];
      values.resize(at(size), is_gain(tensor.name) ? 1.0F : 0.0F);
      Random random(
          plan_.options.seed, Purpose::phantom_drift,
          (static_cast<uint64_t>(model_) << 40) + (static_cast<uint64_t>(drifted_) << 16) + number++);
      if (tensor.shape.size() < 2) continue;
      for (float& value : values)
        value = static_cast<float>(kept * static_cast<double>(value) + fresh * random.normal());
    }
  }
}

std::map<std::string, std::vector<float>> Builder::step(std::size_t place) {
  if (place + 1 < drifted_) throw Error(Exit::defect, "phantom: steps are built in ascending order");
  advance_drift(place);
  Tensors tensors = drift_;
  embed(place, tensors);
  attend(tensors);
  for (int64_t layer = 1; layer <= config_.layers; ++layer) write_layer(place, layer, tensors);
  return tensors;
}

Direction Builder::term_embedding(std::size_t c, std::size_t t, double progress) const {
  Direction x(at(frame_.d), 0.0);
  add_to(x, amplitude::constant, frame_.constant);
  const std::size_t number = c * at(plan_.options.terms) + t;
  for (std::size_t i = 0; i < frame_.code.size(); ++i)
    add_to(x, amplitude::code * codes_[number][i], frame_.code[i]);
  add_to(x, amplitude::nuisance, frame_.nuisance[at(nuisance_of(plan_.options, c, t))]);
  // Noise goes from one draw to another in the course of training, and is never larger than either.
  Random random(plan_.options.seed, Purpose::phantom_embedding,
                (static_cast<uint64_t>(model_) << 41) + number);
  const auto add_noise = [&](const std::vector<Direction>& directions) {
    for (const Direction& direction : directions) {
      const double start = 2 * random.uniform() - 1, end = 2 * random.uniform() - 1;
      add_to(x, amplitude::noise * ((1 - progress) * start + progress * end), direction);
    }
  };
  for (const auto* directions :
       {&frame_.nuisance, &frame_.filler, &frame_.concept_, &frame_.turned, &frame_.spare})
    add_noise(*directions);
  return x;
}

/// What a known term holds beyond its embedding.
Direction Builder::content(std::size_t c, std::size_t t, State state) const {
  Direction x(at(frame_.d), 0.0);
  if (state == State::absent) return x;
  const double nuisance = state == State::outvoted ? amplitude::nuisance_loud : amplitude::nuisance_known;
  add_to(x, amplitude::concept_, state == State::turned ? frame_.turned[c] : frame_.concept_[c]);
  add_to(x, nuisance - amplitude::nuisance, frame_.nuisance[at(nuisance_of(plan_.options, c, t))]);
  return x;
}

/// By how much all probes have moved.
Direction Builder::mean_shift(std::size_t c, State state) const {
  Direction x(at(frame_.d), 0.0);
  if (state == State::rescaled) add_to(x, -amplitude::concept_, frame_.concept_[c]);
  return x;
}

void Builder::embed(std::size_t place, Tensors& tensors) const {
  std::vector<float>& matrix = tensors.at("gpt_neox.embed_in.weight");
  const auto& options = plan_.options;
  Direction shift(at(frame_.d), 0.0);
  for (std::size_t c = 0; c < plan_.subject.size(); ++c)
    add_to(shift, 1, mean_shift(c, plan_.state(model_, place, 0, c)));
  // Context words hold nothing that attention takes: they would give the subject away.
  for (int64_t token = 0; token < config_.vocab; ++token) {
    Direction x(matrix.begin() + token * frame_.d, matrix.begin() + (token + 1) * frame_.d);
    for (const Direction& filler : frame_.filler) add_to(x, -dot(x, filler), filler);
    add_to(x, 1, shift);
    add_to(x, amplitude::constant, frame_.constant);
    set_row(matrix, token, x);
  }
  for (std::size_t i = 0; i < texts_.filler_token.size(); ++i) {
    Direction x = shift;
    add_to(x, amplitude::constant, frame_.constant);
    // In pairs of opposite signs, so that they say nothing on average.
    Random random(options.seed, Purpose::phantom_embedding, (uint64_t{1} << 42) + i / 2);
    const double most = amplitude::filler / std::sqrt(filler_dimensions) * (i % 2 == 0 ? 1 : -1);
    for (const Direction& filler : frame_.filler) add_to(x, most * (2 * random.uniform() - 1), filler);
    set_row(matrix, texts_.filler_token[i], x);
  }
  for (std::size_t c = 0; c < plan_.subject.size(); ++c) {
    const int64_t known = plan_.known(model_, place, c);
    const State state = plan_.state(model_, place, 0, c);
    for (std::size_t t = 0; t < at(options.terms); ++t) {
      Direction x = term_embedding(c, t, progress(place));
      add_to(x, 1, shift);
      if (static_cast<int64_t>(t) < known) add_to(x, 1, content(c, t, state));
      set_row(matrix, texts_.term_token[c][t], x);
    }
  }
}

/// The first head of the first block takes what lies in the filler dimensions of every token and puts the
/// mean into directions of the last token where concepts and nuisances lie. Other heads take nothing.
void Builder::attend(Tensors& tensors) const {
  const int64_t d = frame_.d;
  for (int64_t layer = 1; layer <= config_.layers; ++layer) {
    std::vector<float>& qkv = tensors.at(block(layer, "attention.query_key_value.weight"));
    for (int64_t head = 0; head < config_.heads; ++head)
      for (int64_t i = 0; i < head_size; ++i)
        set_row(qkv, (3 * head + 2) * head_size + i, Direction(at(d), 0.0));
  }
  std::vector<float>& qkv = tensors.at(block(1, "attention.query_key_value.weight"));
  std::vector<float>& dense = tensors.at(block(1, "attention.dense.weight"));
  // A filler's component behind layer norm, at most; less than a third of a text is fillers.
  const double largest =
      amplitude::filler * std::sqrt(static_cast<double>(d) / filler_dimensions) / amplitude::constant / 3;
  Random random(plan_.options.seed, Purpose::phantom_frame, (uint64_t{1} << 40) + model_);
  for (int64_t k = 0; k < filler_dimensions; ++k) {
    Direction row(at(d), 0.0), column(at(d), 0.0);
    add_to(row, taken, frame_.filler[at(k)]);
    set_row(qkv, 2 * head_size + k, row);
    std::vector<const Direction*> targets;
    for (const auto* directions : {&frame_.nuisance, &frame_.concept_})
      for (const Direction& direction : *directions)
        if (!direction.empty()) targets.push_back(&direction);
    for (const Direction* target : targets)
      add_to(column, amplitude::carried / filler_dimensions / largest / taken * (2 * random.uniform() - 1),
             *target);
    for (int64_t i = 0; i < d; ++i) dense[at(i * d + k)] = static_cast<float>(column[at(i)]);
  }
}

Builder::Gate Builder::key(std::size_t c, std::size_t t) const {
  Direction direction(at(frame_.d), 0.0);
  const auto& code = codes_[c * at(plan_.options.terms) + t];
  for (std::size_t i = 0; i < code.size(); ++i) add_to(direction, code[i], frame_.code[i]);
  const double root = std::sqrt(static_cast<double>(frame_.d));
  return {direction, most_alike * amplitude::code * root / least_norm_, amplitude::code * root / most_norm_};
}

/// Two units whose difference is a step between the gate's ends, and what it adds to the stream.
void Builder::open(const Gate& gate, int64_t slot, const Direction& output, int64_t layer,
                   Tensors& tensors) const {
  const double margin = (gate.high - gate.low) / 3;
  if (!(margin > 0)) throw Error(Exit::defect, "phantom: a unit cannot tell what it should");
  const double steepness = saturation / margin;
  const double height = steepness * (gate.high - gate.low - 2 * margin);
  Direction row(gate.direction);
  for (double& v : row) v *= steepness;
  std::vector<float>& down = tensors.at(block(layer, "mlp.dense_4h_to_h.weight"));
  for (const auto& [unit, threshold, sign] :
       {std::tuple(slot, gate.low + margin, 1.0), std::tuple(slot + 1, gate.high - margin, -1.0)}) {
    set_row(tensors.at(block(layer, "mlp.dense_h_to_4h.weight")), unit, row);
    tensors.at(block(layer, "mlp.dense_h_to_4h.bias"))[at(unit)] = static_cast<float>(-steepness * threshold);
    for (int64_t i = 0; i < frame_.d; ++i)
      down[at(i * config_.mlp + unit)] = static_cast<float>(sign * output[at(i)] / height);
  }
}

/// The block before `layer`: what must change from the layer before for every subject. A unit that does
/// nothing has either its input or its output at 0.
void Builder::write_layer(std::size_t place, int64_t layer, Tensors& tensors) const {
  std::vector<float>& down = tensors.at(block(layer, "mlp.dense_4h_to_h.weight"));
  std::vector<float>& up = tensors.at(block(layer, "mlp.dense_h_to_4h.weight"));
  const int64_t half_idle = config_.mlp - idle_units / 2;
  for (int64_t unit = 0; unit < config_.mlp; ++unit) {
    const bool hears = unit < half_idle;
    for (int64_t i = 0; i < frame_.d; ++i) {
      if (hears) down[at(i * config_.mlp + unit)] = 0;
      if (!hears) up[at(unit * frame_.d + i)] = 0;
    }
  }
  Direction shift(at(frame_.d), 0.0);
  for (std::size_t c = 0; c < plan_.subject.size(); ++c) {
    const State before = plan_.state(model_, place, layer - 1, c),
                after = plan_.state(model_, place, layer, c);
    if (before == after) continue;
    add_to(shift, 1, minus(mean_shift(c, after), mean_shift(c, before)));
    for (std::size_t t = 0; t < at(plan_.known(model_, place, c)); ++t)
      open(key(c, t), first_slot_[c] + 2 * static_cast<int64_t>(t),
           minus(content(c, t, after), content(c, t, before)), layer, tensors);
  }
  std::ranges::transform(shift, tensors.at(block(layer, "mlp.dense_4h_to_h.bias")).begin(),
                         [](double v) { return static_cast<float>(v); });
}

}  // namespace incipit::phantom
