// A guest sends descriptors whose close takes for ever: whoever closes the last one waits. That
// must never be the broker.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

// A TCP connection with unsent bytes and SO_LINGER: closing it for the last time waits for the peer
// to read, however long that takes, also of a non-blocking socket.
struct SlowToClose {
  SlowToClose() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    const shm::UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listener.get(), any, size), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    EXPECT_EQ(::getsockname(listener.get(), any, &size), 0);
    slow.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(slow.get(), any, size), 0);
    peer.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    const std::array<char, 65'536> bytes{};
    while (::send(slow.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
    const linger wait{1, 60};
    EXPECT_EQ(::setsockopt(slow.get(), SOL_SOCKET, SO_LINGER, &wait, sizeof wait), 0);
  }
  // Gives it away through `socket`, so that whoever gets it closes it last. Not sent: ours is last.
  shm::SendOutcome give(int socket, std::span<const std::byte> packet) {
    const std::array<int, 1> descriptors{slow.get()};
    const shm::SendOutcome outcome = shm::send_packet(socket, packet, descriptors);
    const linger none{0, 0};
    if (outcome != shm::SendOutcome::sent)
      ::setsockopt(slow.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
    slow.reset();
    return outcome;
  }
  shm::UniqueFd slow;
  shm::UniqueFd peer;
};

// Whether somebody else is still served, at once.
void expect_served(TestBroker& broker) {
  const auto start = std::chrono::steady_clock::now();
  auto victim = broker.guest("agent:victim");
  ASSERT_NE(victim->subscribe("t"), nullptr);
  EXPECT_EQ(broker->publish("agent:victim", "t", std::span<const std::byte>()).taken, 1U);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST(ForeignDescriptors, one_that_is_slow_to_close_does_not_stop_the_service_thread) {
  TestBroker broker({.listening = true, .started = false});
  SlowToClose socket;
  RawGuest guest(broker.socket_path());
  auto hello = guest.hello_packet();
  (void)socket.give(guest.descriptor(), std::as_bytes(std::span(&hello, 1)));
  broker->start();
  expect_served(broker);
  socket.peer.reset();
}

TEST(ForeignDescriptors, those_left_unread_in_a_socket_do_not_stop_the_service_thread) {
  TestBroker broker({.listening = true, .started = false});
  SlowToClose socket;
  RawGuest guest(broker.socket_path());
  const std::byte nonsense{};
  auto hello = guest.hello_packet();
  guest.send_bytes(std::span(&nonsense, 1));  // for this it is thrown out
  (void)socket.give(guest.descriptor(), std::as_bytes(std::span(&hello, 1)));
  broker->start();
  expect_served(broker);
  socket.peer.reset();
}

TEST(ForeignDescriptors, none_can_be_sent_through_the_wake_up_socket) {
  TestBroker broker;
  SlowToClose socket;
  auto guest = broker.guest("agent:mallory");
  auto packet = guest->subscribe_packet("elsewhere");
  packet.wants_descriptor = 1;
  const auto route = guest->subscribe(packet);
  ASSERT_NE(route, nullptr);
  const std::byte byte{};
  EXPECT_EQ(socket.give(route->wake_descriptor(), std::span(&byte, 1)), shm::SendOutcome::closed);
  guest->leave();  // the broker closes its end, holding its mutex
  expect_served(broker);
  socket.peer.reset();
}

}  // namespace
}  // namespace fairlead::test
