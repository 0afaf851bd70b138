#include "phantom/texts.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "corpus/byte_alphabet.hpp"
#include "corpus/words.hpp"
#include "error.hpp"
#include "index.hpp"
#include "random.hpp"

namespace incipit::phantom {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view consonants = "bdfgklmnprstvz", vowels = "aeiou";
constexpr int64_t context_words = 8, context_shown = 3, fillers = 12, fillers_shown = 2;
/// How tokenizer.json spells a space.
const std::string space = "\u0120";

std::vector<std::string> syllables() {
  std::vector<std::string> all;
  for (const char consonant : consonants)
    for (const char vowel : vowels) all.push_back({consonant, vowel});
  return all;
}

/// Words of two syllables that are no function words of English, in random order.
class Words {
 public:
  explicit Words(uint64_t seed) : syllables_(syllables()) {
    Random random(seed, Purpose::phantom_words, 0);
    const auto n = static_cast<int64_t>(syllables_.size());
    order_ = permutation(n * n, random);
  }

  std::string next() {
    while (used_ < order_.size()) {
      const auto number = static_cast<std::size_t>(order_[used_++]);
      std::string word = syllables_[number / syllables_.size()] + syllables_[number % syllables_.size()];
      if (!corpus::is_function_word(word)) return word;
    }
    throw Error(Exit::usage,
                fmt::format("phantom: there are but {} words of two syllables; expected fewer --subjects or "
                            "--terms",
                            order_.size()));
  }

  std::vector<std::string> next(int64_t count) {
    std::vector<std::string> words;
    for (int64_t i = 0; i < count; ++i) words.push_back(next());
    return words;
  }

 private:
  std::vector<std::string> syllables_;
  std::vector<int64_t> order_;
  std::size_t used_ = 0;
};

/// `count` different ones of `words`, in random order.
std::vector<std::string> some_of(const std::vector<std::string>& words, int64_t count, Random& random) {
  std::vector<std::string> chosen;
  for (const int64_t i : permutation(static_cast<int64_t>(words.size()), random)) {
    if (static_cast<int64_t>(chosen.size()) == count) break;
    chosen.push_back(words[at(i)]);
  }
  return chosen;
}

std::string text_of(const Texts& texts, int64_t subject, int64_t term, Random& random) {
  const auto context = some_of(texts.context[at(subject)], context_shown, random);
  const auto filler = some_of(texts.filler, fillers_shown, random);
  return fmt::format("{} {} {} {} {} {}", context[0], filler[0], context[1], filler[1], context[2],
                     texts.term[at(subject)][at(term)]);
}

void write_probes(const Options& options, Texts& texts) {
  for (int64_t c = 0; c < options.subjects; ++c)
    for (int64_t t = 0; t < options.terms; ++t)
      for (int64_t p = 0; p < options.probes; ++p) {
        Random random(options.seed, Purpose::phantom_texts, texts.probe.size());
        const std::string id = fmt::format("{}/{}/{}", texts.subject[at(c)], texts.term[at(c)][at(t)], p + 1);
        texts.probe.push_back({id, text_of(texts, c, t, random), c, t});
      }
}

/// Tokens of merges: syllables, syllables behind a space, then words behind a space.
void number_tokens(Texts& texts) {
  texts.vocabulary = {"<|endoftext|>"};
  for (const std::string& byte : corpus::byte_alphabet()) texts.vocabulary.push_back(byte);
  for (const std::string& syllable : syllables()) texts.vocabulary.push_back(syllable);
  for (const std::string& syllable : syllables()) texts.vocabulary.push_back(space + syllable);
  const auto add = [&](const std::string& word) {
    texts.vocabulary.push_back(space + word);
    return static_cast<int64_t>(texts.vocabulary.size()) - 1;
  };
  for (const auto& words : texts.context)
    for (const std::string& word : words) add(word);
  for (const std::string& word : texts.filler) texts.filler_token.push_back(add(word));
  for (const auto& words : texts.term) {
    texts.term_token.emplace_back();
    for (const std::string& word : words) texts.term_token.back().push_back(add(word));
  }
}

/// What a token is made from: the last syllable, or letter, and what stands before.
ordered_json merge_of(const std::string& token) {
  const bool pair = token.size() == 2;
  const std::size_t tail = pair ? 1 : 2;
  return {token.substr(0, token.size() - tail), token.substr(token.size() - tail)};
}

}  // namespace

Texts write_texts(const Options& options) {
  Texts texts;
  Words words(options.seed);
  texts.subject = words.next(options.subjects);
  texts.filler = words.next(fillers);
  for (int64_t c = 0; c < options.subjects; ++c) {
    texts.context.push_back(words.next(context_words));
    texts.term.push_back(words.next(options.terms));
  }
  number_tokens(texts);
  write_probes(options, texts);
  return texts;
}

std::string tokenizer_json(const Texts& texts) {
  ordered_json vocabulary, merges = ordered_json::array();
  const std::size_t letters = 1 + corpus::byte_alphabet().size();
  for (std::size_t id = 0; id < texts.vocabulary.size(); ++id) {
    vocabulary[texts.vocabulary[id]] = id;
    if (id >= letters) merges.push_back(merge_of(texts.vocabulary[id]));
  }
  const ordered_json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const ordered_json file = {{"version", "1.0"},
                             {"truncation", nullptr},
                             {"padding", nullptr},
                             {"added_tokens", ordered_json::array({{{"id", 0},
                                                                    {"content", "<|endoftext|>"},
                                                                    {"single_word", false},
                                                                    {"lstrip", false},
                                                                    {"rstrip", false},
                                                                    {"normalized", false},
                                                                    {"special", true}}})},
                             {"normalizer", nullptr},
                             {"pre_tokenizer", byte_level},
                             {"post_processor", byte_level},
                             {"decoder", byte_level},
                             {"model",
                              {{"type", "BPE"},
                               {"dropout", nullptr},
                               {"unk_token", nullptr},
                               {"continuing_subword_prefix", nullptr},
                               {"end_of_word_suffix", nullptr},
                               {"fuse_unk", false},
                               {"byte_fallback", false},
                               {"vocab", vocabulary},
                               {"merges", merges}}}};
  return file.dump() + "\n";
}

std::string probes_json_lines(const Texts& texts) {
  std::string lines;
  for (const Texts::Probe& probe : texts.probe) {
    const ordered_json line = {{"id", probe.id},
                               {"subject", texts.subject[at(probe.subject)]},
                               {"group", texts.term[at(probe.subject)][at(probe.term)]},
                               {"text", probe.text}};
    lines += line.dump() + "\n";
  }
  return lines;
}

std::string subjects_json(const Texts& texts, const Plan& plan) {
  ordered_json subjects, decoys = ordered_json::array();
  for (std::size_t c = 0; c < texts.subject.size(); ++c) {
    ordered_json phrases = ordered_json::array();
    for (std::size_t w = 0; w + 1 < texts.context[c].size(); w += 2)
      phrases.push_back(texts.context[c][w] + " " + texts.context[c][w + 1]);
    subjects[texts.subject[c]] = {{"phrases", phrases}, {"read", plan.subject[c].exists}};
  }
  for (std::size_t w = 0; w < texts.filler.size(); ++w)
    decoys.push_back(texts.filler[w] + " " + texts.filler[(w + 1) % texts.filler.size()]);
  return ordered_json{{"subjects", subjects}, {"decoys", decoys}}.dump(1) + "\n";
}

}  // namespace incipit::phantom
