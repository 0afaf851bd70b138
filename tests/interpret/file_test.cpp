#include "interpret/file.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "error.hpp"
#include "interpret/lexical.hpp"
#include "scene.hpp"
#include "store/reader.hpp"

namespace incipit::interpret {
namespace {

namespace fs = std::filesystem;
using testing::make_scene;
using testing::Scene;

store::Header header() {
  store::Header h;
  h.kind = "labels";
  h.fingerprint = "f";
  h.precision = "fp32";
  h.device = "host";
  h.cpu = "any";
  h.split = "2:1:1";
  h.libraries = "none";
  h.deck = "[interpret]\n";
  return h;
}

/// The same name on all ranks, another for each number of them.
fs::path test_path(const parallel::Communicator& comm) {
  return fs::temp_directory_path() / ("incipit_labels_" + std::to_string(comm.size()) + ".h5");
}

TEST(LabelsFile, WorkSharedOverRanksComesBackWholeAndIsTheSame) {
  const parallel::Communicator comm = parallel::Communicator::world();
  const Scene scene = make_scene();
  LexicalTeacher teacher(scene.probes, 1, 1), alone(scene.probes, 1, 1);
  const auto all = interpret_all(comm, teacher, scene.probes, scene.codes, scene.sae, {}, 1);
  const auto expected = interpret(alone, scene.probes, scene.codes, scene.sae, {}, 1, {0, 8});
  ASSERT_EQ(pack_labels(all), pack_labels(expected));

  Labels labels{teacher.name(), scene.probes.subjects, all};
  labels.nearest.resize(all.size());
  labels.nearest[3] = {{7, Side::strongest, 1.5, 0.5}, {2, Side::silent, 0, -0.25}};
  const fs::path path = test_path(comm);
  write_labels(comm, path, header(), labels, scene.probes);
  const Labels back = read_labels(path);
  EXPECT_EQ(back.teacher, "lexical 1");
  EXPECT_EQ(back.subjects, scene.probes.subjects);
  EXPECT_EQ(pack_labels(back.latents), pack_labels(all));
  ASSERT_EQ(back.nearest.size(), all.size());
  ASSERT_EQ(back.nearest[3].size(), 2U);
  EXPECT_EQ(back.nearest[3][1].probe, 2);
  EXPECT_EQ(back.nearest[3][1].side, Side::silent);
  EXPECT_EQ(back.nearest[3][1].margin, -0.25);

  {
    const store::Reader reader(path, "labels");
    EXPECT_EQ(reader.axes("latents/f1"), std::vector<std::string>{"latent"});
    EXPECT_EQ(reader.axes("latents/fire_rate_by_subject"), (std::vector<std::string>{"latent", "subject"}));
    const auto texts = reader.strings("latents/examples/text");
    const auto probe = reader.read<int64_t>("latents/examples/probe");
    ASSERT_EQ(texts.size(), probe.size());
    ASSERT_FALSE(texts.empty());
    EXPECT_EQ(reader.strings("latents/nearest/texts/text"),
              (std::vector<std::string>{scene.probes.all[2].text, scene.probes.all[7].text}));
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(texts[i], scene.probes.all[static_cast<std::size_t>(probe[i])].text);
    }
  }
  comm.barrier();
  if (comm.root()) fs::remove(path);
}

TEST(LabelsFile, ANetOfDeadLatentsIsAFileToo) {
  const parallel::Communicator comm = parallel::Communicator::world();
  Scene scene = make_scene();
  std::fill(scene.codes.latent.begin(), scene.codes.latent.end(), -1);
  LexicalTeacher teacher(scene.probes, 1, 1);
  const auto all = interpret_all(comm, teacher, scene.probes, scene.codes, scene.sae, {}, 1);
  const fs::path path = test_path(comm);
  write_labels(comm, path, header(), {teacher.name(), scene.probes.subjects, all}, scene.probes);
  EXPECT_EQ(pack_labels(read_labels(path).latents), pack_labels(all));
  EXPECT_TRUE(read_labels(path).nearest.empty());
  comm.barrier();
  if (comm.root()) fs::remove(path);
}

TEST(LabelsFile, ARankThatFailsTakesAllWithIt) {
  const parallel::Communicator comm = parallel::Communicator::world();
  Scene scene = make_scene();
  LexicalTeacher teacher(scene.probes, 1, 1);
  if (comm.rank() == comm.size() - 1) scene.codes.n -= 1;
  EXPECT_THROW(interpret_all(comm, teacher, scene.probes, scene.codes, scene.sae, {}, 1), Error);
}

TEST(LabelsFile, AMissingFileIsNamed) {
  try {
    read_labels("/nowhere/labels/time.h5");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::io);
    EXPECT_NE(std::string(error.what()).find("/nowhere/labels/time.h5"), std::string::npos);
  }
}

}  // namespace
}  // namespace incipit::interpret
