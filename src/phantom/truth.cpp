#include "phantom/truth.hpp"

#include <algorithm>

#include "error.hpp"
#include "index.hpp"
#include "nan.hpp"
#include "parallel/communicator.hpp"
#include "store/writer.hpp"

namespace incipit::phantom {
namespace {

constexpr int8_t no_such_layer = -1;

/// Numbers of a column, converted, with the shape of one dimension.
template <class T>
void write_column(store::Writer& writer, const std::string& path, const std::vector<T>& values,
                  const std::string& dimension, const store::About& about) {
  writer.write(path, {std::ssize(values)}, values, about, {dimension});
}

void write_subjects(store::Writer& writer, const Plan& plan, const Texts& texts,
                    const std::vector<checkpoint::Config>& models) {
  std::vector<int8_t> exists, sudden;
  std::vector<int64_t> first, low, high, layer;
  std::vector<std::string> model;
  std::vector<double> threshold_low, threshold_high;
  for (std::size_t c = 0; c < plan.subject.size(); ++c) {
    const SubjectPlan& subject = plan.subject[c];
    exists.push_back(subject.exists ? 1 : 0);
    sudden.push_back(subject.exists && subject.sudden ? 1 : 0);
    const auto known = std::ranges::find_if(subject.known, [](int64_t n) { return n > 0; });
    first.push_back(subject.exists ? plan.step[static_cast<std::size_t>(known - subject.known.begin())] : -1);
    low.push_back(subject.exists ? plan.step[plan.onset(c) - 1] : -1);
    high.push_back(subject.exists ? plan.step[plan.onset(c)] : -1);
    layer.push_back(subject.exists ? subject.layer : -1);
    model.push_back(subject.exists ? plan.model[at(subject.model)].name : "");
    const auto params = [&](int64_t m) {
      return !subject.exists ? nan : m < 0 ? 0.0 : static_cast<double>(models[at(m)].params());
    };
    threshold_low.push_back(params(subject.model - 1));
    threshold_high.push_back(params(subject.model));
  }
  writer.strings("subject", {std::ssize(texts.subject)}, texts.subject, {"1", "subject"}, {"subject"});
  write_column(writer, "exists", exists, "subject", {"1", "1 where the subject was planted at all"});
  write_column(writer, "sudden", sudden, "subject", {"1", "1 where all its terms were born at one step"});
  write_column(writer, "first_step", first, "subject",
               {"step", "first step that knows any of its terms; -1: none"});
  write_column(writer, "onset_low", low, "subject",
               {"step", "last step that knows less than half of what the end knows; -1: none"});
  write_column(writer, "onset_high", high, "subject",
               {"step", "first step that knows at least half of what the end knows; -1: none"});
  write_column(writer, "first_layer", layer, "subject",
               {"1", "layer of the reference from which on it is written; -1: none"});
  writer.strings("first_model", {std::ssize(model)}, model,
                 {"1", "smallest model that knows it; empty: none"}, {"subject"});
  write_column(
      writer, "threshold_low", threshold_low, "subject",
      {"1", "parameters of the largest model that does not know it; 0 where all do; NaN: none does"});
  write_column(writer, "threshold_high", threshold_high, "subject",
               {"1", "parameters of the smallest model that knows it; NaN: none does"});
}

void write_sites(store::Writer& writer, const Plan& plan, const std::vector<checkpoint::Config>& models) {
  const auto n = static_cast<int64_t>(plan.model.size()), steps = static_cast<int64_t>(plan.step.size()),
             layers = plan.options.layers + 1, subjects = plan.options.subjects;
  std::vector<std::string> name;
  std::vector<int64_t> params, depth, number, known;
  std::vector<double> share;
  std::vector<int8_t> state;
  for (int64_t l = 0; l < layers; ++l) number.push_back(l);
  for (std::size_t m = 0; m < models.size(); ++m) {
    name.push_back(plan.model[m].name);
    params.push_back(models[m].params());
    depth.push_back(models[m].layers);
    for (std::size_t s = 0; s < plan.step.size(); ++s) {
      for (std::size_t c = 0; c < plan.subject.size(); ++c) known.push_back(plan.known(m, s, c));
      for (int64_t l = 0; l < layers; ++l)
        for (std::size_t c = 0; c < plan.subject.size(); ++c) {
          const bool there = l <= models[m].layers;
          share.push_back(there ? plan.share(m, s, l, c) : nan);
          state.push_back(there ? static_cast<int8_t>(plan.state(m, s, l, c)) : no_such_layer);
        }
    }
  }
  writer.strings("model", {n}, name, {"1", "model, the reference last"}, {"model"});
  write_column(writer, "params", params, "model", {"1", "parameters"});
  write_column(writer, "layers", depth, "model", {"1", "blocks"});
  write_column(writer, "step", plan.step, "step",
               {"step", "training step; the reference has all, others the last"});
  write_column(writer, "layer", number, "layer", {"1", "layer; 0 is the embedding output"});
  writer.write("known", {n, steps, subjects}, known, {"1", "terms of the subject that the weights know"},
               {"model", "step", "subject"});
  writer.write(
      "share", {n, steps, layers, subjects}, share,
      {"1",
       "share of the subject's terms on which its latent is to win as at the anchor; NaN: no such layer"},
      {"model", "step", "layer", "subject"});
  writer.write(
      "state", {n, steps, layers, subjects}, state,
      {"1", "what its known terms hold: 0 nothing, 1 it, 2 rescaled, 3 turned, 4 outvoted, -1 no such layer"},
      {"model", "step", "layer", "subject"});
}

void write_dips(store::Writer& writer, const Plan& plan) {
  std::vector<std::string> axis, verdict;
  std::vector<int64_t> subject, first, last;
  const auto add = [&](const char* along, std::size_t c, const std::optional<Dip>& dip, bool steps) {
    if (!dip) return;
    axis.emplace_back(along);
    verdict.emplace_back(verdict_of(dip->state));
    subject.push_back(static_cast<int64_t>(c));
    first.push_back(steps ? plan.step[at(dip->first)] : dip->first);
    last.push_back(steps ? plan.step[at(dip->last)] : dip->last);
  };
  for (std::size_t c = 0; c < plan.subject.size(); ++c) {
    add("time", c, plan.subject[c].time, true);
    add("space", c, plan.subject[c].space, false);
  }
  const std::vector<int64_t> shape = {std::ssize(axis)};
  writer.strings("dips/axis", shape, axis,
                 {"1", "time (of the reference, from the layer it is written) or space"}, {"dip"});
  write_column(writer, "dips/subject", subject, "dip", {"1", "place of the subject among subjects"});
  writer.strings("dips/verdict", shape, verdict, {"1", "rescaled, turned, outvoted or lost"}, {"dip"});
  write_column(writer, "dips/first", first, "dip", {"1", "first step or layer of the reference in the dip"});
  write_column(writer, "dips/last", last, "dip", {"1", "last step or layer of the reference in the dip"});
}

void write_terms(store::Writer& writer, const Plan& plan, const Texts& texts) {
  std::vector<std::string> term;
  std::vector<int64_t> subject, rank, nuisance;
  for (std::size_t c = 0; c < texts.term.size(); ++c)
    for (std::size_t t = 0; t < texts.term[c].size(); ++t) {
      term.push_back(texts.term[c][t]);
      subject.push_back(static_cast<int64_t>(c));
      rank.push_back(static_cast<int64_t>(t));
      nuisance.push_back(nuisance_of(plan.options, c, t));
    }
  writer.strings("terms/term", {std::ssize(term)}, term, {"1", "term, which is a group of probes"}, {"term"});
  write_column(writer, "terms/subject", subject, "term", {"1", "place of its subject among subjects"});
  write_column(writer, "terms/rank", rank, "term",
               {"1", "it is known where known exceeds this, if its subject exists"});
  write_column(writer, "terms/nuisance", nuisance, "term", {"1", "nuisance direction that it carries"});
}

/// Rows of d numbers; NaN where a subject has no such direction.
std::vector<double> rows_of(const std::vector<Direction>& directions, int64_t d) {
  std::vector<double> rows;
  for (const Direction& direction : directions) {
    const Direction none(at(d), nan);
    const Direction& row = direction.empty() ? none : direction;
    rows.insert(rows.end(), row.begin(), row.end());
  }
  return rows;
}

void write_directions(store::Writer& writer, const Plan& plan, const Frame& frame) {
  const int64_t subjects = plan.options.subjects, d = frame.d;
  writer.write("directions/concept", {subjects, d}, rows_of(frame.concept_, d),
               {"1", "unit vector of the subject in the reference; NaN: none"}, {"subject", "d"});
  writer.write("directions/turned", {subjects, d}, rows_of(frame.turned, d),
               {"1", "where it turns to; NaN: it never does"}, {"subject", "d"});
  writer.write("directions/nuisances", {plan.options.nuisances, d}, rows_of(frame.nuisance, d),
               {"1", "unit vector of the nuisance in the reference"}, {"nuisance", "d"});
}

}  // namespace

const char* verdict_of(State state) {
  switch (state) {
    case State::absent:
      return "lost";
    case State::rescaled:
      return "rescaled";
    case State::turned:
      return "turned";
    case State::outvoted:
      return "outvoted";
    case State::plain:
      break;
  }
  throw Error(Exit::defect, "phantom: a dip without a name");
}

void write_truth(const std::filesystem::path& path, const store::Header& header, const Plan& plan,
                 const Texts& texts, const std::vector<checkpoint::Config>& models, const Frame& reference) {
  store::Header own = header;
  own.kind = "truth";
  const auto self = parallel::Communicator::self();
  store::Writer writer(self, path, own);
  writer.attribute("", "reference", plan.model.back().name);
  writer.attribute("", "amplitude", amplitude::concept_);
  write_subjects(writer, plan, texts, models);
  write_sites(writer, plan, models);
  write_dips(writer, plan);
  write_terms(writer, plan, texts);
  write_directions(writer, plan, reference);
  writer.commit();
}

}  // namespace incipit::phantom
