#include <fairlead/shm/control_socket.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>

namespace fairlead::shm {
namespace {

using Deadline = std::chrono::steady_clock::time_point;

constexpr std::size_t kKernelDescriptorLimit = 253;  // SCM_MAX_FD
constexpr std::size_t kControlBytes =
    CMSG_SPACE(sizeof(int) * kKernelDescriptorLimit) + CMSG_SPACE(sizeof(ucred));

struct alignas(cmsghdr) ControlBuffer {
  std::array<std::byte, kControlBytes> bytes{};
};

/// Poll's milliseconds, rounded up so that waiting never ends early and spins; -1 is for ever.
int milliseconds_until(Deadline deadline) noexcept {
  if (deadline == Deadline::max()) return -1;
  const auto now = std::chrono::steady_clock::now();
  if (deadline <= now) return 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<int>(std::min<std::int64_t>(left, INT_MAX));
}

SendOutcome outcome_of_send_error(int error) noexcept {
  switch (error) {
    case EAGAIN:
      return SendOutcome::full;
    case EPIPE:
    case ECONNRESET:
    case ENOTCONN:
      return SendOutcome::closed;
    case ETOOMANYREFS:
      return SendOutcome::too_many_descriptors;
    default:
      return SendOutcome::failed;
  }
}

ReceiveOutcome outcome_of_receive_error(int error) noexcept {
  switch (error) {
    case EAGAIN:
      return ReceiveOutcome::nothing;
    case ECONNRESET:
    case ENOTCONN:
      return ReceiveOutcome::closed;
    default:
      return ReceiveOutcome::failed;
  }
}

void take_descriptors(const cmsghdr& entry, std::vector<UniqueFd>& into) {
  const std::size_t count = (entry.cmsg_len - CMSG_LEN(0)) / sizeof(int);
  std::array<int, kKernelDescriptorLimit> received{};
  std::memcpy(received.data(), CMSG_DATA(&entry), count * sizeof(int));
  // Owned one and all before the vector may throw.
  std::array<UniqueFd, kKernelDescriptorLimit> owned;
  for (std::size_t i = 0; i < count; ++i) owned[i].reset(received[i]);
  into.reserve(into.size() + count);
  for (std::size_t i = 0; i < count; ++i) into.push_back(std::move(owned[i]));
}

void take_control(msghdr& message, ReceivedPacket& packet) {
  for (cmsghdr* entry = CMSG_FIRSTHDR(&message); entry != nullptr;
       entry = CMSG_NXTHDR(&message, entry)) {
    if (entry->cmsg_level != SOL_SOCKET) continue;
    if (entry->cmsg_type == SCM_RIGHTS) take_descriptors(*entry, packet.descriptors);
    if (entry->cmsg_type == SCM_CREDENTIALS) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(entry), sizeof sender);
      packet.sender = PeerCredentials{sender.pid, sender.uid, sender.gid};
    }
  }
}

// Closing a stream for the last time waits as long as its sender wished, non-blocking or not.
void do_not_linger(int descriptor) noexcept {
  const linger none{0, 0};
  (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

}  // namespace

bool wait_for_events(int descriptor, short events, Deadline deadline) noexcept {
  pollfd entry{descriptor, events, 0};
  for (;;) {
    const int ready = ::poll(&entry, 1, milliseconds_until(deadline));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return true;  // the next call on it says what is wrong
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
}

SendOutcome send_packet(int socket, std::span<const std::byte> packet,
                        std::span<const int> descriptors) noexcept {
  if (descriptors.size() > kKernelDescriptorLimit) return SendOutcome::failed;
  iovec part{const_cast<std::byte*>(packet.data()), packet.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBuffer control;
  if (!descriptors.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* entry = CMSG_FIRSTHDR(&message);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(entry), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent >= 0 ? SendOutcome::sent : outcome_of_send_error(errno);
}

SendOutcome send_packet_until(int socket, std::span<const std::byte> packet,
                              std::span<const int> descriptors, Deadline deadline) noexcept {
  for (;;) {
    const SendOutcome outcome = send_packet(socket, packet, descriptors);
    if (outcome != SendOutcome::full || !wait_for_events(socket, POLLOUT, deadline)) return outcome;
  }
}

ReceivedPacket receive_packet(int socket, std::span<std::byte> buffer,
                              std::size_t maximum_descriptors) {
  ReceivedPacket packet;
  ControlBuffer control;
  iovec part{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  ssize_t got = 0;
  do {
    got = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    packet.outcome = outcome_of_receive_error(errno);
    return packet;
  }
  // All that the kernel may send fits the control buffer: so nothing is hidden from this count.
  take_control(message, packet);
  const bool cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
  if (got == 0) {
    packet.outcome = ReceiveOutcome::closed;
  } else if (cut || packet.descriptors.size() > maximum_descriptors) {
    packet.outcome = ReceiveOutcome::malformed;
  } else {
    packet.outcome = ReceiveOutcome::received;
    packet.bytes = static_cast<std::size_t>(got);
    return packet;
  }
  for (const UniqueFd& unwanted : packet.descriptors) do_not_linger(unwanted.get());
  packet.descriptors.clear();
  return packet;
}

ReceivedPacket receive_packet_until(int socket, std::span<std::byte> buffer,
                                    std::size_t maximum_descriptors, Deadline deadline) {
  for (;;) {
    ReceivedPacket packet = receive_packet(socket, buffer, maximum_descriptors);
    if (packet.outcome != ReceiveOutcome::nothing) return packet;
    if (!wait_for_events(socket, POLLIN, deadline)) return packet;
  }
}

}  // namespace fairlead::shm
