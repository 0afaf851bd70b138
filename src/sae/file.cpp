#include "sae/file.hpp"

#include <string>

namespace incipit::sae {
namespace {

void write_history(store::Writer& writer, const std::string& folder, const History& history) {
  const auto points = static_cast<std::int64_t>(history.step.size());
  writer.write(folder + "step", {points}, history.step, {"1", "optimizer steps done"}, {"step"});
  const auto write = [&](const char* name, const std::vector<double>& values, const char* long_name) {
    writer.write(folder + name, {points}, values, {"1", long_name}, {"step"});
  };
  write("loss", history.loss, "loss, mean since the point before");
  write("fvu", history.fvu, "fraction of variance unexplained with k latents, mean since the point before");
  write("fvu_multi", history.fvu_multi,
        "fraction of variance unexplained with min(4k, h) latents, mean since the point before");
  write("auxk", history.auxk,
        "share of the residual that dead latents leave, mean since the point before; 0 where none is dead");
  write("dead", history.dead, "share of dead latents");
}

/// `folder`: "" or "seeds/S".
void write_sae(store::Writer& writer, const std::string& folder, const Sae& sae) {
  const std::string prefix = folder.empty() ? "" : folder + "/";
  writer.write(prefix + "encoder", {sae.h, sae.d}, sae.encoder, {"1", "encoder rows"}, {"latent", "d"});
  writer.write(prefix + "encoder_bias", {sae.h}, sae.encoder_bias, {"1", "encoder bias"}, {"latent"});
  writer.write(prefix + "decoder", {sae.h, sae.d}, sae.decoder, {"1", "decoder rows, of unit norm"},
               {"latent", "d"});
  writer.write(prefix + "pre_bias", {sae.d}, sae.pre_bias, {"1", "taken from the input, added to the output"},
               {"d"});
  writer.write(prefix + "mean", {sae.d}, sae.mean, {"1", "mean residual of the fit part"}, {"d"});
  writer.scalar(prefix + "scale", sae.scale,
                {"1", "root mean square deviation from the mean, per dimension"});
  write_history(writer, prefix + "history/", sae.history);
  writer.attribute(folder, "k", sae.k);
  writer.attribute(folder, "sae_seed", static_cast<std::int64_t>(sae.seed));
  writer.attribute(folder, "verify_fvu", sae.verify_fvu);
  writer.attribute(folder, "unconverged", std::int64_t{sae.unconverged ? 1 : 0});
}

History read_history(const store::Reader& reader, const std::string& folder) {
  History history;
  history.step = reader.read<std::int64_t>(folder + "step");
  const auto points = static_cast<std::int64_t>(history.step.size());
  const auto read = [&](const char* name) { return reader.read<double>(folder + name, {points}); };
  history.loss = read("loss");
  history.fvu = read("fvu");
  history.fvu_multi = read("fvu_multi");
  history.auxk = read("auxk");
  history.dead = read("dead");
  return history;
}

Sae read_sae(const store::Reader& reader, const std::string& folder) {
  const std::string prefix = folder.empty() ? "" : folder + "/";
  Sae sae;
  sae.pre_bias = reader.read<float>(prefix + "pre_bias", {-1});
  sae.encoder_bias = reader.read<float>(prefix + "encoder_bias", {-1});
  sae.d = static_cast<std::int64_t>(sae.pre_bias.size());
  sae.h = static_cast<std::int64_t>(sae.encoder_bias.size());
  sae.encoder = reader.read<float>(prefix + "encoder", {sae.h, sae.d});
  sae.decoder = reader.read<float>(prefix + "decoder", {sae.h, sae.d});
  sae.mean = reader.read<float>(prefix + "mean", {sae.d});
  sae.scale = reader.scalar<float>(prefix + "scale");
  sae.history = read_history(reader, prefix + "history/");
  sae.k = reader.attribute_integer(folder, "k");
  sae.seed = static_cast<std::uint64_t>(reader.attribute_integer(folder, "sae_seed"));
  sae.verify_fvu = reader.attribute_number(folder, "verify_fvu");
  sae.unconverged = reader.attribute_integer(folder, "unconverged") != 0;
  return sae;
}

}  // namespace

void write_saes(store::Writer& writer, const std::vector<Sae>& seeds) {
  for (std::size_t i = 0; i < seeds.size(); ++i)
    write_sae(writer, i == 0 ? "" : "seeds/" + std::to_string(seeds[i].seed), seeds[i]);
}

std::vector<Sae> read_saes(const store::Reader& reader) {
  std::vector<Sae> seeds{read_sae(reader, "")};
  if (reader.has("seeds"))
    for (const std::string& seed : reader.children("seeds"))
      seeds.push_back(read_sae(reader, "seeds/" + seed));
  return seeds;
}

}  // namespace incipit::sae
