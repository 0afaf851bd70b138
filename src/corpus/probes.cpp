#include "corpus/probes.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "corpus/read_probes.hpp"
#include "error.hpp"
#include "store/hash.hpp"

namespace incipit::corpus {
namespace {

void check_ids(const std::vector<Probe>& all) {
  std::unordered_map<std::string_view, const Probe*> seen;
  for (const Probe& probe : all) {
    const auto [it, is_new] = seen.emplace(probe.id, &probe);
    if (!is_new) {
      throw Error(Exit::data, probe.where + ": the id '" + probe.id + "' is also at " + it->second->where);
    }
  }
}

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void keep_subjects(std::vector<Probe>& all, const ProbeOptions& options) {
  if (options.subjects.empty()) return;
  const std::set<std::string> wanted(options.subjects.begin(), options.subjects.end());
  std::set<std::string> there, missing;
  for (const Probe& probe : all) there.insert(probe.subject);
  for (const std::string& subject : wanted) {
    if (!there.contains(subject)) missing.insert(subject);
  }
  if (!missing.empty()) {
    throw Error(Exit::data, options.path.string() + ": no probes of " + joined(missing) +
                                " (probes.subjects); there are " + joined(there));
  }
  std::erase_if(all, [&](const Probe& probe) { return !wanted.contains(probe.subject); });
}

void keep_first(std::vector<Probe>& all, int64_t limit) {
  if (limit < 0) throw Error(Exit::usage, "probes.limit: expected 0 or more, found " + std::to_string(limit));
  if (limit == 0) return;
  std::map<std::string, int64_t> taken;
  std::erase_if(all, [&](const Probe& probe) { return taken[probe.subject]++ >= limit; });
}

void index_subjects(Probes& probes) {
  std::set<std::string> names;
  for (const Probe& probe : probes.all) names.insert(probe.subject);
  probes.subjects.assign(names.begin(), names.end());
  for (const Probe& probe : probes.all) {
    const auto it = std::lower_bound(probes.subjects.begin(), probes.subjects.end(), probe.subject);
    probes.subject.push_back(static_cast<int32_t>(it - probes.subjects.begin()));
  }
}

void index_groups(Probes& probes) {
  std::unordered_map<std::string, int32_t> index;
  for (std::size_t i = 0; i < probes.all.size(); ++i) {
    const std::string& name = probes.all[i].group;
    const auto [it, is_new] = index.emplace(name, static_cast<int32_t>(probes.groups.size()));
    if (is_new) {
      probes.groups.push_back(name);
      probes.group_subject.push_back(probes.subject[i]);
    }
    probes.group.push_back(it->second);
  }
}

std::string hash_of(const std::vector<ProbeFile>& files) {
  if (files.size() == 1) return files.front().sha256;
  std::string listing;
  for (const ProbeFile& file : files) listing += file.sha256 + "  " + file.path.filename().string() + "\n";
  return store::sha256(listing);
}

}  // namespace

std::vector<int64_t> Probes::of(Part wanted) const {
  std::vector<int64_t> chosen;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!split || part[i] == wanted) chosen.push_back(static_cast<int64_t>(i));
  }
  return chosen;
}

Probes load_probes(const ProbeOptions& options, uint64_t seed) {
  const auto ratio = parse_split(options.split);
  RawProbes raw = read_probes(options);
  check_ids(raw.all);
  keep_subjects(raw.all, options);
  keep_first(raw.all, options.limit);
  Probes probes;
  probes.all = std::move(raw.all);
  probes.files = std::move(raw.files);
  probes.sha256 = hash_of(probes.files);
  probes.split = ratio.has_value();
  index_subjects(probes);
  index_groups(probes);
  probes.part.assign(probes.all.size(), Part::fit);
  if (ratio) {
    const std::vector<Part> part = split_groups(probes.groups, probes.group_subject, seed, *ratio);
    for (std::size_t i = 0; i < probes.all.size(); ++i) {
      probes.part[i] = part[static_cast<std::size_t>(probes.group[i])];
    }
  }
  return probes;
}

}  // namespace incipit::corpus
