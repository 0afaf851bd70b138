// Judgements and written tokens per second of a GPT-NeoX teacher's forward pass; see README.md.

#include <boost/program_options.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>

#include "device/host/host_device.hpp"
#include "error.hpp"
#include "model/generator.hpp"

namespace options = boost::program_options;
using namespace incipit;

namespace {

struct Arguments {
  std::filesystem::path checkpoint, tokens, answers;
  std::int64_t write = 0;
  int threads = 1;
  double memory = 0;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  options::options_description known("generator_bench [options]");
  known.add_options()("help", "this text")("checkpoint", options::value(&a.checkpoint)->required(),
                                           "folder with config.json and weights")(
      "tokens", options::value(&a.tokens)->required(), "a prompt a line: its token ids")(
      "write", options::value(&a.write)->default_value(0), "tokens to write of each; 0: choose between two")(
      "answers", options::value(&a.answers), "where they go, a prompt a line")(
      "threads", options::value(&a.threads)->default_value(1), "of the forward pass")(
      "memory", options::value(&a.memory)->default_value(1e12),
      "bytes; below 3/2 of the weights' they are streamed");
  options::variables_map given;
  options::store(options::parse_command_line(argc, argv, known), given);
  if (given.count("help") != 0) {
    std::cout << known;
    std::exit(0);
  }
  options::notify(given);
  return a;
}

std::vector<model::Generator::Tokens> read_prompts(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) throw Error(Exit::io, path.string() + ": cannot be read");
  std::vector<model::Generator::Tokens> prompts;
  for (std::string line; std::getline(file, line);) {
    std::istringstream ids(line);
    prompts.emplace_back(std::istream_iterator<std::int32_t>(ids), std::istream_iterator<std::int32_t>());
  }
  return prompts;
}

double processor_seconds() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class Number>
std::string line_of(const std::vector<Number>& numbers) {
  std::ostringstream line;
  line.precision(9);
  for (const Number number : numbers) line << number << ' ';
  return line.str();
}

}  // namespace

int main(int argc, char** argv) try {
  const Arguments a = parse(argc, argv);
  const auto prompts = read_prompts(a.tokens);
  const auto device = device::make_host_device(a.threads);
  const checkpoint::Weights weights = checkpoint::Weights::open(a.checkpoint);
  const checkpoint::Config config = checkpoint::read_config(a.checkpoint / "config.json");
  const auto generator = model::make_generator(
      *device, weights, config,
      {device::NumberType::f32, static_cast<std::size_t>(a.memory), "take another checkpoint"});

  std::vector<std::string> answers(prompts.size());
  const auto start = std::chrono::steady_clock::now();
  const double processor_start = processor_seconds();
  if (a.write == 0) {
    const std::vector<std::int32_t> chosen = {2, 3};
    generator->score(prompts, chosen,
                     [&](std::size_t i, const std::vector<float>& logits) { answers[i] = line_of(logits); });
  } else {
    generator->write(
        prompts, a.write, [](std::span<const std::int32_t>) { return false; },
        [&](std::size_t i, const model::Generator::Tokens& written) { answers[i] = line_of(written); });
  }
  const double processor = processor_seconds() - processor_start;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::printf("prompts %zu seconds %.4f processor %.4f\n", prompts.size(), seconds, processor);
  if (!a.answers.empty()) {
    std::ofstream out(a.answers);
    for (const std::string& answer : answers) out << answer << '\n';
    if (!out.flush()) throw Error(Exit::io, a.answers.string() + ": cannot be written");
  }
  return 0;
} catch (const std::exception& error) {
  std::cerr << "generator_bench: " << error.what() << "\n";
  return 70;
}
