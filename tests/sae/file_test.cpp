#include "sae/file.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "parallel/communicator.hpp"
#include "sae/state.hpp"

namespace incipit::sae {
namespace {

Sae sample(std::int64_t h, std::int64_t d, float offset, std::uint64_t seed) {
  Sae sae{
      .h = h, .d = d, .k = 2, .scale = 0.5F + offset, .verify_fvu = 0.25, .unconverged = true, .seed = seed};
  for (std::int64_t i = 0; i < h * d; ++i) {
    sae.encoder.push_back(static_cast<float>(i) + offset);
    sae.decoder.push_back(static_cast<float>(i) - offset);
  }
  for (std::int64_t j = 0; j < h; ++j) sae.encoder_bias.push_back(static_cast<float>(j) * offset);
  for (std::int64_t c = 0; c < d; ++c) {
    sae.pre_bias.push_back(static_cast<float>(c) + offset);
    sae.mean.push_back(static_cast<float>(c) - offset);
  }
  sae.history = {.step = {1, 2, 5},
                 .loss = {3, 2, 1},
                 .fvu = {4, 3, 2},
                 .fvu_multi = {5, 4, 3},
                 .auxk = {6, 5, 4},
                 .dead = {0, 0.5, 0.25}};
  return sae;
}

void expect_equal(const Sae& a, const Sae& b) {
  EXPECT_EQ(a.h, b.h);
  EXPECT_EQ(a.d, b.d);
  EXPECT_EQ(a.k, b.k);
  EXPECT_EQ(a.encoder, b.encoder);
  EXPECT_EQ(a.encoder_bias, b.encoder_bias);
  EXPECT_EQ(a.decoder, b.decoder);
  EXPECT_EQ(a.pre_bias, b.pre_bias);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.scale, b.scale);
  EXPECT_EQ(a.history.step, b.history.step);
  EXPECT_EQ(a.history.loss, b.history.loss);
  EXPECT_EQ(a.history.fvu, b.history.fvu);
  EXPECT_EQ(a.history.fvu_multi, b.history.fvu_multi);
  EXPECT_EQ(a.history.auxk, b.history.auxk);
  EXPECT_EQ(a.history.dead, b.history.dead);
  EXPECT_EQ(a.verify_fvu, b.verify_fvu);
  EXPECT_EQ(a.unconverged, b.unconverged);
  EXPECT_EQ(a.seed, b.seed);
}

TEST(SaeFile, AStateComesBackAsItWas) {
  const parallel::Communicator world = parallel::Communicator::world();
  const std::filesystem::path path =
      std::filesystem::path(INCIPIT_BINARY_DIR) / ("sae_state_test_" + std::to_string(world.size()) + ".h5");
  const auto parameters = [](float offset) {
    const Sae from = sample(5, 3, offset, 1);
    return Parameters<float>{5, 3, from.encoder, from.encoder_bias, from.decoder, from.pre_bias};
  };
  State state{.steps = 41,
              .parameters = parameters(0.25F),
              .first = parameters(0.5F),
              .second = parameters(0.75F),
              .idle = {3, 0, 1, 4, 1},
              .history = sample(5, 3, 0, 1).history,
              .sums = {{.fvu = 1, .fvu_multi = 2, .auxk = 3, .loss = 4}, 2},
              .fvu_before = 0.1};
  for (const bool with_history : {true, false}) {
    if (!with_history) state.history = {};
    {
      store::Header header;
      header.kind = "sae_state";
      store::Writer writer(world, path, header);
      write_state(writer, state);
      writer.commit();
    }
    const State read = read_state(store::Reader(path, "sae_state"));
    EXPECT_EQ(read.steps, state.steps);
    EXPECT_EQ(read.idle, state.idle);
    EXPECT_EQ(read.fvu_before, state.fvu_before);
    EXPECT_EQ(read.sums.count, state.sums.count);
    for (auto term : {&Terms::fvu, &Terms::fvu_multi, &Terms::auxk, &Terms::loss})
      EXPECT_EQ(read.sums.of.*term, state.sums.of.*term);
    EXPECT_EQ(read.history.step, state.history.step);
    for (auto series : {&History::loss, &History::fvu, &History::fvu_multi, &History::auxk, &History::dead})
      EXPECT_EQ(read.history.*series, state.history.*series);
    for (auto part : {&State::parameters, &State::first, &State::second}) {
      EXPECT_EQ((read.*part).h, 5);
      EXPECT_EQ((read.*part).d, 3);
      EXPECT_EQ((read.*part).encoder, (state.*part).encoder);
      EXPECT_EQ((read.*part).encoder_bias, (state.*part).encoder_bias);
      EXPECT_EQ((read.*part).decoder, (state.*part).decoder);
      EXPECT_EQ((read.*part).pre_bias, (state.*part).pre_bias);
    }
    world.barrier();
  }
}

TEST(SaeFile, ComesBackAsItWas) {
  const parallel::Communicator world = parallel::Communicator::world();
  const std::filesystem::path path =
      std::filesystem::path(INCIPIT_BINARY_DIR) / ("sae_file_test_" + std::to_string(world.size()) + ".h5");
  std::filesystem::remove(path);
  world.barrier();
  const std::vector<Sae> seeds{sample(7, 3, 0.25F, 10), sample(7, 3, 0.5F, 11), sample(7, 3, 0.75F, 9)};
  {
    store::Header header;
    header.kind = "sae";
    store::Writer writer(world, path, header);
    write_saes(writer, seeds);
    writer.commit();
  }
  const store::Reader reader(path, "sae");
  EXPECT_EQ(reader.axes("encoder"), (std::vector<std::string>{"latent", "d"}));
  EXPECT_EQ(reader.axes("seeds/11/history/loss"), (std::vector<std::string>{"step"}));
  const std::vector<Sae> back = read_saes(reader);
  ASSERT_EQ(back.size(), seeds.size());
  for (std::size_t i = 0; i < seeds.size(); ++i) expect_equal(back[i], seeds[i]);
  world.barrier();
  if (world.root()) std::filesystem::remove(path);
}

}  // namespace
}  // namespace incipit::sae
