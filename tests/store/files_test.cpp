#include "store/files.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "fixture.hpp"
#include "store/hash.hpp"
#include "store/heartbeat.hpp"
#include "store/lock.hpp"
#include "store/process.hpp"

namespace incipit::store {
namespace {

namespace fs = std::filesystem;

class FilesTest : public FolderTest {};

TEST_F(FilesTest, Sha256GivesTheStandardsAnswers) {
  // FIPS 180-2, appendix B.
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const std::string million(1000000, 'a');
  EXPECT_EQ(sha256(million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_F(FilesTest, Sha256OfAFileIsThatOfItsBytes) {
  // Longer than the pieces it is read in.
  std::string text;
  while (text.size() < (std::size_t{9} << 20)) text += std::to_string(text.size());
  write_text_atomic(folder_ / "big", text);
  EXPECT_EQ(sha256_file(folder_ / "big"), sha256(text));
  Sha256 hash;
  hash.update(std::string_view(text).substr(0, 100));
  EXPECT_EQ(hash.hex(), sha256(text.substr(0, 100)));
  hash.update(std::string_view(text).substr(100));
  EXPECT_EQ(hash.hex(), sha256(text));
  expect_error(Exit::io, {"absent", "No such file"},
               [&] { static_cast<void>(sha256_file(folder_ / "absent")); });
  expect_error(Exit::io, {folder_.string()}, [&] { static_cast<void>(sha256_file(folder_)); });
}

TEST_F(FilesTest, TextsAreReplacedWholeAndLeaveNoLitter) {
  const auto path = folder_ / "deck.ini";
  write_text_atomic(path, "first");
  write_text_atomic(path, "");
  EXPECT_EQ(read_text(path), "");
  write_text_atomic(path, std::string("a\0b", 3));
  EXPECT_EQ(read_text(path), std::string("a\0b", 3));
  EXPECT_EQ(files_in_folder(), 1U);
  expect_error(Exit::io, {"nowhere"}, [&] { write_text_atomic(folder_ / "nowhere" / "x", "text"); });
  // A folder is in the way: the rename fails, and the temporary goes.
  fs::create_directory(folder_ / "taken");
  fs::create_directory(folder_ / "taken" / "inside");
  expect_error(Exit::io, {"taken"}, [&] { write_text_atomic(folder_ / "taken", "text"); });
  EXPECT_EQ(files_in_folder(), 2U);
}

TEST_F(FilesTest, EnsureFolderMakesOrExplains) {
  ensure_folder(folder_ / "a" / "b");
  EXPECT_TRUE(fs::is_directory(folder_ / "a" / "b"));
  EXPECT_TRUE(fs::is_empty(folder_ / "a" / "b"));
  write_text_atomic(folder_ / "file", "x");
  expect_error(Exit::io, {(folder_ / "file").string()}, [&] { ensure_folder(folder_ / "file"); });
  // Root may write anywhere but here.
  expect_error(Exit::io, {"/proc/incipit"}, [&] { ensure_folder("/proc/incipit"); });
  expect_error(Exit::io, {"/proc"}, [&] { ensure_folder("/proc"); });
}

/// The id of a process that has just ended.
pid_t gone_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  return child;
}

TEST_F(FilesTest, RemovesWhatKilledProcessesLeft) {
  const auto path = folder_ / "x.h5";
  const std::string ours = ".x.h5.tmp-" + host_name() + "-";
  const auto gone = folder_ / (ours + std::to_string(gone_process()) + "-0");
  const auto alive = folder_ / (ours + std::to_string(getpid()) + "-0");
  const auto elsewhere = folder_ / ".x.h5.tmp-another-host-1-0";
  const auto other_file =
      folder_ / (".y.h5.tmp-" + host_name() + "-" + std::to_string(gone_process()) + "-0");
  for (const auto& file : {gone, alive, elsewhere, other_file}) write_text_atomic(file, "x");
  remove_abandoned(path);
  EXPECT_FALSE(fs::exists(gone));
  EXPECT_TRUE(fs::exists(alive));
  EXPECT_TRUE(fs::exists(elsewhere));
  EXPECT_TRUE(fs::exists(other_file));
}

TEST_F(FilesTest, ALockKeepsOthersOut) {
  const auto path = folder_ / "x.h5";
  EXPECT_FALSE(FileLock::holder(path).has_value());
  {
    FileLock lock(path, "extract nano step 0");
    const auto holder = FileLock::holder(path);
    ASSERT_TRUE(holder.has_value());
    EXPECT_EQ(holder->host, host_name());
    EXPECT_EQ(holder->pid, getpid());
    EXPECT_EQ(holder->what, "extract nano step 0");
    EXPECT_FALSE(FileLock::try_lock(path, "again").has_value());
    expect_error(Exit::again, {"x.h5", host_name(), "extract nano step 0", "remove"},
                 [&] { const FileLock second(path, "b"); });
    const FileLock moved = std::move(lock);
    EXPECT_TRUE(FileLock::holder(path).has_value());
  }
  EXPECT_FALSE(FileLock::holder(path).has_value());
  EXPECT_EQ(files_in_folder(), 0U);
}

std::string lock_text(const std::string& host, pid_t pid, const std::string& started) {
  return "host " + host + "\npid " + std::to_string(pid) + "\nstarted " + started +
         "\njob \nsince now\nwhat x\n";
}

void untouched_for(const fs::path& path, std::chrono::seconds time) {
  fs::last_write_time(path, fs::file_time_type::clock::now() - time);
}

TEST_F(FilesTest, StaleLocksAreTakenOver) {
  const auto path = folder_ / "x.h5", lock_path = folder_ / "x.h5.lock";
  const auto is_free = [&](const std::string& text) {
    write_text_atomic(lock_path, text);
    const bool said = !FileLock::holder(path).has_value();
    const bool taken = FileLock::try_lock(path, "me").has_value();
    EXPECT_EQ(said, taken);
    fs::remove(lock_path);
    return taken;
  };
  EXPECT_TRUE(is_free(lock_text(host_name(), gone_process(), "")));
  EXPECT_TRUE(is_free(lock_text(host_name(), getpid(), "12")));  // the same pid, another process
  EXPECT_FALSE(is_free(lock_text(host_name(), getpid(), process_started(getpid()))));
  EXPECT_FALSE(is_free(lock_text("another-host", 1, "")));
  write_text_atomic(lock_path, lock_text("another-host", 1, ""));
  untouched_for(lock_path, lock_patience - std::chrono::seconds(30));
  EXPECT_FALSE(FileLock::try_lock(path, "me").has_value());
  untouched_for(lock_path, lock_patience + std::chrono::seconds(30));
  EXPECT_TRUE(FileLock::try_lock(path, "me").has_value());
}

TEST_F(FilesTest, ARequeuedJobDoesNotWaitForItself) {
  const auto path = folder_ / "x.h5";
  const auto is_free = [&](const char* restarts) {
    write_text_atomic(folder_ / "x.h5.lock",
                      "host another-host\npid 1\njob 77\nrestart 1\nsince now\nwhat x\n");
    setenv("SLURM_RESTART_COUNT", restarts, 1);
    return FileLock::try_lock(path, "me").has_value();
  };
  setenv("SLURM_JOB_ID", "77", 1);
  EXPECT_TRUE(is_free("2"));
  EXPECT_FALSE(is_free("1"));
  setenv("SLURM_JOB_ID", "78", 1);
  EXPECT_FALSE(is_free("2"));
  unsetenv("SLURM_JOB_ID");
  unsetenv("SLURM_RESTART_COUNT");
}

TEST_F(FilesTest, AHeldLockIsTouched) {
  set_heartbeat(std::chrono::milliseconds(20));
  const auto path = folder_ / "x.h5", lock_path = folder_ / "x.h5.lock";
  const auto touched = [&] {
    untouched_for(lock_path, std::chrono::hours(1));
    for (int i = 0; i < 100 && age_of(lock_path).value_or(0) > 60; ++i) usleep(20000);
    return age_of(lock_path).value_or(1e9) < 60;
  };
  std::optional<FileLock> lock = FileLock::try_lock(path, "x"),
                          other = FileLock::try_lock(folder_ / "y", "y");
  EXPECT_TRUE(touched());
  other.reset();
  EXPECT_TRUE(touched());
  lock.reset();
  write_text_atomic(lock_path, "x");  // another's
  untouched_for(lock_path, std::chrono::hours(1));
  usleep(100000);
  EXPECT_GT(age_of(lock_path).value_or(0), 3000);
  lock = FileLock::try_lock(folder_ / "z", "z");  // the thread comes back with the next lock
  EXPECT_EQ(age_of(folder_ / "not there"), std::nullopt);
  set_heartbeat(heartbeat);
}

TEST_F(FilesTest, AFolderIsTidiedUp) {
  const auto name = [&](const std::string& host, pid_t pid) {
    return "." + std::string("x.h5.tmp-") + host + "-" + std::to_string(pid) + "-0";
  };
  fs::create_directories(folder_ / "a" / "b");
  const auto gone = folder_ / "a" / "b" / name(host_name(), gone_process()),
             alive = folder_ / "a" / name(host_name(), getpid()), elsewhere = folder_ / name("far", 1),
             long_ago = folder_ / "a" / name("far", 2), stale = folder_ / "a" / "y.h5.lock",
             held = folder_ / "z.h5.lock", result = folder_ / "a" / "b" / "x.h5";
  for (const auto& file : {gone, alive, elsewhere, long_ago, result}) write_text_atomic(file, "x");
  write_text_atomic(stale, lock_text(host_name(), gone_process(), ""));
  const FileLock lock(folder_ / "z.h5", "z");
  untouched_for(long_ago, std::chrono::hours(25));
  remove_abandoned_below(folder_);
  for (const auto& file : {gone, long_ago, stale}) EXPECT_FALSE(fs::exists(file)) << file;
  for (const auto& file : {alive, elsewhere, held, result}) EXPECT_TRUE(fs::exists(file)) << file;
}

TEST_F(FilesTest, OneOfManyTakesAStaleLock) {
  // Processes race for one stale lock; those that get it hold it until all have tried.
  const auto path = folder_ / "x.h5";
  write_text_atomic(folder_ / "x.h5.lock", lock_text(host_name(), gone_process(), ""));
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const bool held = [&] {
        const auto lock = FileLock::try_lock(path, "race");
        usleep(300000);
        return lock.has_value();
      }();
      _exit(held ? 1 : 0);
    }
    children.push_back(child);
  }
  int holders = 0;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    holders += WIFEXITED(status) ? WEXITSTATUS(status) : 100;
  }
  EXPECT_EQ(holders, 1);
}

}  // namespace
}  // namespace incipit::store
