#include "command/checkup.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

namespace incipit::command {
namespace {

using Kind = Finding::Kind;

constexpr std::uint64_t gibi = 1 << 30;

/// A rank of two on a node of eight cores that has all it needs.
RankFacts good_rank(int rank) {
  RankFacts facts;
  std::strcpy(facts.host, "nid1");
  facts.rank = rank;
  facts.threads = facts.cores = 4;
  facts.cores_of_node = facts.threads_of_node = 8;
  facts.ranks_of_node = 2;
  facts.open_files = 4096;
  facts.locked = facts.core_size = 0;
  facts.stack = 8 << 20;
  facts.address_space = no_limit;
  facts.memory = 64 * gibi;
  facts.shared_memory = 32 * gibi;
  facts.clock = 1'000'000;
  return facts;
}

std::vector<Finding> of_ranks(const std::function<void(RankFacts&)>& spoil, bool cuda = false) {
  std::vector<RankFacts> ranks{good_rank(0), good_rank(1)};
  spoil(ranks[1]);
  return judge_ranks(ranks, cuda);
}

/// The finding on `what`; a failed test where there is none.
Finding find(const std::vector<Finding>& findings, const std::string& what) {
  const auto found = std::ranges::find(findings, what, &Finding::what);
  if (found != findings.end()) return *found;
  ADD_FAILURE() << "nothing on " << what;
  return {};
}

void expect_advice(const std::vector<Finding>& findings, const std::string& what, Kind kind,
                   const std::string& words) {
  const auto finding = find(findings, what);
  EXPECT_EQ(finding.kind, kind) << what << ": " << finding.found;
  EXPECT_NE((finding.found + finding.advice).find(words), std::string::npos)
      << finding.found << finding.advice;
  EXPECT_FALSE(finding.advice.empty()) << what;
}

TEST(Checkup, NothingIsWrongWithAGoodMachine) {
  for (const auto& finding : of_ranks([](RankFacts&) {})) {
    EXPECT_EQ(finding.kind, Kind::ok) << finding.what << ": " << finding.found;
    EXPECT_FALSE(finding.found.empty()) << finding.what;
  }
}

TEST(Checkup, SeesWhatIsWrongWithARank) {
  struct Case {
    const char* what;
    Kind kind;
    const char* words;
    std::function<void(RankFacts&)> spoil;
  };
  const std::vector<Case> cases{
      {"open files", Kind::failure, "64", [](RankFacts& r) { r.open_files = 64; }},
      {"open files", Kind::warning, "ulimit -n", [](RankFacts& r) { r.open_files = 512; }},
      {"stack", Kind::warning, "ulimit -s", [](RankFacts& r) { r.stack = 64 << 10; }},
      {"locked memory", Kind::warning, "ulimit -l", [](RankFacts& r) { r.infiniband = true; }},
      {"address space", Kind::warning, "ulimit -v", [](RankFacts& r) { r.address_space = 4 * gibi; }},
      {"memory", Kind::warning, "fewer ranks", [](RankFacts& r) { r.memory = gibi; }},
      {"/dev/shm", Kind::warning, "--shm-size", [](RankFacts& r) { r.shared_memory = 64 << 20; }},
      {"clocks", Kind::warning, "3.0 s", [](RankFacts& r) { r.clock += 3000; }},
      {"cores", Kind::warning, "wait for each other",
       [](RankFacts& r) {
         std::strcpy(r.host, "nid2");
         r.threads_of_node = 16;
       }},
      {"cores", Kind::warning, "idle",
       [](RankFacts& r) {
         std::strcpy(r.host, "nid2");
         r.threads_of_node = 2;
       }},
      {"binding", Kind::warning, "--cpu-bind", [](RankFacts& r) { r.shared_cores = 1; }},
      {"CUDA devices", Kind::warning, "rank 0 on nid1 sees none", [](RankFacts& r) { r.cuda_devices = 1; }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    expect_advice(of_ranks(c.spoil), c.what, c.kind, c.words);
  }
  expect_advice(of_ranks([](RankFacts&) {}, true), "CUDA devices", Kind::failure, "gpus-per-task");
  std::vector<RankFacts> many(16, good_rank(0));
  many.back().core_size = no_limit;
  expect_advice(judge_ranks(many, false), "core files", Kind::warning, "ulimit -c 0");
  std::vector<RankFacts> sharing(2, good_rank(0));
  for (auto& rank : sharing) {
    rank.cuda_devices = 2;
    rank.ranks_of_node = 8;
  }
  expect_advice(judge_ranks(sharing, false), "CUDA devices", Kind::warning, "8 ranks share 2");
}

Libraries libraries(const std::string& mpi, const std::string& io) {
  Libraries known;
  known.mpi = mpi;
  known.thread_level = "MPI_THREAD_FUNNELED";
  known.io = io;
  known.hdf5[0] = 1;
  known.hdf5[1] = 14;
  known.blas = "OpenBLAS";
  return known;
}

TEST(Checkup, NamesTheTrapsOfLibraries) {
  expect_advice(judge_libraries(libraries("Open MPI v4.1.4, package", "ROMIO")), "MPI-IO", Kind::warning,
                "chunked");
  EXPECT_EQ(find(judge_libraries(libraries("Open MPI v5.0.1", "ROMIO")), "MPI-IO").kind, Kind::ok);
  auto vulcan = libraries("Open MPI v4.0.3, package", "ompio");
  expect_advice(judge_libraries(vulcan), "collective writes", Kind::failure, "OMPI_MCA_fcoll=two_phase");
  vulcan.fcoll = "two_phase";
  for (const auto& finding : judge_libraries(vulcan)) EXPECT_EQ(finding.kind, Kind::ok) << finding.what;
  auto old = libraries("MPICH Version: 4.0.2", "ROMIO");
  EXPECT_EQ(find(judge_libraries(old), "HDF5").found, "1.14.0");
  old.hdf5[1] = 10;
  old.hdf5[2] = 8;
  EXPECT_NE(find(judge_libraries(old), "HDF5").found.find("collective metadata"), std::string::npos);
}

TEST(Checkup, KnowsWhoDoesMpiIo) {
  EXPECT_EQ(io_component("MPICH Version: 4.0.2", "", "ext4"), "ROMIO");
  EXPECT_EQ(io_component("Open MPI v4.1.4, x", "", "ext4"), "ompio");
  EXPECT_EQ(io_component("Open MPI v4.1.4, x", "", "Lustre"), "ROMIO");
  EXPECT_EQ(io_component("Open MPI v5.0.0, x", "", "Lustre"), "ompio");
  EXPECT_EQ(io_component("Open MPI v4.1.4, x", "romio321", "ext4"), "ROMIO");
  EXPECT_EQ(io_component("Open MPI v4.1.4, x", "^romio321", "Lustre"), "ompio");
  EXPECT_EQ(io_component("Open MPI v4.1.4, x", "ompio", "Lustre"), "ompio");
}

FileSystem file_system(const std::string& type, std::uint64_t free, std::int64_t stripes = 0) {
  FileSystem system;
  system.type = type;
  system.free = free;
  system.stripes = stripes;
  return system;
}

TEST(Checkup, JudgesFileSystems) {
  for (const auto& finding : judge_file_system(file_system("ext4", 100 * gibi), 1))
    EXPECT_EQ(finding.kind, Kind::ok) << finding.what;
  expect_advice(judge_file_system(file_system("ext4", 100 * gibi), 2), "file system", Kind::failure,
                "each node has its own");
  expect_advice(judge_file_system(file_system("tmpfs", 100 * gibi), 1), "file system", Kind::warning,
                "trials");
  expect_advice(judge_file_system(file_system("NFS", 100 * gibi), 4), "file system", Kind::warning,
                "scratch");
  expect_advice(judge_file_system(file_system("NFS", 100 * gibi), 4), "HDF5 file locking", Kind::warning,
                "=FALSE");
  auto lustre = file_system("Lustre", 100 * gibi, 1);
  expect_advice(judge_file_system(lustre, 4), "HDF5 file locking", Kind::warning, "on Lustre");
  expect_advice(judge_file_system(lustre, 4), "stripes", Kind::warning, "lfs setstripe");
  lustre.stripes = 8;
  lustre.locking = "FALSE";
  for (const auto& finding : judge_file_system(lustre, 4)) EXPECT_EQ(finding.kind, Kind::ok) << finding.what;
  expect_advice(judge_file_system(file_system("ext4", 1 << 20), 1), "free space", Kind::failure, "make room");
  expect_advice(judge_file_system(file_system("ext4", gibi / 2), 1), "free space", Kind::warning,
                "doctor DECK");
  for (const auto& finding : judge_file_system(file_system("ext4", 1 << 20), 1))
    EXPECT_TRUE(finding.kind != Kind::failure || finding.code == Exit::io) << finding.what;
}

TEST(Checkup, ComparesWhatResultsNeedWithWhatIsFree) {
  EXPECT_EQ(judge_room(10 * gibi, 9 * gibi, 0, 100 * gibi, true).kind, Kind::ok);
  EXPECT_NE(
      judge_room(10 * gibi, 9 * gibi, 0, 100 * gibi, true).found.find("run.keep_activations=no gives 9.7 GB"),
      std::string::npos);
  EXPECT_EQ(judge_room(10 * gibi, 9 * gibi, 0, 100 * gibi, false).found.find("keep_activations"),
            std::string::npos);
  expect_advice({judge_room(10 * gibi, 9 * gibi, 0, 9 * gibi, true)}, "room", Kind::failure, "float16");
  // What is there already does not come again.
  EXPECT_EQ(judge_room(10 * gibi, 9 * gibi, 5 * gibi, 9 * gibi, true).kind, Kind::ok);
  expect_advice({judge_room(95 * gibi, 9 * gibi, 0, 100 * gibi, true)}, "room", Kind::warning, "tight");
}

TEST(Checkup, TellsHintsThatAreNotTaken) {
  const auto findings =
      judge_hints({"cb_nodes=4", "cb_buffer_size=1", "nonsense=1", "romio_ds_write=disable"},
                  {"4", "4096", "", "disable"}, "ompio");
  ASSERT_EQ(findings.size(), 4U);
  EXPECT_EQ(findings[0].kind, Kind::ok);
  expect_advice({findings[1]}, "hint", Kind::warning, "makes it 4096");
  expect_advice({findings[2]}, "hint", Kind::warning, "not known");
  expect_advice({findings[3]}, "hint", Kind::warning, "ROMIO's");
  EXPECT_EQ(judge_hints({"romio_ds_write=disable"}, {"disable"}, "ROMIO")[0].kind, Kind::ok);
}

}  // namespace
}  // namespace incipit::command
