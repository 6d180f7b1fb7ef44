// Unix SOCK_SEQPACKET sockets: one send is one packet, with descriptors (SCM_RIGHTS) and the
// kernel's word on who sent it. Nothing here needs /proc, a network or a name service.
//
// Packets are never sent in parts, SIGPIPE never rises, and no call blocks but those that take a
// deadline. A descriptor that arrives without having been asked for is closed at once.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <fairlead/shm/unique_fd.hpp>

namespace fairlead::shm {

/// sun_path without its terminating zero.
inline constexpr std::size_t kMaximumSocketPathBytes = 107;

struct PeerCredentials {
  pid_t pid = 0;  // as seen from our PID namespace; 0 when it cannot be seen from there
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);

  friend bool operator==(const PeerCredentials&, const PeerCredentials&) = default;
};

/// A listening socket and its path, which it removes again (unless it is somebody else's by then).
class ControlListener {
 public:
  ControlListener() noexcept = default;
  ControlListener(ControlListener&&) noexcept = default;
  ControlListener& operator=(ControlListener&& other) noexcept;
  ~ControlListener() { close(); }

  /// Binds and listens; nobody outside `mode` can connect at any moment. A socket that a dead
  /// broker left is replaced, one that anybody listens on is not: Error(socket_taken). Two callers
  /// for one path must exclude each other by a lock of their own. Non-blocking.
  [[nodiscard]] static ControlListener listen(const std::string& path, mode_t mode,
                                              int backlog = 128);

  struct Accepted {
    UniqueFd socket;  // non-blocking
    int error = 0;    // an errno (EMFILE...); 0 with no socket: nobody is waiting
  };
  [[nodiscard]] Accepted accept() noexcept;

  [[nodiscard]] int descriptor() const noexcept { return socket_.get(); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  void close() noexcept;

 private:
  UniqueFd socket_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

/// Connects within `timeout`. Throws Error: broker_gone (nobody listens), denied, timeout (the
/// broker's backlog stays full), invalid_argument (path), system.
[[nodiscard]] UniqueFd connect_control(const std::string& path, std::chrono::nanoseconds timeout);

/// A connected pair, both non-blocking and close-on-exec. Throws Error.
[[nodiscard]] std::pair<UniqueFd, UniqueFd> control_pair();

/// Who connected (or made the pair), by SO_PEERCRED. Throws Error.
[[nodiscard]] PeerCredentials peer_credentials(int socket);

/// From now on each packet tells who sent it (SO_PASSCRED). Throws Error.
void request_credentials(int socket);

/// From now on a packet with descriptors is refused to its sender (SO_PASSRIGHTS, Linux 6.16). For
/// a stranger's socket: whoever closes the last descriptor of a file may wait for ever. Before that
/// kernel nothing happens. What a listener accepts inherits both.
void refuse_descriptors(int socket) noexcept;

enum class SendOutcome : std::uint8_t {
  sent,
  full,                  // the peer does not read: nothing was sent
  closed,                // the peer is gone
  too_many_descriptors,  // ETOOMANYREFS: unread descriptors of our uid are over its limit
  failed,                // any other errno
};

/// Sends one packet now or not at all. At most 253 descriptors; they stay the caller's.
[[nodiscard]] SendOutcome send_packet(int socket, std::span<const std::byte> packet,
                                      std::span<const int> descriptors = {}) noexcept;
/// The same, waiting for room until the deadline; then `full`.
[[nodiscard]] SendOutcome send_packet_until(
    int socket, std::span<const std::byte> packet, std::span<const int> descriptors,
    std::chrono::steady_clock::time_point deadline) noexcept;

enum class ReceiveOutcome : std::uint8_t {
  received,
  nothing,    // no packet waits (or: the deadline passed)
  closed,     // the peer is gone, or sent an empty packet, which no protocol of ours has
  malformed,  // cut, or more descriptors than allowed: they are closed, disconnect the peer
  failed,     // any other errno
};

struct ReceivedPacket {
  ReceiveOutcome outcome = ReceiveOutcome::nothing;
  std::size_t bytes = 0;  // of the buffer that were filled
  std::vector<UniqueFd> descriptors;
  std::optional<PeerCredentials> sender;  // after request_credentials()
};

/// Takes one packet, if there is one. A packet longer than `buffer`, or with more than
/// `maximum_descriptors`, is `malformed`. Throws only std::bad_alloc.
[[nodiscard]] ReceivedPacket receive_packet(int socket, std::span<std::byte> buffer,
                                            std::size_t maximum_descriptors);
[[nodiscard]] ReceivedPacket receive_packet_until(int socket, std::span<std::byte> buffer,
                                                  std::size_t maximum_descriptors,
                                                  std::chrono::steady_clock::time_point deadline);

/// Waits for POLLIN, POLLOUT... (or a hang-up) on one descriptor; false when the deadline passed.
bool wait_for_events(int descriptor, short events,
                     std::chrono::steady_clock::time_point deadline) noexcept;

}  // namespace fairlead::shm
