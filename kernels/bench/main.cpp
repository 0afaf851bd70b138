// What each operation of the CUDA device reaches of what the device could: kernels/README.md.
//
//   kernels_bench [--quick | --tiny] [--only=PART] [--part=operations|forward|sae|polar|upload]
//   [--out=FILE.csv]
//
// Exit: 0, or 76 where an operation does not agree with its naive version, 71 without a GPU.

#include <cstdio>
#include <ctime>
#include <exception>
#include <iostream>

#include "case.hpp"
#include "device/cuda.hpp"
#include "error.hpp"
#include "forward.hpp"
#include "polar.hpp"
#include "sae_step.hpp"
#include "upload.hpp"

namespace incipit::device::bench {
namespace {

#ifdef INCIPIT_SHIM
constexpr bool on_shim = true;
#else
constexpr bool on_shim = false;
#endif

struct Arguments {
  std::string size = "full";
  std::string only;  ///< operations or models whose name contains this
  std::string part;  ///< empty: all
  std::string out;
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  const auto value = [](const std::string& word, const std::string& key, std::string& to) {
    if (word.rfind(key + "=", 0) != 0) return false;
    to = word.substr(key.size() + 1);
    return true;
  };
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick" || word == "--tiny") {
      arguments.size = word.substr(2);
    } else if (!value(word, "--only", arguments.only) && !value(word, "--part", arguments.part) &&
               !value(word, "--out", arguments.out)) {
      throw Error(
          Exit::usage,
          "unknown argument '" + word +
              "'; known: --quick --tiny --only=NAME --part=operations|forward|sae|polar|upload --out=FILE");
    }
  }
  const std::string& part = arguments.part;
  if (!part.empty() && part != "operations" && part != "forward" && part != "sae" && part != "polar" &&
      part != "upload")
    throw Error(Exit::usage,
                "--part: expected operations, forward, sae, polar or upload, found '" + part + "'");
  return arguments;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", std::gmtime(&now));
  return text;
}

int run(int argc, char** argv) {
  // A pipe shows lines as they come, too.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const Arguments arguments = parse(argc, argv);
  const Settings settings = settings_of(arguments.size);
  if (cuda_devices() == 0) throw Error(Exit::machine, "no CUDA device here");
  CudaDevice device(0);
  std::vector<std::string> about = {today(), device.name(), device.libraries(),
                                    "kernels_bench, " + arguments.size};
  for (int i = 1; i < argc; ++i) about.back() += std::string(" ") + argv[i];
  if (on_shim) about.emplace_back("kernels carried out on the host: the times mean nothing");
  for (const std::string& text : about) std::printf("%s\n", text.c_str());

  Report report(measure_ceilings(device, settings), arguments.out, about);
  const auto wanted = [&](const char* part) { return arguments.part.empty() || arguments.part == part; };
  if (wanted("operations")) run_cases(device, settings, arguments.only, report);
  if (wanted("forward")) run_forward(device, settings, arguments.only, report);
  if (wanted("sae")) run_sae_steps(device, settings, report);
  if (wanted("polar")) run_polar(device, settings, report);
  if (wanted("upload")) run_upload(device, settings, report);
  std::printf("\n%d wrong\n", report.complaints());
  return static_cast<int>(report.complaints() == 0 ? Exit::done : Exit::numbers);
}

}  // namespace
}  // namespace incipit::device::bench

int main(int argc, char** argv) try {
  return incipit::device::bench::run(argc, argv);
} catch (const incipit::Error& error) {
  std::cerr << "kernels_bench: " << error.what() << "\n";
  return static_cast<int>(error.code());
} catch (const std::exception& error) {
  std::cerr << "kernels_bench: " << error.what() << "\n";
  return static_cast<int>(incipit::Exit::defect);
}
