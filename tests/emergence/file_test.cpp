#include "emergence/file.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "align/file.hpp"
#include "emergence/latent_card.hpp"
#include "emergence/schema.hpp"
#include "error.hpp"
#include "parallel/communicator.hpp"
#include "store/reader.hpp"
#include "store/writer.hpp"

namespace incipit::emergence {
namespace {

std::filesystem::path scratch(const std::string& name) {
  return std::filesystem::path(INCIPIT_BINARY_DIR) / "tests" / name;
}

store::Header header(const std::string& kind) {
  store::Header out;
  out.kind = kind;
  out.fingerprint = "f";
  out.precision = "fp32";
  out.device = "host";
  out.cpu = "a cpu";
  out.split = "2:1:1";
  out.libraries = "none";
  out.deck = "[run]\n";
  out.inputs = {{"probes.jsonl", "00"}};
  return out;
}

corpus::Probes probes() {
  corpus::Probes out;
  out.subjects = {"biology", "math"};
  for (int32_t i = 0; i < 8; ++i) {
    const std::string n = std::to_string(i);
    out.all.push_back(
        {"id" + n, out.subjects[static_cast<size_t>(i % 2)], "group" + n, "text " + n, "made:" + n});
    out.subject.push_back(i % 2);
    out.group.push_back(i);
    out.groups.push_back("group" + n);
    out.group_subject.push_back(i % 2);
    out.part.push_back(static_cast<corpus::Part>(i % 3));
  }
  return out;
}

Curve bare_curve(const std::string& name, bool concludes) {
  return {name, {{"nano", 10, 9, 0, 6, 1}, {"nano", 10, 9, 4000, 6, 1}}, 2, 10, {}, 0, concludes};
}

/// All that may stand beside an anchor's curves.
void add_controls(AnchorResult& out) {
  for (const char* control : {"random_weights", "first_step"})
    out.dictionaries.push_back({control, out.labels, out.matches});
  out.control_curves.push_back({"curves", bare_curve("own_time", true), {1, 2, 3, 4}});
  out.control_curves.push_back({"controls/ceiling/curves", bare_curve("scale", false), {1, 2, 3, 4}});
  out.random_latents.emplace_back("time", 2, 2, std::vector<double>{0.25, nan});
  const std::vector<BareShares> given{{{0.5, nan}, {0.25, nan}}, {{1.0, nan}, {0.75, nan}}};
  out.random_latents.back().set(1, Rung::raw, given);
  out.matched_fire_rate = {0.5, nan};
  out.seed = 7;
  out.seeds.push_back({8, out.curves.back(), {3, 4}});
}

AnchorResult anchor(const std::string& name) {
  AnchorResult out{name, "nano", 4000, 6, {}, {}, TokenBaseline{}};
  out.labels.teacher = "lexical";
  out.labels.subjects = {"biology", "math"};
  for (int64_t j = 0; j < 3; ++j) {
    interpret::LatentLabel label;
    label.latent = j;
    label.label = "label";
    label.fire_rate_by_subject = {0.1, nan};
    if (j == 1) {
      label.examples = {{2, 0.5}, {4, 0.0}};
      label.judgements = {{1, true, false, {interpret::Answer::yes, 0.75}},
                          {4, false, false, {interpret::Answer::no, 0.25}}};
      label.status = interpret::Status::interpretable;
    }
    out.labels.latents.push_back(label);
  }
  out.labels.nearest = {
      {}, {{1, interpret::Side::strongest, 2.5, 1.5}, {4, interpret::Side::silent, 0, -0.5}}, {}};
  out.matches.latents = 3;
  out.matches.subjects = 2;
  out.matches.similarity.assign(6, 0.25F);
  out.matches.matched = {1, 0, 0, 0, 0, 1};
  out.matches.sweep = {{0.1, 0.2}, {0.5, 0.25}, {1, 1, 0, 1}};
  for (auto* found : {&out.token_baseline->contrast, &out.token_baseline->auc})
    for (auto& estimates : *found) estimates.subject.assign(2, Estimate{0.5, 0.4, 0.6, 0, -0.1, 0.1, 0.01});
  out.curves.emplace_back("time", std::vector<Point>{{"nano", 10, 9, 0, 6, 1}, {"nano", 10, 9, 4000, 6, 1}},
                          2, 10, std::vector<double>{0.1, 0.2}, 3);
  out.curves.back().set_usage(1, Rung::raw, {2.0, 0.5, {0.125, 0.25, 0.5}});
  out.curves.back().set_loss(1, 4.5);
  add_controls(out);
  return out;
}

Emergence result() {
  Emergence out;
  out.probes = probes();
  out.tokens.assign(8, 5);
  out.last_token.assign(8, " x");
  out.subjects.all = {{"biology", {"life", "cells"}, true}, {"math", {"numbers"}, false}};
  out.audit = {{"nano", 0, "ok", ""}, {"nano", 4000, "duplicate", "equal tensors"}};
  out.anchors.push_back(anchor("time"));
  out.anchors.push_back(anchor("space"));
  return out;
}

std::filesystem::path written(const parallel::Communicator& comm, const Emergence& what,
                              const std::string& name) {
  const auto path = scratch(name);
  store::Writer writer(comm, path, header("emergence"));
  write_emergence(writer, what);
  writer.commit();
  return path;
}

TEST(EmergenceFile, HoldsWhatWasGivenAndIsValid) {
  const auto comm = parallel::Communicator::world();
  const auto path = written(comm, result(), "emergence.h5");
  const store::Reader file(path, "emergence");
  EXPECT_EQ(file.strings("phrases"), (std::vector<std::string>{"life", "cells", "numbers", ""}));
  EXPECT_EQ(file.read<int8_t>("read"), (std::vector<int8_t>{1, 0}));
  EXPECT_EQ(file.strings("probes/group")[3], "group3");
  EXPECT_EQ(file.read<int8_t>("probes/part")[5], 2);
  EXPECT_EQ(file.strings("audit/status")[1], "duplicate");
  EXPECT_EQ(file.attribute_string("anchors/space", "model"), "nano");
  EXPECT_EQ(file.attribute_integer("anchors/space", "layer"), 6);
  EXPECT_EQ(file.read<double>("anchors/time/controls/token_baseline/contrast_high", {2, 2})[3], 0.6);
  EXPECT_EQ(file.read<int8_t>("anchors/time/latents/matched", {3, 2})[5], 1);
  EXPECT_EQ(file.children("anchors"), (std::vector<std::string>{"time", "space"}));
  const std::string controls = "anchors/time/controls/";
  EXPECT_EQ(file.read<double>(controls + "random_latents/bands/time/contrast_mean", {3, 2, 2})[2], 0.5);
  EXPECT_NEAR(file.read<double>(controls + "random_latents/bands/time/contrast_high")[2], 0.7375, 1e-12);
  EXPECT_EQ(file.read<double>(controls + "random_latents/fire_rate_matched")[0], 0.5);
  EXPECT_EQ(file.read<int64_t>(controls + "ceiling/curves/scale/matched", {2, 2})[3], 4);
  EXPECT_EQ(file.read<int64_t>("anchors/time/curves/own_time/matched", {2, 2})[1], 2);
  EXPECT_EQ(file.read<int64_t>(controls + "seeds/spread/time/seed"), (std::vector<int64_t>{7, 8}));
  EXPECT_EQ(file.read<int64_t>(controls + "seeds/spread/time/matched", {2, 2}),
            (std::vector<int64_t>{1, 1, 3, 4}));
  EXPECT_EQ(file.read<int8_t>(controls + "first_step/latents/matched", {3, 2})[5], 1);
  EXPECT_EQ(file.read<double>("anchors/time/curves/time/loss")[1], 4.5);
  EXPECT_EQ(validate(path), std::vector<std::string>{});
}

TEST(EmergenceFile, TellsAllOfALatent) {
  const auto comm = parallel::Communicator::world();
  const store::Reader file(written(comm, result(), "emergence_latent.h5"), "emergence");
  const LatentCard card = read_latent_card(file, "space", 1);
  EXPECT_EQ(card.label.label, "label");
  EXPECT_EQ(card.label.status, interpret::Status::interpretable);
  EXPECT_EQ(card.judged, 2);
  EXPECT_EQ(card.teacher_auc, 1);
  ASSERT_EQ(card.subjects.size(), 2U);
  EXPECT_EQ(card.subjects[0].name, "biology");
  EXPECT_EQ(card.subjects[0].cosine, 0.25);
  ASSERT_EQ(card.texts.size(), 2U);
  EXPECT_EQ(card.texts[0].text, "text 1");
  EXPECT_EQ(card.texts[0].nearest.activation, 2.5);
  EXPECT_EQ(card.texts[1].nearest.side, interpret::Side::silent);
  EXPECT_EQ(card.texts[1].nearest.margin, -0.5);
  ASSERT_EQ(card.curves.size(), 1U);
  ASSERT_EQ(card.curves[0].fire_rate.size(), 6U);
  EXPECT_EQ(card.curves[0].fire_rate[1], 0.25);
  EXPECT_TRUE(std::isnan(card.curves[0].fire_rate[0]));
  const LatentCard last = read_latent_card(file, "space", 2);
  EXPECT_TRUE(last.has_texts && last.texts.empty() && last.subjects.size() == 2);
  EXPECT_TRUE(std::isnan(last.teacher_auc));
  for (const int64_t none : {int64_t{-1}, int64_t{3}})
    EXPECT_THROW(read_latent_card(file, "space", none), Error);
  EXPECT_THROW(read_latent_card(file, "nowhere", 0), Error);
}

TEST(EmergenceFile, OfBeforeTheNearestTextsIsValidAndSaysSo) {
  const auto comm = parallel::Communicator::world();
  Emergence older = result();
  for (auto& one : older.anchors) {
    one.labels.nearest.clear();
    one.curves.assign(1, Curve("time", one.curves[0].points(), 2, 10, {0.1, 0.2}));
  }
  const auto path = written(comm, older, "emergence_older.h5");
  EXPECT_EQ(validate(path), std::vector<std::string>{});
  const LatentCard card = read_latent_card(store::Reader(path, "emergence"), "time", 1);
  EXPECT_FALSE(card.has_texts);
  EXPECT_TRUE(card.curves.at(0).fire_rate.empty());
}

TEST(EmergenceFile, IsValidWithoutWhatIsOptional) {
  const auto comm = parallel::Communicator::world();
  Emergence little = result();
  little.audit.clear();
  little.anchors.resize(1, anchor("time"));
  little.anchors[0].token_baseline.reset();
  little.probes.split = false;
  const auto path = written(comm, little, "emergence_little.h5");
  EXPECT_EQ(validate(path), std::vector<std::string>{});
  EXPECT_EQ(store::Reader(path, "emergence").read<int8_t>("probes/part")[0], -1);
}

TEST(AlignFile, IsValid) {
  const auto comm = parallel::Communicator::world();
  const auto path = scratch("align_valid.h5");
  align::Alignment map;
  map.d_site = 3;
  map.d_reference = 2;
  map.rank = 1;
  map.left = {1, 2, 3};
  map.right = {4, 5};
  map.mean_site = {0, 0, 0};
  std::vector<std::pair<int64_t, align::Alignment>> mine;
  if (comm.root()) mine.emplace_back(1, map);
  {
    store::Writer writer(comm, path, header("align"));
    align::write_alignments(comm, writer, {{"a", 0, 1}, {"a", 16, 1}}, mine);
    writer.commit();
  }
  EXPECT_EQ(validate(path), std::vector<std::string>{});
}

bool mentions(const std::vector<std::string>& faults, const std::string& text) {
  return std::any_of(faults.begin(), faults.end(),
                     [&](const std::string& f) { return f.find(text) != std::string::npos; });
}

TEST(Validate, NamesEveryFault) {
  const auto comm = parallel::Communicator::world();
  const auto path = scratch("not_valid.h5");
  {
    store::Writer writer(comm, path, header("align"));
    const std::vector<double> two = {1, 2};
    const std::vector<int64_t> numbers = {0, 1, 2};
    writer.write("site", {3}, numbers, {"1", "site"}, {"site"});
    writer.write("step", {3}, numbers, {"1", "units are wrong"}, {"site"});
    writer.write("layer", {2}, two, {"1", "type and length are wrong"});
    writer.write("surplus", {2}, two, {"1", "unknown"});
    writer.write("cka", {3}, std::vector<double>{1, 2, 3}, {"1", "no scale"});
    writer.write("outside", {1, 2}, two, {"1", "one dimension too many"});
    writer.write("maps/0/left", {1, 1}, std::vector<float>{1}, {"1", "alone"}, {"d_site", "component"});
    writer.commit();
  }
  const auto faults = validate(path);
  EXPECT_TRUE(mentions(faults, "step: units is '1'; expected 'step'"));
  EXPECT_TRUE(mentions(faults, "layer: type is float64; expected int64"));
  EXPECT_TRUE(mentions(faults, "layer: dimension site has length 2"));
  EXPECT_TRUE(mentions(faults, "surplus: not in the schema"));
  EXPECT_TRUE(mentions(faults, "cka: dimension site is not attached"));
  EXPECT_TRUE(mentions(faults, "outside: shape [1, 2]"));
  EXPECT_TRUE(mentions(faults, "maps/0/right: missing"));
  EXPECT_TRUE(mentions(faults, "rank: missing"));
  EXPECT_TRUE(std::none_of(faults.begin(), faults.end(),
                           [](const std::string& f) { return f.rfind("site", 0) == 0; }));
  {
    store::Writer writer(comm, path, header("mystery"));
    writer.commit();
  }
  EXPECT_TRUE(mentions(validate(path), "no schema for files of the kind 'mystery'"));
}

TEST(Schema, DocsSayTheSame) {
  std::ifstream page(std::string(INCIPIT_SOURCE_DIR) + "/docs/schema.md");
  std::stringstream text;
  text << page.rdbuf();
  ASSERT_FALSE(text.str().empty());
  size_t tables = 0;
  for (const auto* schema : [] {
         std::vector<const Schema*> all = {&common_schema()};
         for (const Schema& s : schemas()) all.push_back(&s);
         return all;
       }()) {
    const std::string table = schema_tables(*schema);
    EXPECT_NE(text.str().find(table), std::string::npos)
        << "docs/schema.md should hold, for " << schema->kind << ":\n"
        << table;
    tables += static_cast<size_t>(std::count(table.begin(), table.end(), '\n'));
  }
  // Nothing beside: every row of the page is a row of a table.
  size_t rows = 0;
  std::string line;
  std::istringstream lines(text.str());
  while (std::getline(lines, line)) rows += line.rfind("|", 0) == 0 ? 1 : 0;
  size_t blank = 0;
  for (const Schema& s : schemas()) blank += s.attributes.empty() ? 0 : 1;
  EXPECT_EQ(rows + blank + 1, tables);
}

}  // namespace
}  // namespace incipit::emergence
