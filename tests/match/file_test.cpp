#include "match/file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "corpus.hpp"
#include "match/lexical.hpp"
#include "store/reader.hpp"

namespace incipit::match {
namespace {

namespace fs = std::filesystem;

TEST(MatchFile, ComesBackAsItWas) {
  const parallel::Communicator comm = parallel::Communicator::world();
  const corpus::Probes probes = testing::make_probes(120);
  MatchFile file;
  file.subjects = testing::make_subjects();
  LexicalEncoder encoder(probes, file.subjects, 1, 1);
  file.encoder = encoder.name();
  file.labels = {"membrane, gene", "statute", "", "matrix", "glossary"};
  file.interpretable = {1, 1, 0, 1, 0};
  file.matches = match_labels(encoder, file.labels, file.interpretable, file.subjects, {.phrases = "mean"});

  store::Header header;
  header.fingerprint = "f";
  header.precision = header.device = header.cpu = header.split = header.libraries = header.deck = "x";
  const fs::path path = fs::temp_directory_path() / ("incipit_match_" + std::to_string(comm.size()) + ".h5");
  write_match(comm, path, header, file);
  const MatchFile back = read_match(path);
  EXPECT_EQ(back.encoder, file.encoder);
  EXPECT_EQ(back.labels, file.labels);
  EXPECT_EQ(back.interpretable, file.interpretable);
  ASSERT_EQ(back.subjects.all.size(), 3U);
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_EQ(back.subjects.all[c].name, file.subjects.all[c].name);
    EXPECT_EQ(back.subjects.all[c].phrases, file.subjects.all[c].phrases);
    EXPECT_EQ(back.subjects.all[c].read, file.subjects.all[c].read);
  }
  EXPECT_EQ(back.subjects.decoys, file.subjects.decoys);
  const Matches &a = back.matches, &b = file.matches;
  EXPECT_EQ(a.matched, b.matched);
  ASSERT_EQ(a.similarity.size(), b.similarity.size());
  for (std::size_t i = 0; i < a.similarity.size(); ++i) {
    EXPECT_TRUE(a.similarity[i] == b.similarity[i] ||
                (std::isnan(a.similarity[i]) && std::isnan(b.similarity[i])));
  }
  EXPECT_EQ(a.phrases, "mean");
  EXPECT_EQ(a.tau, b.tau);
  EXPECT_EQ(a.tau_auto, b.tau_auto);
  EXPECT_EQ(a.decoy_rate, b.decoy_rate);
  EXPECT_EQ(a.pairs, b.pairs);
  EXPECT_EQ(a.sweep.tau, b.sweep.tau);
  EXPECT_EQ(a.sweep.decoy_rate, b.sweep.decoy_rate);
  EXPECT_EQ(a.sweep.matched, b.sweep.matched);
  {
    const store::Reader reader(path, "match");
    EXPECT_EQ(reader.axes("latents/similarity"), (std::vector<std::string>{"latent", "subject"}));
    EXPECT_EQ(reader.axes("phrases").front(), "subject");
    EXPECT_EQ(reader.axes("tau/decoy_rate"), std::vector<std::string>{"tau"});
  }
  comm.barrier();
  if (comm.root()) fs::remove(path);
}

}  // namespace
}  // namespace incipit::match
