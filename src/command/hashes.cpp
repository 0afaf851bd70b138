#include "command/hashes.hpp"

#include <fmt/format.h>

#include <exception>
#include <fstream>
#include <set>
#include <sstream>

#include "error.hpp"
#include "parallel/agree.hpp"
#include "parallel/work.hpp"
#include "store/files.hpp"
#include "store/hash.hpp"

namespace incipit::command {
namespace {

namespace fs = std::filesystem;

/// Lines `SHA256 SIZE MTIME PATH`; a damaged cache only costs time, so it is read forgivingly.
std::map<std::string, std::pair<std::string, std::string>> read_cache(const fs::path& cache) {
  std::map<std::string, std::pair<std::string, std::string>> known;
  std::ifstream in(cache);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string sha, size, time, path;
    if (words >> sha >> size >> time && std::getline(words >> std::ws, path) && sha.size() == 64)
      known[path] = {fmt::format("{} {}", size, time), sha};
  }
  return known;
}

}  // namespace

std::string file_stamp(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) throw Error(Exit::io, fmt::format("{}: cannot be read: {}", path.string(), error.message()));
  const auto time = fs::last_write_time(path).time_since_epoch().count();
  return fmt::format("{} {}", size, time);
}

std::map<std::string, std::string> hash_files(const parallel::Communicator& world,
                                              const std::vector<fs::path>& paths, const fs::path& cache,
                                              const std::map<std::string, std::string>& known,
                                              const std::function<void()>& between) {
  const std::set<std::string> wanted = [&] {
    std::set<std::string> names;
    for (const auto& path : paths) names.insert(path.string());
    return names;
  }();
  // Rank 0 alone looks at the cache and at time stamps, so that all ranks see one truth.
  std::map<std::string, std::string> stamps, hashes;
  std::string todo_text;
  auto cached = world.root() ? read_cache(cache) : decltype(read_cache(cache)){};
  std::string trouble;
  if (world.root()) {
    try {
      for (const auto& path : wanted) {
        stamps[path] = file_stamp(path);
        const auto entry = cached.find(path);
        if (const auto just_read = known.find(path); just_read != known.end()) {
          hashes[path] = just_read->second;
        } else if (entry != cached.end() && entry->second.first == stamps[path]) {
          hashes[path] = entry->second.second;
        } else {
          todo_text += path + "\n";
        }
      }
    } catch (const Error& error) {
      trouble = error.what();
    }
  }
  trouble = world.broadcast(trouble);
  if (!trouble.empty()) throw Error(Exit::io, trouble);
  std::vector<std::string> todo;
  std::istringstream lines(world.broadcast(todo_text));
  for (std::string line; std::getline(lines, line);) todo.push_back(line);

  std::vector<double> costs;
  for (const auto& path : todo) {
    std::error_code gone;
    costs.push_back(1.0 + static_cast<double>(fs::file_size(path, gone)));
  }
  const auto owner = parallel::assign_longest_first(costs, world.size());
  std::string mine;
  std::exception_ptr trouble_here;
  try {
    for (std::size_t i = 0; i < todo.size(); ++i) {
      if (owner[i] != world.rank()) continue;
      if (between) between();
      mine += fmt::format("{} {}\n", store::sha256_file(todo[i]), todo[i]);
    }
  } catch (...) {
    trouble_here = std::current_exception();
  }
  const auto all = world.all_gather(std::span<const char>(mine));
  std::istringstream found(std::string(all.begin(), all.end()));
  for (std::string sha, path; found >> sha && std::getline(found >> std::ws, path);) hashes[path] = sha;

  parallel::together(world, "keeping the hashes of the inputs", [&] {
    if (!world.root() || todo.empty()) return;
    for (const auto& [path, sha] : hashes) cached[path] = {stamps[path], sha};
    std::string text;
    for (const auto& [path, entry] : cached)
      text += fmt::format("{} {} {}\n", entry.second, entry.first, path);
    store::write_text_atomic(cache, text);
  });
  parallel::agree(world, trouble_here, "hashing the inputs");
  std::string listing;
  for (const auto& [path, sha] : hashes) listing += fmt::format("{} {}\n", sha, path);
  std::istringstream agreed(world.broadcast(listing));
  hashes.clear();
  for (std::string sha, path; agreed >> sha && std::getline(agreed >> std::ws, path);) hashes[path] = sha;
  return hashes;
}

}  // namespace incipit::command
