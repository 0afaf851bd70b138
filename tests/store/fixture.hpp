#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "../support.hpp"
#include "parallel/communicator.hpp"
#include "store/schema.hpp"

namespace incipit::store {

/// A folder that all ranks of the world share, gone at the end of the test.
class FolderTest : public testing::Test {
 protected:
  FolderTest() {
    std::string name = (std::filesystem::temp_directory_path() / "incipit-store-XXXXXX").string();
    if (world_.root() && mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    folder_ = world_.broadcast(name);
  }
  ~FolderTest() override {
    world_.barrier();
    std::error_code ignored;
    if (world_.root()) std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] std::size_t files_in_folder() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  parallel::Communicator world_ = parallel::Communicator::world();
  std::filesystem::path folder_;
};

inline Header example_header() {
  Header header;
  header.kind = "activations";
  header.fingerprint = "f00d";
  header.precision = "fp32";
  header.device = "host";
  header.cpu = "a cpu";
  header.split = "2:1:1";
  header.seed = 0xFFFFFFFFFFFFFFFFULL;
  header.libraries = "HDF5, a BLAS";
  header.deck = "[sae]\nlatents = 512\n";
  header.inputs = {{"nano/model.safetensors", "abc"}, {"probes.jsonl", "def"}};
  header.operational = "run.threads = 2\n";
  return header;
}

using test::expect_error;

}  // namespace incipit::store
