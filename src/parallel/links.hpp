#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "parallel/communicator.hpp"
#include "parallel/roster.hpp"

namespace incipit::parallel {

/// A tree of TCP connections over the nodes of a job, each between the first ranks of two of them. What one
/// node has to say reaches all others without MPI, and a node that is gone is noticed by its neighbours,
/// since its kernel closes the connection, or no longer answers. Nothing waits but `connect`, `pause` and,
/// for 0.3 s, the last words.
class Links {
 public:
  /// Collective over the first ranks of the nodes. Nothing, on all of them, where two that should be
  /// connected cannot reach each other within `seconds`.
  static std::unique_ptr<Links> connect(const Communicator& firsts, double seconds);
  ~Links();
  Links(const Links&) = delete;
  Links& operator=(const Links&) = delete;

  [[nodiscard]] int node() const { return node_; }

  /// Waits until somebody has something to say, `wake` can be read, or the time is over.
  void pause(int milliseconds, int wake) const;

  /// What neighbours have said since the last time.
  struct News {
    int verdict = 0;       ///< what a neighbour has passed on, or 0
    bool lost = false;     ///< a neighbour is gone without a goodbye
    bool to_tell = false;  ///< and it is for this node to say so: its parent's part, or the first child's
    std::string host;      ///< of the neighbour
  };
  News listen();

  /// Tells each neighbour how all nodes on this side of it stand.
  void tell(const Standing& here);
  /// How all other nodes stand.
  [[nodiscard]] Standing elsewhere() const;

  /// Passes the end of the job on, to all neighbours that are still there, and lets it arrive.
  void pass_on(int verdict);
  /// Takes leave in good order.
  void say_goodbye();

 private:
  struct Frame;
  struct Link {
    int node = -1;
    int socket = -1;
    std::string host;
    std::string outgoing, incoming;
    Standing standing;         // of the nodes behind it, as told
    std::int64_t told_at = 0;  // Roster::now
  };

  Links() = default;
  void make_link(int node, int socket, const std::string& host);
  bool receive(Link& link);
  void send(Link& link, const Frame& frame);
  static void flush(Link& link);
  static void hang_up(Link& link);
  static Standing behind(const Link& link);
  void end(const Frame& last);

  int node_ = 0;
  std::vector<Link> links_;
};

}  // namespace incipit::parallel
