#include "match/embedded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "error.hpp"
#include "index.hpp"

namespace incipit::match {

EmbeddedTexts::EmbeddedTexts(std::string name, std::int64_t dimensions, std::span<const std::string> texts,
                             std::vector<float> rows)
    : name_(std::move(name)), dimensions_(dimensions), rows_(std::move(rows)) {
  if (rows_.size() != texts.size() * at(dimensions_)) {
    throw Error(Exit::defect, fmt::format("match: encoder {} gave {} numbers for {} texts of {} dimensions",
                                          name_, rows_.size(), texts.size(), dimensions_));
  }
  for (std::size_t i = 0; i < texts.size(); ++i) place_.emplace(texts[i], i);
}

std::vector<float> EmbeddedTexts::embed(std::span<const std::string> texts) {
  std::vector<float> rows;
  for (const std::string& text : texts) {
    const auto found = place_.find(text);
    if (found == place_.end())
      throw Error(Exit::defect, fmt::format("match: '{}' was not embedded", text));
    const auto first = rows_.begin() + static_cast<std::ptrdiff_t>(found->second * at(dimensions_));
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
