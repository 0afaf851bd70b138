// Writes a GPT-NeoX checkpoint of any shape with random weights, without holding it in memory.

#include <boost/program_options.hpp>
#include <iostream>

#include "../model/random_checkpoint.hpp"

namespace options = boost::program_options;
using namespace incipit;

namespace {

checkpoint::Dtype dtype_of(const std::string& name) {
  if (name == "f16") return checkpoint::Dtype::f16;
  if (name == "bf16") return checkpoint::Dtype::bf16;
  if (name == "f32") return checkpoint::Dtype::f32;
  throw std::invalid_argument("--dtype is f16, bf16 or f32, not " + name);
}

}  // namespace

int main(int argc, char** argv) try {
  model::RandomCheckpoint what;
  checkpoint::Config& config = what.config;
  std::string folder;
  std::string dtype;
  options::options_description known("make_random_checkpoint FOLDER [options]; FOLDER is FAMILY/MODEL/stepN");
  const auto size = [](std::int64_t& target, std::int64_t value) {
    return options::value(&target)->default_value(value);
  };
  known.add_options()("help", "this text")("folder", options::value(&folder)->required(), "where to")(
      "d", size(config.d, 768), "width")("layers", size(config.layers, 12), "blocks")(
      "heads", size(config.heads, 12), "attention heads")(
      "mlp", size(config.mlp, 0), "width of the MLP, 0: 4 d")("vocab", size(config.vocab, 50304),
                                                              "rows of the embedding")(
      "context", size(config.context, 2048), "tokens")("dtype", options::value(&dtype)->default_value("f16"),
                                                       "f16, bf16 or f32")(
      "rotary", options::value(&config.rotary_fraction)->default_value(0.25), "share of a head that turns")(
      "sequential", options::bool_switch(), "attention and MLP one after the other, not in parallel")(
      "shards", options::value(&what.shards)->default_value(1), "safetensors files")(
      "seed", options::value(&what.seed)->default_value(1), "of the weights");
  options::positional_options_description positional;
  positional.add("folder", 1);
  options::variables_map given;
  options::store(options::command_line_parser(argc, argv).options(known).positional(positional).run(), given);
  if (given.count("help") != 0) {
    std::cout << known;
    return 0;
  }
  options::notify(given);
  if (config.mlp == 0) config.mlp = 4 * config.d;
  config.parallel_residual = !given["sequential"].as<bool>();
  what.dtype = dtype_of(dtype);
  model::write_random_checkpoint(folder, what);
  std::cout << folder << ": " << static_cast<double>(config.params()) / 1e6 << " M parameters\n";
  return 0;
} catch (const std::exception& error) {
  std::cerr << "make_random_checkpoint: " << error.what() << "\n";
  return 64;
}
