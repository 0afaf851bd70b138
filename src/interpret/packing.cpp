#include <nlohmann/json.hpp>

#include "error.hpp"
#include "interpret/autointerp.hpp"

namespace incipit::interpret {
namespace {

using Json = nlohmann::json;

Json to_json(const LatentLabel& l) {
  Json examples = Json::array(), judgements = Json::array();
  for (const Example& e : l.examples) examples.push_back({e.probe, e.activation});
  for (const Judgement& j : l.judgements) {
    judgements.push_back({j.probe, j.fires, j.near, static_cast<int>(j.verdict.answer), j.verdict.score});
  }
  return {l.latent,
          l.label,
          static_cast<int>(l.status),
          l.f1,
          l.f1_low,
          l.precision,
          l.precision_at_rate,
          l.recall,
          l.balanced_accuracy,
          l.support,
          l.groups,
          l.unparsed,
          l.f1_always_yes,
          l.f1_coin,
          l.fire_rate,
          l.fire_rate_by_subject,
          examples,
          judgements};
}

LatentLabel from_json(const Json& j) {
  LatentLabel l;
  l.latent = j.at(0);
  l.label = j.at(1);
  l.status = static_cast<Status>(j.at(2).get<int>());
  l.f1 = j.at(3);
  l.f1_low = j.at(4);
  l.precision = j.at(5);
  l.precision_at_rate = j.at(6);
  l.recall = j.at(7);
  l.balanced_accuracy = j.at(8);
  l.support = j.at(9);
  l.groups = j.at(10);
  l.unparsed = j.at(11);
  l.f1_always_yes = j.at(12);
  l.f1_coin = j.at(13);
  l.fire_rate = j.at(14);
  l.fire_rate_by_subject = j.at(15).get<std::vector<double>>();
  for (const Json& e : j.at(16)) l.examples.push_back({e.at(0), e.at(1)});
  for (const Json& e : j.at(17)) {
    const Verdict verdict{static_cast<Answer>(e.at(3).get<int>()), e.at(4)};
    l.judgements.push_back({e.at(0), e.at(1), e.at(2), verdict});
  }
  return l;
}

}  // namespace

// CBOR keeps every bit of a double, NaN included, and is the same on every machine.
std::string pack_labels(std::span<const LatentLabel> labels) {
  Json all = Json::array();
  for (const LatentLabel& label : labels) all.push_back(to_json(label));
  std::string bytes;
  Json::to_cbor(all, bytes);
  return bytes;
}

std::vector<LatentLabel> unpack_labels(std::string_view bytes) {
  try {
    std::vector<LatentLabel> labels;
    for (const Json& label : Json::from_cbor(bytes)) labels.push_back(from_json(label));
    return labels;
  } catch (const Json::exception& e) {
    throw Error(Exit::defect, std::string("interpret: packed labels cannot be unpacked: ") + e.what());
  }
}

}  // namespace incipit::interpret
