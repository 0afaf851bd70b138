#include "corpus/probes.hpp"
#include "fuzz.hpp"

/// JSON Lines of probes, and of MMLU-Pro's questions.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const incipit::fuzz::MemoryFile file(incipit::fuzz::text_of(data, size));
  for (const char* format : {"jsonl", "mmlu-pro"}) {
    incipit::fuzz::expect_answer_or_blame([&] {
      const auto probes = incipit::corpus::load_probes(
          {.path = file.path(), .format = format, .template_ = "{question}\\n{options}{answer}"}, 1);
      if (probes.part.size() != probes.all.size()) std::abort();
    });
  }
  return 0;
}
