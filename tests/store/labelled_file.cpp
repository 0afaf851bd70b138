// Writes a small file with scales in nested groups for labelled_file.py to open: labelled_file PATH
#include <filesystem>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/environment.hpp"
#include "store/writer.hpp"

int main(int argc, char** argv) {
  namespace store = incipit::store;
  const incipit::parallel::Environment environment(argc, argv);
  if (argc != 2) return 64;
  const auto world = incipit::parallel::Communicator::world();
  store::Header header;
  header.kind = "emergence";
  header.deck = "[sae]\nlatents = 512\n";
  header.inputs = {{"a", "b"}};
  store::Writer writer(world, argv[1], header);
  const std::string group = "anchors/time/curves/time/";
  writer.write<std::int64_t>("layer", {2}, std::vector<std::int64_t>{0, 5}, {"1", "layer"}, {"layer"});
  writer.write<float>("residual", {2, 3, 2}, std::vector<float>(12, 1.5F), {"1", "residual stream"},
                      {"layer", "probe", "d"});
  writer.strings(group + "rung", {2}, {"raw", "aligned"}, {"1", "rung"}, {"rung"});
  writer.write<std::int64_t>(group + "point", {3}, std::vector<std::int64_t>{0, 1, 2}, {"1", "point"},
                             {"point"});
  writer.strings(group + "subject", {2}, {"biology", "Völkerkunde"}, {"1", "subject"}, {"subject"});
  writer.write<std::int64_t>(group + "step", {3}, std::vector<std::int64_t>{0, 64, 512},
                             {"step", "training step"}, {"point"});
  writer.write<double>(group + "auc", {2, 3, 2}, std::vector<double>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11},
                       {"1", "area under the curve"}, {"rung", "point", "subject"});
  writer.attribute("anchors/time", "model", std::string("nano-550k"));
  writer.attribute("anchors/time", "step", std::int64_t{4000});
  writer.commit();
  return writer.collective() ? 0 : 1;
}
