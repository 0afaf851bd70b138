// Fails on the last rank alone. The tests mpi_main_* see to it that the MPI main of our tests reports that,
// and a run without tests, as failures.
#include <gtest/gtest.h>

#include "parallel/communicator.hpp"

TEST(MpiMain, FailsOnTheLastRank) {
  const auto world = incipit::parallel::Communicator::world();
  EXPECT_NE(world.rank(), world.size() - 1) << "planted failure";
}
