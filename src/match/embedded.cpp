#include "match/embedded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "error.hpp"
#include "index.hpp"

namespace incipit::match {

void EmbeddedTexts::set_encoder(std::string name, std::int64_t dimensions) {
  name_ = std::move(name);
  dimensions_ = dimensions;
}

std::vector<std::string> EmbeddedTexts::unknown(std::span<const std::string> texts) const {
  std::vector<std::string> found;
  std::copy_if(texts.begin(), texts.end(), std::back_inserter(found),
               [&](const std::string& text) { return !place_.contains(text); });
  return found;
}

void EmbeddedTexts::add(std::span<const std::string> texts, std::span<const float> rows) {
  const std::size_t d = at(dimensions_);
  if (rows.size() != texts.size() * d) {
    throw Error(Exit::defect, fmt::format("match: encoder {} gave {} numbers for {} texts of {} dimensions",
                                          name_, rows.size(), texts.size(), dimensions_));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) place_.emplace(texts[i], rows_.size() + i * d);
  rows_.insert(rows_.end(), rows.begin(), rows.end());
}

std::vector<float> EmbeddedTexts::embed(std::span<const std::string> texts) {
  std::vector<float> rows;
  for (const std::string& text : texts) {
    const auto found = place_.find(text);
    if (found == place_.end()) throw Error(Exit::defect, fmt::format("match: '{}' was not embedded", text));
    const auto first = rows_.begin() + static_cast<std::ptrdiff_t>(found->second);
    rows.insert(rows.end(), first, first + dimensions_);
  }
  return rows;
}

std::vector<std::string> texts_to_embed(std::span<const std::string> labels, const Subjects& subjects) {
  std::set<std::string> texts(labels.begin(), labels.end());
  for (const Subject& subject : subjects.all) texts.insert(subject.phrases.begin(), subject.phrases.end());
  texts.insert(subjects.decoys.begin(), subjects.decoys.end());
  return {texts.begin(), texts.end()};
}

}  // namespace incipit::match
