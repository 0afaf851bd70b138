// Texts per second of a sentence encoder's forward pass, and its embeddings for comparison; see README.md.

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "device/host/host_device.hpp"
#include "error.hpp"
#include "model/text_encoder.hpp"

namespace options = boost::program_options;
using namespace incipit;

namespace {

struct Arguments {
  std::filesystem::path encoder, tokens, embed;
  std::int64_t pack_tokens = 0;
  int threads = 1;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  options::options_description known("encoder_bench [options]");
  known.add_options()("help", "this text")("encoder", options::value(&a.encoder)->required(),
                                           "folder with config.json and model.safetensors")(
      "tokens", options::value(&a.tokens)->required(), "a text a line: its token ids with special tokens")(
      "embed", options::value(&a.embed), "where the mean-pooled embeddings go, fp32, row after row")(
      "pack_tokens", options::value(&a.pack_tokens)->default_value(2048), "tokens of a pack")(
      "threads", options::value(&a.threads)->default_value(1), "of the forward pass");
  options::variables_map given;
  options::store(options::parse_command_line(argc, argv, known), given);
  if (given.count("help") != 0) {
    std::cout << known;
    std::exit(0);
  }
  options::notify(given);
  return a;
}

std::vector<std::vector<std::int32_t>> read_texts(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw Error(Exit::io, path.string() + ": cannot be read");
  std::vector<std::vector<std::int32_t>> texts;
  for (std::string line; std::getline(file, line);) {
    std::istringstream ids(line);
    texts.emplace_back(std::istream_iterator<std::int32_t>(ids), std::istream_iterator<std::int32_t>());
  }
  return texts;
}

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

}  // namespace

int main(int argc, char** argv) try {
  const Arguments a = parse(argc, argv);
  const auto texts = read_texts(a.tokens);
  double tokens = 0;
  for (const auto& text : texts) tokens += static_cast<double>(text.size());

  const auto device = device::make_host_device(a.threads);
  const checkpoint::Weights weights = checkpoint::Weights::open(a.encoder);
  model::TextEncoder encoder(*device, weights, model::read_encoder_config(a.encoder / "config.json"));
  const auto start = std::chrono::steady_clock::now();
  const double processor_start = processor_seconds();
  const std::vector<float> rows = encoder.embed(texts, model::Pooling::mean, a.pack_tokens);
  const double processor = processor_seconds() - processor_start;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const auto count = static_cast<double>(texts.size());
  std::printf("texts %.0f tokens %.0f seconds %.4f processor %.4f texts/s %.3f tokens/s %.1f\n", count,
              tokens, seconds, processor, count / seconds, tokens / seconds);
  if (!a.embed.empty()) {
    std::ofstream out(a.embed, std::ios::binary);
    out.write(reinterpret_cast<const char*>(rows.data()),
              static_cast<std::streamsize>(rows.size() * sizeof(float)));
    if (!out.flush()) throw Error(Exit::io, a.embed.string() + ": cannot be written");
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "encoder_bench: " << error.what() << "\n";
  return 70;
}
