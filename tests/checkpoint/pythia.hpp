#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

/// The ten Pythias by their shapes, and a Hugging Face cache as it would hold them, without weights.
namespace incipit::checkpoint {

struct Pythia {
  const char* name;
  int64_t layers, d, heads, vocab;
};

inline constexpr std::array pythias{
    Pythia{"pythia-14m", 6, 128, 4, 50304},     Pythia{"pythia-31m", 6, 256, 8, 50304},
    Pythia{"pythia-70m", 6, 512, 8, 50304},     Pythia{"pythia-160m", 12, 768, 12, 50304},
    Pythia{"pythia-410m", 24, 1024, 16, 50304}, Pythia{"pythia-1b", 16, 2048, 8, 50304},
    Pythia{"pythia-1.4b", 24, 2048, 16, 50304}, Pythia{"pythia-2.8b", 32, 2560, 32, 50304},
    Pythia{"pythia-6.9b", 32, 4096, 32, 50432}, Pythia{"pythia-12b", 36, 5120, 40, 50688}};

inline std::string config_text(const Pythia& pythia) {
  const auto number = [](int64_t value) { return std::to_string(value); };
  return R"({"architectures": ["GPTNeoXForCausalLM"], "model_type": "gpt_neox", "hidden_act": "gelu", )"
         R"("use_parallel_residual": true, "rotary_pct": 0.25, "rotary_emb_base": 10000, )"
         R"("max_position_embeddings": 2048, "torch_dtype": "float16", "layer_norm_eps": 1e-05, "vocab_size": )" +
         number(pythia.vocab) + R"(, "hidden_size": )" + number(pythia.d) + R"(, "intermediate_size": )" +
         number(4 * pythia.d) + R"(, "num_hidden_layers": )" + number(pythia.layers) +
         R"(, "num_attention_heads": )" + number(pythia.heads) + "}";
}

/// CACHE/models--EleutherAI--MODEL/{refs/stepN, snapshots/HASH}; returns the snapshot's folder, which holds
/// the config and links to `weights` in blobs/.
inline std::filesystem::path add_to_cache(const std::filesystem::path& cache, const Pythia& pythia,
                                          int64_t step, const std::string& weights = "pytorch_model.bin") {
  namespace fs = std::filesystem;
  const fs::path model = cache / (std::string("models--EleutherAI--") + pythia.name);
  const std::string hash = "5ca1ab1e" + std::to_string(step);
  const fs::path snapshot = model / "snapshots" / hash;
  for (const fs::path& folder : {model / "refs", model / "blobs", snapshot}) fs::create_directories(folder);
  std::ofstream(model / "refs" / ("step" + std::to_string(step))) << hash;
  std::ofstream(snapshot / "config.json") << config_text(pythia);
  const fs::path blob = model / "blobs" / (hash + weights);
  std::ofstream(blob) << "";
  fs::create_symlink(blob, snapshot / weights);
  return snapshot;
}

}  // namespace incipit::checkpoint
