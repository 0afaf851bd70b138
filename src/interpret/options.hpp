#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace incipit::interpret {

/// The deck's section [interpret]. From `server` on, the keys say how a teacher is reached, which changes no
/// answer.
struct InterpretOptions {
  std::string teacher = "lexical";        ///< who labels and verifies
  std::string model = {};                 ///< of teachers that read: which one
  std::filesystem::path model_path = {};  ///< the same as a path, which it is for neox: the model's folder
  std::string prompts = "bundled";        ///< folder of label.txt and judge.txt; `bundled`: the program's own
  double f1 = 0.9;                        ///< a latent counts as interpretable from this F1 on (0..1)
  int64_t min_support = 10;               ///< firing verify probes below which a latent is `unsupported`

  std::string server = "http://localhost:8000";  ///< of a chat-completions API, with or without /v1
  std::string key_env = {};                      ///< environment variable of the server's key; empty: no key
  bool key_over_http = false;  ///< whether the key may go to another machine without encryption
  int64_t concurrency = 16;    ///< requests under way at once, over all ranks
  int64_t rate = 0;            ///< most requests begun per minute, over all ranks; 0: no limit
  double timeout = 120;        ///< seconds that one answer may take
  int64_t retries = 6;         ///< how often a request is sent again that failed for a passing reason
};

}  // namespace incipit::interpret
