#include "emergence/latent_card.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "emergence/auc.hpp"
#include "emergence/curve.hpp"
#include "error.hpp"
#include "index.hpp"
#include "interpret/file.hpp"
#include "refuse.hpp"

namespace incipit::emergence {
namespace {

template <class T>
std::vector<T> row_of(const store::Reader& file, const std::string& path, int64_t place, std::size_t length) {
  std::vector<T> values(length);
  file.read_slab<T>(path, {place, 0}, {1, static_cast<int64_t>(length)}, values);
  return values;
}

void read_judged_scores(const store::Reader& file, const std::string& group, int64_t j, LatentCard& card) {
  const auto latent = file.read<int64_t>(group + "judgements/latent");
  const auto n = static_cast<int64_t>(latent.size());
  const auto fires = file.read<int8_t>(group + "judgements/fires", {n});
  const auto score = file.read<double>(group + "judgements/score", {n});
  std::vector<double> own;
  std::vector<uint8_t> positive;
  for (std::size_t i = 0; i < latent.size(); ++i) {
    if (latent[i] != j) continue;
    own.push_back(score[i]);
    positive.push_back(fires[i] != 0 ? 1 : 0);
  }
  card.judged = static_cast<int64_t>(own.size());
  if (!own.empty()) card.teacher_auc = auc(own, positive);
}

void read_subjects_of(const store::Reader& file, const std::string& group, int64_t j, LatentCard& card) {
  const auto names = file.strings(group + "subject");
  const auto cosine = row_of<double>(file, group + "similarity", j, names.size());
  const auto matched = row_of<int8_t>(file, group + "matched", j, names.size());
  const auto rate = row_of<double>(file, group + "fire_rate_by_subject", j, names.size());
  for (std::size_t c = 0; c < names.size(); ++c)
    card.subjects.push_back({names[c], cosine[c], matched[c] != 0, rate[c]});
  // A latent without a label has no cosines; its subjects stay in order.
  std::stable_sort(card.subjects.begin(), card.subjects.end(),
                   [](const auto& a, const auto& b) { return a.cosine > b.cosine; });
}

void read_nearest_texts(const store::Reader& file, const std::string& group, int64_t j, LatentCard& card) {
  card.has_texts = file.has(group + "nearest");
  if (!card.has_texts) return;
  const auto latent = file.read<int64_t>(group + "nearest/latent");
  const auto n = static_cast<int64_t>(latent.size());
  const auto probe = file.read<int64_t>(group + "nearest/probe", {n});
  const auto side = file.read<int8_t>(group + "nearest/side", {n});
  const auto activation = file.read<double>(group + "nearest/activation", {n});
  const auto margin = file.read<double>(group + "nearest/margin", {n});
  const auto texts = file.strings(group + "nearest/texts/text");
  const auto of = file.read<int64_t>(group + "nearest/texts/probe", {static_cast<int64_t>(texts.size())});
  std::unordered_map<int64_t, std::size_t> place;
  for (std::size_t i = 0; i < of.size(); ++i) place.emplace(of[i], i);
  for (std::size_t i = 0; i < latent.size(); ++i) {
    if (latent[i] != j) continue;
    const auto text = place.find(probe[i]);
    if (text == place.end() || side[i] < 0 || side[i] > static_cast<int8_t>(interpret::Side::silent))
      refuse(file.path(), fmt::format("{}nearest: row {} names a probe without text or a side there is none "
                                      "of; the file is damaged",
                                      group, i));
    card.texts.push_back(
        {{probe[i], static_cast<interpret::Side>(side[i]), activation[i], margin[i]}, texts[text->second]});
  }
}

void read_curves(const store::Reader& file, const std::string& anchor, int64_t j, LatentCard& card) {
  const std::string curves = "anchors/" + anchor + "/curves";
  for (const auto& name : file.children(curves)) {
    if (name.starts_with("own_")) continue;  // read by other dictionaries, whose latents are others
    const std::string path = curves + "/" + name + "/fire_rate";
    LatentCard::Along along{name, {}};
    if (file.has(path)) {
      const auto shape = file.shape(path);
      if (shape.size() != 3 || shape[0] != rungs || shape[2] <= j)
        refuse(file.path(), path + ": its shape does not fit the latents; the file is damaged");
      along.fire_rate.resize(at(shape[0] * shape[1]));
      file.read_slab<double>(path, {0, 0, j}, {shape[0], shape[1], 1}, along.fire_rate);
    }
    card.curves.push_back(std::move(along));
  }
}

}  // namespace

LatentCard read_latent_card(const store::Reader& file, const std::string& anchor, int64_t latent) {
  interpret::require_anchor(file, anchor);
  const std::string place = "anchors/" + anchor, group = place + "/latents/";
  const int64_t latents = file.shape(group + "status").front();
  if (latent < 0 || latent >= latents)
    throw Error(Exit::usage, fmt::format("{}: anchor {} has no latent {}; there are 0 to {}",
                                         file.path().string(), anchor, latent, latents - 1));
  LatentCard card;
  card.anchor = anchor;
  card.model = file.attribute_string(place, "model");
  card.step = file.attribute_integer(place, "step");
  card.layer = file.attribute_integer(place, "layer");
  card.teacher = file.attribute_string(place + "/latents", "teacher");
  card.tau = file.attribute_number(place + "/latents", "tau");
  card.label = interpret::read_label(file, group, latent);
  read_judged_scores(file, group, latent, card);
  read_subjects_of(file, group, latent, card);
  read_nearest_texts(file, group, latent, card);
  read_curves(file, anchor, latent, card);
  return card;
}

}  // namespace incipit::emergence
