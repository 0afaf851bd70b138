#include "match/lexical.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "corpus.hpp"

namespace incipit::match {
namespace {

using testing::make_probes;
using testing::make_subjects;

double cosine(const std::vector<float>& rows, int64_t d, int64_t a, int64_t b) {
  double sum = 0;
  for (int64_t k = 0; k < d; ++k) {
    sum += static_cast<double>(rows[static_cast<std::size_t>(a * d + k)]) *
           static_cast<double>(rows[static_cast<std::size_t>(b * d + k)]);
  }
  return sum;
}

TEST(LexicalEncoder, WordsAreNearThePhrasesOfTheirSubject) {
  LexicalEncoder encoder(make_probes(240), make_subjects(), 1, 2);
  // "life", "numbers", "shapes" and "rules" are in no probe: only the subjects' documents tie them.
  const std::vector<std::string> texts = {"the science of life", "rules that courts enforce",
                                          "numbers and shapes",  "enzyme, tissue",
                                          "jury, statute",       "triangle, matrix"};
  const std::vector<float> rows = encoder.embed(texts);
  const int64_t d = encoder.dimensions();
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t other = 0; other < 3; ++other) {
      const double similarity = cosine(rows, d, 3 + c, other);
      if (other == c) {
        EXPECT_GT(similarity, 0.45);
      } else {
        EXPECT_LT(similarity, 0.3);
      }
    }
  }
}

TEST(LexicalEncoder, RowsHaveUnitNormOrAreZero) {
  LexicalEncoder encoder(make_probes(120), make_subjects(), 1, 1);
  const std::vector<std::string> texts = {"cells", "zzz qqq", "", "the of and", "COURTS!", "contracts"};
  const std::vector<float> rows = encoder.embed(texts);
  const int64_t d = encoder.dimensions();
  ASSERT_EQ(rows.size(), texts.size() * static_cast<std::size_t>(d));
  for (const int64_t known : {0, 4, 5}) EXPECT_NEAR(cosine(rows, d, known, known), 1, 1e-6);
  for (const int64_t unknown : {1, 2, 3}) EXPECT_EQ(cosine(rows, d, unknown, unknown), 0);
}

TEST(LexicalEncoder, APluralIsItsSingular) {
  LexicalEncoder encoder(make_probes(120), make_subjects(), 1, 1);
  const std::vector<std::string> texts = {"contract", "contracts"};
  EXPECT_NEAR(cosine(encoder.embed(texts), encoder.dimensions(), 0, 1), 1, 1e-6);
}

TEST(LexicalEncoder, ReadsNeitherVerifyNorJudgeProbes) {
  const corpus::Probes probes = make_probes(240);
  corpus::Probes other = probes;
  for (std::size_t i = 0; i < other.all.size(); ++i) {
    if (other.part[i] == corpus::Part::fit) continue;
    other.all[i].text = "entirely other words " + std::to_string(i);
    other.subject[i] = 0;
  }
  LexicalEncoder a(probes, make_subjects(), 1, 1), b(other, make_subjects(), 1, 1);
  const std::vector<std::string> texts = {"membrane", "numbers", "entirely other"};
  EXPECT_EQ(a.embed(texts), b.embed(texts));
}

TEST(LexicalEncoder, DoesNotHangOnThreads) {
  LexicalEncoder a(make_probes(240), make_subjects(), 1, 1), b(make_probes(240), make_subjects(), 1, 3);
  const std::vector<std::string> texts = {"membrane", "numbers and courts", "glossary"};
  EXPECT_EQ(a.embed(texts), b.embed(texts));
}

TEST(LexicalEncoder, WithoutProbesOnlyThePhrasesSpeak) {
  LexicalEncoder encoder(corpus::Probes{}, make_subjects(), 1, 1);
  const std::vector<std::string> texts = {"courts enforce rules", "numbers"};
  const std::vector<float> rows = encoder.embed(texts);
  EXPECT_NEAR(cosine(rows, encoder.dimensions(), 0, 0), 1, 1e-6);
  EXPECT_LT(cosine(rows, encoder.dimensions(), 0, 1), 0.1);
}

}  // namespace
}  // namespace incipit::match
