#include "corpus/packs.hpp"

#include <algorithm>
#include <numeric>

#include "error.hpp"

namespace incipit::corpus {
namespace {

enum class Long : uint8_t { drop, left, error };

Long parse_long(const std::string& text) {
  if (text == "drop") return Long::drop;
  if (text == "left") return Long::left;
  if (text == "error") return Long::error;
  throw Error(Exit::usage, "probes.long: expected drop, left or error, found '" + text + "'");
}

std::vector<int32_t> opening(const Tokenizer& tokenizer, bool bos) {
  if (!bos) return {};
  if (const auto id = tokenizer.bos()) return {*id};
  throw Error(Exit::usage,
              "probes.bos: the tokenizer has no token <|endoftext|>, <s> or <bos> to begin a text with");
}

std::vector<int32_t> encode(const Tokenizer& tokenizer, const Probe& probe) {
  try {
    std::vector<int32_t> tokens = tokenizer.encode(probe.text);
    if (tokens.empty()) throw Error(Exit::data, "the text has no tokens");
    return tokens;
  } catch (const Error& error) {
    throw Error(error.code(), probe.where + ": probe '" + probe.id + "': " + error.what());
  }
}

void check_subjects(const Probes& probes, const Tokenized& tokenized, int64_t context) {
  std::vector<bool> alive(probes.subjects.size(), false);
  for (std::size_t i = 0; i < probes.all.size(); ++i) {
    if (!tokenized.tokens[i].empty()) alive[static_cast<std::size_t>(probes.subject[i])] = true;
  }
  for (std::size_t s = 0; s < alive.size(); ++s) {
    if (alive[s]) continue;
    throw Error(Exit::data, "all probes of '" + probes.subjects[s] + "' are longer than the context of " +
                                std::to_string(context) +
                                " tokens; set probes.long = left, or leave the subject out");
  }
}

}  // namespace

Tokenized tokenize(const Probes& probes, const Tokenizer& tokenizer, const ProbeOptions& options,
                   int64_t context) {
  const Long treatment = parse_long(options.long_);
  const std::vector<int32_t> begin = opening(tokenizer, options.bos);
  const auto room = context - static_cast<int64_t>(begin.size());
  if (room < 1)
    throw Error(Exit::data, "a context of " + std::to_string(context) + " tokens has no room for a text");
  Tokenized tokenized;
  tokenized.tokens.resize(probes.all.size());
  for (std::size_t i = 0; i < probes.all.size(); ++i) {
    std::vector<int32_t> text = encode(tokenizer, probes.all[i]);
    const auto beyond = static_cast<int64_t>(text.size()) - room;
    if (beyond > 0) {
      if (treatment == Long::error) {
        throw Error(Exit::data, probes.all[i].where + ": probe '" + probes.all[i].id + "' has " +
                                    std::to_string(text.size() + begin.size()) + " tokens, the context " +
                                    std::to_string(context) + "; set probes.long = drop or left");
      }
      if (treatment == Long::drop) {
        ++tokenized.dropped;
        continue;
      }
      ++tokenized.cut;
      text.erase(text.begin(), text.begin() + beyond);
    }
    text.insert(text.begin(), begin.begin(), begin.end());
    tokenized.tokens[i] = std::move(text);
  }
  check_subjects(probes, tokenized, context);
  return tokenized;
}

std::vector<Pack> make_packs(const Tokenized& tokenized, int64_t pack_tokens) {
  const auto& tokens = tokenized.tokens;
  std::vector<int64_t> order(tokens.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  const auto length = [&](int64_t probe) { return tokens[static_cast<std::size_t>(probe)].size(); };
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return length(a) < length(b); });
  std::vector<Pack> packs;
  for (const int64_t probe : order) {
    const std::vector<int32_t>& text = tokens[static_cast<std::size_t>(probe)];
    if (text.empty()) continue;
    const auto size = static_cast<int64_t>(text.size());
    if (size > pack_tokens) {
      throw Error(Exit::usage, "run.pack_tokens: a pack of " + std::to_string(pack_tokens) +
                                   " tokens cannot hold the longest probe, which has " +
                                   std::to_string(length(order.back())));
    }
    if (packs.empty() || static_cast<int64_t>(packs.back().tokens.size()) + size > pack_tokens) {
      packs.emplace_back().starts.push_back(0);
    }
    Pack& pack = packs.back();
    pack.probes.push_back(probe);
    pack.tokens.insert(pack.tokens.end(), text.begin(), text.end());
    pack.starts.push_back(static_cast<int64_t>(pack.tokens.size()));
  }
  return packs;
}

}  // namespace incipit::corpus
