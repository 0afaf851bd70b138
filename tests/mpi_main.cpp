// The GoogleTest main of tests that mpirun starts on several ranks. Rank 0 prints as usual; what fails on
// other ranks is printed at the end, by rank. A failure on any rank, or a run without tests, fails on all.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <sstream>
#include <string>

#include "parallel/communicator.hpp"
#include "parallel/environment.hpp"

namespace {

/// Collects this rank's failures as text.
class Failures : public testing::EmptyTestEventListener {
 public:
  // Remembered here: during OnTestPartResult GoogleTest holds the lock that asking it for the test would
  // need.
  void OnTestStart(const testing::TestInfo& test) override {
    test_ = std::string(test.test_suite_name()) + "." + test.name() + ": ";
  }
  void OnTestEnd(const testing::TestInfo& /*test*/) override { test_.clear(); }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    text_ << test_ << (result.file_name() == nullptr ? "?" : result.file_name()) << ":"
          << result.line_number() << "\n"
          << result.message() << "\n";
  }
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::string test_;
  std::ostringstream text_;
};

void print_other_ranks(const incipit::parallel::Communicator& world,
                       const std::vector<std::string>& failures) {
  for (std::size_t rank = 1; world.root() && rank < failures.size(); ++rank) {
    if (!failures[rank].empty()) std::printf("on rank %zu:\n%s", rank, failures[rank].c_str());
  }
}

int run(int& argc, char** argv) {
  const incipit::parallel::Environment environment(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  const auto world = incipit::parallel::Communicator::world();
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!world.root()) delete listeners.Release(listeners.default_result_printer());
  auto* failures = new Failures;  // the listeners own it
  listeners.Append(failures);

  const int mine = RUN_ALL_TESTS();
  const bool listing = testing::GTEST_FLAG(list_tests);
  const bool none_run = testing::UnitTest::GetInstance()->test_to_run_count() == 0 && !listing;
  if (none_run && world.root()) std::printf("no test was run\n");
  print_other_ranks(world, world.all_gather(failures->text()));
  return world.any(mine != 0 || none_run) ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  return run(argc, argv);
}
