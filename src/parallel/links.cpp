#include "parallel/links.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <random>
#include <sstream>

namespace incipit::parallel {

/// All that is ever sent: the same bytes in every frame, so that a stream of them needs no parser.
struct Links::Frame {
  enum Kind : std::int32_t { hello = 1, standing, verdict, goodbye };
  std::int32_t kind = 0;
  std::int32_t number = 0;        // of hello: the node; of verdict: what is passed on
  std::array<char, 32> secret{};  // of the job: whoever else knocks is not one of us
  Standing report;
};

namespace {

/// Closes at the end of a scope.
class Socket {
 public:
  explicit Socket(int number) : number_(number) {}
  ~Socket() {
    if (number_ >= 0) close(number_);
  }
  Socket(Socket&& other) noexcept : number_(other.release()) {}
  Socket& operator=(Socket&&) = delete;
  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool good() const { return number_ >= 0; }
  int release() {
    const int number = number_;
    number_ = -1;
    return number;
  }

 private:
  int number_;
};

int left_of(std::int64_t deadline) {
  return static_cast<int>(std::max<std::int64_t>(0, deadline - Roster::now()));
}

bool ready(int socket, short events, std::int64_t deadline) {
  pollfd entry{socket, events, 0};
  return poll(&entry, 1, left_of(deadline)) == 1;
}

/// Sends or receives all bytes, or fails.
template <class Call>
bool whole(Call call, int socket, char* bytes, std::size_t count, short events, std::int64_t deadline) {
  while (count > 0) {
    if (!ready(socket, events, deadline)) return false;
    const ssize_t done = call(socket, bytes, count);
    if (done < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (done <= 0) return false;
    bytes += done;
    count -= static_cast<std::size_t>(done);
  }
  return true;
}

template <class Frame>
bool send_whole(int socket, Frame frame, std::int64_t deadline) {
  const auto call = [](int to, char* bytes, std::size_t count) {
    return ::send(to, bytes, count, MSG_NOSIGNAL);
  };
  return whole(call, socket, reinterpret_cast<char*>(&frame), sizeof frame, POLLOUT, deadline);
}

template <class Frame>
std::optional<Frame> receive_whole(int socket, std::int64_t deadline) {
  Frame frame;
  const auto call = [](int from, char* bytes, std::size_t count) { return ::recv(from, bytes, count, 0); };
  if (!whole(call, socket, reinterpret_cast<char*>(&frame), sizeof frame, POLLIN, deadline)) return {};
  return frame;
}

/// Listens on a free port of all addresses of the node, of both kinds where it can.
Socket listener() {
  Socket six(::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_addr = in6addr_any;
  const int both = 0;
  if (six.good()) setsockopt(six.number(), IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both);
  if (six.good() && bind(six.number(), reinterpret_cast<sockaddr*>(&any6), sizeof any6) == 0 &&
      listen(six.number(), 64) == 0)
    return six;
  Socket four(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_addr.s_addr = htonl(INADDR_ANY);
  if (four.good() && bind(four.number(), reinterpret_cast<sockaddr*>(&any4), sizeof any4) == 0 &&
      listen(four.number(), 64) == 0)
    return four;
  return Socket(-1);
}

int port_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  // The port stands at the same place in both kinds of address.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

/// Of this node's interfaces that are up, as text; the loopback last, for nodes that are one machine.
std::vector<std::string> addresses() {
  std::vector<std::string> far, near;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {"127.0.0.1"};
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr || (at->ifa_flags & IFF_UP) == 0) continue;
    char text[INET6_ADDRSTRLEN] = "";
    if (at->ifa_addr->sa_family == AF_INET) {
      inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr, text, sizeof text);
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      const auto& six = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr)->sin6_addr;
      if (IN6_IS_ADDR_LINKLOCAL(&six)) continue;  // means nothing elsewhere
      inet_ntop(AF_INET6, &six, text, sizeof text);
    } else {
      continue;
    }
    ((at->ifa_flags & IFF_LOOPBACK) != 0 ? near : far).emplace_back(text);
  }
  freeifaddrs(list);
  far.insert(far.end(), near.begin(), near.end());
  return far;
}

struct Address {
  sockaddr_storage bytes{};
  socklen_t length = 0;
};

std::optional<Address> address_of(const std::string& text, int port) {
  Address address;
  auto* four = reinterpret_cast<sockaddr_in*>(&address.bytes);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.bytes);
  if (inet_pton(AF_INET, text.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(port));
    address.length = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, text.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(port));
    address.length = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  return address;
}

Socket reach(const Address& address, std::int64_t deadline) {
  Socket socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.good()) return socket;
  const int status =
      ::connect(socket.number(), reinterpret_cast<const sockaddr*>(&address.bytes), address.length);
  if (status == 0) return socket;
  int error = 0;
  socklen_t length = sizeof error;
  if (errno == EINPROGRESS && ready(socket.number(), POLLOUT, deadline) &&
      getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0)
    return socket;
  return Socket(-1);
}

/// A node that loses power says nothing: its silence shows within a minute.
void watch_silence(int socket) {
  const int on = 1, idle = 20, between = 10, count = 4, unanswered = 60'000;
  setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &between, sizeof between);
  setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered, sizeof unanswered);
  setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

std::array<char, 32> shared_secret(const Communicator& firsts) {
  std::vector<char> secret(32);
  std::random_device random;
  for (char& byte : secret) byte = static_cast<char>(random());
  firsts.broadcast(secret);
  std::array<char, 32> fixed{};
  std::copy(secret.begin(), secret.end(), fixed.begin());
  return fixed;
}

/// What a node tells of itself before there are links: "HOST PORT ADDRESS ...".
std::string visiting_card(int port) {
  char host[256] = "";
  gethostname(host, sizeof host - 1);
  std::string card = std::string(host[0] == '\0' ? "?" : host) + " " + std::to_string(port);
  for (const std::string& address : addresses()) card += " " + address;
  return card;
}

struct Card {
  std::string host;
  int port = 0;
  std::vector<std::string> addresses;
};

Card read_card(const std::string& text) {
  std::istringstream words(text);
  Card card;
  words >> card.host >> card.port;
  for (std::string word; words >> word;) card.addresses.push_back(word);
  return card;
}

/// A connection to the first address that answers, with the hello sent. Where that is another machine with
/// the same address, say a bridge of containers, no hello will come back.
template <class Frame>
Socket knock(const Card& card, const Frame& hello, std::int64_t deadline) {
  for (const auto& text : card.addresses) {
    const auto address = address_of(text, card.port);
    if (!address) continue;
    Socket socket = reach(*address, std::min(deadline, Roster::now() + 2000));
    if (socket.good() && send_whole(socket.number(), hello, deadline)) return socket;
  }
  return Socket(-1);
}

}  // namespace

std::unique_ptr<Links> Links::connect(const Communicator& firsts, double seconds) {
  std::unique_ptr<Links> made(new Links);
  const int node = made->node_ = firsts.rank();
  Frame hello;
  hello.kind = Frame::hello;
  hello.number = node;
  hello.secret = shared_secret(firsts);
  const Socket door = listener();
  std::vector<Card> cards;
  for (const auto& text : firsts.all_gather(visiting_card(door.good() ? port_of(door.number()) : 0)))
    cards.push_back(read_card(text));
  const auto deadline = Roster::now() + static_cast<std::int64_t>(1000 * seconds);
  const auto known = [&](const std::optional<Frame>& frame) {
    return frame && frame->kind == Frame::hello && frame->secret == hello.secret;
  };

  // Each knocks at its parent's door, which the kernel opens, then answers at its own, then hears its parent.
  const int parent = (node - 1) / 2;
  Socket up = node > 0 ? knock(cards[static_cast<std::size_t>(parent)], hello, deadline) : Socket(-1);
  const auto children = static_cast<std::size_t>(std::clamp(firsts.size() - 2 * node - 1, 0, 2));
  while (made->links_.size() < children && door.good() && ready(door.number(), POLLIN, deadline)) {
    Socket guest(accept4(door.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!guest.good()) continue;
    const auto frame = receive_whole<Frame>(guest.number(), std::min(deadline, Roster::now() + 1000));
    if (!known(frame) || (frame->number - 1) / 2 != node) continue;
    if (send_whole(guest.number(), hello, deadline))
      made->make_link(frame->number, guest.release(), cards[static_cast<std::size_t>(frame->number)].host);
  }
  if (up.good()) {
    const auto answer = receive_whole<Frame>(up.number(), deadline);
    if (known(answer) && answer->number == parent)
      made->make_link(parent, up.release(), cards[static_cast<std::size_t>(parent)].host);
  }
  const bool here = made->links_.size() == children + (node > 0 ? 1 : 0);
  if (firsts.any(!here)) {
    made->say_goodbye();
    return nullptr;
  }
  return made;
}

Links::~Links() {
  for (const Link& link : links_)
    if (link.socket >= 0) ::close(link.socket);
}

void Links::make_link(int node, int socket, const std::string& host) {
  watch_silence(socket);
  Link link;
  link.node = node;
  link.socket = socket;
  link.host = host;
  link.standing.quiet = 0;
  link.told_at = Roster::now();
  links_.push_back(std::move(link));
}

void Links::pause(int milliseconds, int wake) const {
  std::vector<pollfd> entries{{wake, POLLIN, 0}};
  for (const Link& link : links_)
    if (link.socket >= 0) entries.push_back({link.socket, POLLIN, 0});
  poll(entries.data(), entries.size(), milliseconds);
}

/// What has come over a connection; false once it has ended.
bool Links::receive(Link& link) {
  std::array<char, 4096> bytes{};
  for (;;) {
    const ssize_t got = ::recv(link.socket, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    link.incoming.append(bytes.data(), static_cast<std::size_t>(got));
  }
}

Links::News Links::listen() {
  News news;
  for (Link& link : links_) {
    if (link.socket < 0) continue;
    const bool open = receive(link);
    bool goodbye = false;
    for (; link.incoming.size() >= sizeof(Frame); link.incoming.erase(0, sizeof(Frame))) {
      Frame frame;
      std::memcpy(&frame, link.incoming.data(), sizeof frame);
      if (frame.kind == Frame::verdict) news.verdict = frame.number;
      goodbye |= frame.kind == Frame::goodbye;
      if (frame.kind != Frame::standing) continue;
      link.standing = frame.report;
      link.told_at = Roster::now();
    }
    if (open && !goodbye) continue;
    hang_up(link);
    if (goodbye) continue;
    news.lost = true;
    news.to_tell = link.node > node_ || (link.node == 0 && node_ == 1);
    news.host = link.host;
  }
  return news;
}

void Links::hang_up(Link& link) {
  ::close(link.socket);
  link.socket = -1;
}

void Links::send(Link& link, const Frame& frame) {
  link.outgoing.append(reinterpret_cast<const char*>(&frame), sizeof frame);
  flush(link);
}

void Links::flush(Link& link) {
  while (!link.outgoing.empty()) {
    const ssize_t sent = ::send(link.socket, link.outgoing.data(), link.outgoing.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return;  // no room, or nobody there, which `listen` will notice
    link.outgoing.erase(0, static_cast<std::size_t>(sent));
  }
}

Standing Links::behind(const Link& link) {
  Standing standing = link.standing;
  standing.quiet += Roster::now() - link.told_at;
  return standing;
}

void Links::tell(const Standing& here) {
  for (Link& link : links_) {
    if (link.socket < 0) continue;
    flush(link);
    if (!link.outgoing.empty()) continue;  // a neighbour that does not read is not given more
    Frame frame;
    frame.kind = Frame::standing;
    frame.report = here;
    for (const Link& other : links_)
      if (&other != &link && other.socket >= 0) frame.report.add(behind(other));
    send(link, frame);
  }
}

Standing Links::elsewhere() const {
  Standing all;
  for (const Link& link : links_)
    if (link.socket >= 0) all.add(behind(link));
  return all;
}

void Links::pass_on(int verdict) {
  Frame frame;
  frame.kind = Frame::verdict;
  frame.number = verdict;
  end(frame);
}

void Links::say_goodbye() {
  Frame frame;
  frame.kind = Frame::goodbye;
  end(frame);
}

void Links::end(const Frame& last) {
  for (Link& link : links_) {
    if (link.socket < 0) continue;
    send(link, last);
    shutdown(link.socket, SHUT_WR);
  }
  // A socket closed with bytes unread would take back what was sent last.
  const auto deadline = Roster::now() + 300;
  for (Link& link : links_) {
    if (link.socket < 0) continue;
    std::array<char, 4096> bytes{};
    while (ready(link.socket, POLLIN, deadline) && ::recv(link.socket, bytes.data(), bytes.size(), 0) > 0) {
    }
    hang_up(link);
  }
}

}  // namespace incipit::parallel
