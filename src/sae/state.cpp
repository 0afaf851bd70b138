#include "sae/state.hpp"

#include <array>
#include <string>
#include <utility>

namespace incipit::sae {
namespace {

constexpr std::array<std::pair<const char*, Parameters<float> State::*>, 3> arrays_of_state{
    {{"parameters", &State::parameters}, {"first", &State::first}, {"second", &State::second}}};

constexpr std::array<std::pair<const char*, std::vector<double> History::*>, 5> series_of_history{
    {{"loss", &History::loss},
     {"fvu", &History::fvu},
     {"fvu_multi", &History::fvu_multi},
     {"auxk", &History::auxk},
     {"dead", &History::dead}}};

}  // namespace

void write_state(store::Writer& writer, const State& state) {
  const auto h = state.parameters.h, d = state.parameters.d;
  writer.attribute("", "steps", state.steps);
  writer.attribute("", "fvu_before", state.fvu_before);
  for (const auto& [name, part] : arrays_of_state) {
    const std::string group = std::string(name) + "/";
    const auto& values = state.*part;
    const store::About about{"1", "as the trained arrays"};
    writer.write(group + "encoder", {h, d}, values.encoder, about);
    writer.write(group + "encoder_bias", {h}, values.encoder_bias, about);
    writer.write(group + "decoder", {h, d}, values.decoder, about);
    writer.write(group + "pre_bias", {d}, values.pre_bias, about);
  }
  writer.write("idle", {h}, state.idle, {"1", "samples since the latent last fired"});
  const auto points = static_cast<std::int64_t>(state.history.step.size());
  writer.write("history/step", {points}, state.history.step, {"1", "optimizer steps done"});
  for (const auto& [name, series] : series_of_history)
    writer.write("history/" + std::string(name), {points}, state.history.*series,
                 {"1", "as in the SAE's file"});
  const Terms& sum = state.sums.of;
  writer.write("sums", {4}, std::vector<double>{sum.loss, sum.fvu, sum.fvu_multi, sum.auxk},
               {"1", "of loss, fvu, fvu_multi and auxk since the last point of the history"});
  writer.scalar("summed", state.sums.count, {"1", "steps in the sums"});
}

State read_state(const store::Reader& reader) {
  State state;
  state.steps = reader.attribute_integer("", "steps");
  state.fvu_before = reader.attribute_number("", "fvu_before");
  const auto shape = reader.shape("parameters/encoder");
  const std::int64_t h = shape.at(0), d = shape.at(1);
  for (const auto& [name, part] : arrays_of_state) {
    const std::string group = std::string(name) + "/";
    state.*part = {.h = h,
                   .d = d,
                   .encoder = reader.read<float>(group + "encoder", {h, d}),
                   .encoder_bias = reader.read<float>(group + "encoder_bias", {h}),
                   .decoder = reader.read<float>(group + "decoder", {h, d}),
                   .pre_bias = reader.read<float>(group + "pre_bias", {d})};
  }
  state.idle = reader.read<std::int64_t>("idle", {h});
  state.history.step = reader.read<std::int64_t>("history/step", {-1});
  const auto points = static_cast<std::int64_t>(state.history.step.size());
  for (const auto& [name, series] : series_of_history)
    state.history.*series = reader.read<double>("history/" + std::string(name), {points});
  const auto sums = reader.read<double>("sums", {4});
  state.sums = {{.fvu = sums[1], .fvu_multi = sums[2], .auxk = sums[3], .loss = sums[0]},
                reader.scalar<std::int64_t>("summed")};
  return state;
}

}  // namespace incipit::sae
