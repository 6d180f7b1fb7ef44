#include <fairlead/shm/control_socket.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <vector>

#include <gtest/gtest.h>

#include "support/child_process.hpp"
#include "support/expect_error.hpp"

namespace fairlead::shm {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

int count_descriptors() {
  int count = 0;
  for (int fd = 0; fd < 1024; ++fd) count += ::fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

/// What to receive into; the text of what came.
struct Inbox {
  std::array<std::byte, 64> buffer{};
  ReceivedPacket packet;

  ReceiveOutcome take(int socket, std::size_t maximum_descriptors = 0) {
    packet = receive_packet(socket, buffer, maximum_descriptors);
    return packet.outcome;
  }
  std::string_view text() const {
    return {reinterpret_cast<const char*>(buffer.data()), packet.bytes};
  }
};

class ControlPair : public ::testing::Test {
 protected:
  std::pair<UniqueFd, UniqueFd> pair_ = control_pair();
  int broker_ = pair_.first.get();
  int guest_ = pair_.second.get();
  Inbox inbox_;
};

TEST_F(ControlPair, carries_whole_packets_in_order) {
  EXPECT_EQ(send_packet(guest_, bytes_of("one")), SendOutcome::sent);
  EXPECT_EQ(send_packet(guest_, bytes_of("two!")), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::received);
  EXPECT_EQ(inbox_.text(), "one");
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::received);
  EXPECT_EQ(inbox_.text(), "two!");
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::nothing);
  EXPECT_FALSE(inbox_.packet.sender) << "nobody asked for it";
}

TEST_F(ControlPair, carries_descriptors_that_close_on_exec) {
  const UniqueFd file(::open("/dev/null", O_RDONLY));
  const std::array<int, 2> both{file.get(), file.get()};
  EXPECT_EQ(send_packet(broker_, bytes_of("x"), both), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(guest_, 2), ReceiveOutcome::received);
  ASSERT_EQ(inbox_.packet.descriptors.size(), 2u);
  for (const UniqueFd& got : inbox_.packet.descriptors) {
    EXPECT_EQ(::fcntl(got.get(), F_GETFD), FD_CLOEXEC);
  }
}

TEST_F(ControlPair, closes_descriptors_that_nobody_asked_for) {
  const UniqueFd file(::open("/dev/null", O_RDONLY));
  const std::vector<int> many(100, file.get());
  const int before = count_descriptors();
  for (const std::size_t allowed : {std::size_t{0}, std::size_t{1}, std::size_t{99}}) {
    ASSERT_EQ(send_packet(guest_, bytes_of("x"), many), SendOutcome::sent);
    EXPECT_EQ(inbox_.take(broker_, allowed), ReceiveOutcome::malformed);
    EXPECT_TRUE(inbox_.packet.descriptors.empty());
    EXPECT_EQ(count_descriptors(), before);
  }
  // One more than allowed, which a buffer cut to size would have room for in its padding.
  ASSERT_EQ(send_packet(guest_, bytes_of("x"), std::span(many).first(2)), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(broker_, 1), ReceiveOutcome::malformed);
  EXPECT_EQ(count_descriptors(), before);
}

TEST_F(ControlPair, as_many_descriptors_as_the_kernel_allows) {
  const std::vector<int> most(253, broker_);
  EXPECT_EQ(send_packet(broker_, bytes_of("x"), most), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(guest_, 253), ReceiveOutcome::received);
  const std::vector<int> too_many(254, broker_);
  EXPECT_EQ(send_packet(broker_, bytes_of("x"), too_many), SendOutcome::failed);
}

TEST_F(ControlPair, descriptors_that_a_full_table_cannot_take_are_malformed_not_lost) {
  test::ChildProcess child([&]() -> std::string {
    const std::array<int, 2> both{broker_, guest_};
    if (send_packet(broker_, bytes_of("x"), both) != SendOutcome::sent) return "not sent";
    // Room for one more, not for two, wherever the inherited descriptors left gaps.
    UniqueFd first(::fcntl(guest_, F_DUPFD_CLOEXEC, 0));
    UniqueFd second(::fcntl(guest_, F_DUPFD_CLOEXEC, 0));
    const auto numbers = static_cast<rlim_t>(second.get());
    first.reset();
    second.reset();
    const rlimit limit{numbers, numbers};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return "setrlimit";
    if (inbox_.take(guest_, 2) != ReceiveOutcome::malformed) return "not malformed";
    return UniqueFd(::fcntl(guest_, F_DUPFD_CLOEXEC, 0)) ? "" : "the one that fitted was kept";
  });
  EXPECT_EQ(child.result(), "");
}

TEST_F(ControlPair, a_packet_longer_than_the_buffer_is_malformed) {
  EXPECT_EQ(send_packet(guest_, bytes_of(std::string(65, 'x'))), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::malformed);
  EXPECT_EQ(send_packet(guest_, bytes_of(std::string(64, 'x'))), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::received);
}

TEST_F(ControlPair, tells_closed_from_nothing) {
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::nothing);
  EXPECT_EQ(send_packet(guest_, bytes_of("last words")), SendOutcome::sent);
  pair_.second.reset();
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::received);
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::closed);
  EXPECT_EQ(send_packet(broker_, bytes_of("x")), SendOutcome::closed) << "and no SIGPIPE";
}

TEST_F(ControlPair, an_empty_packet_counts_as_closed) {
  EXPECT_EQ(send_packet(guest_, {}), SendOutcome::sent);
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::closed);
}

TEST_F(ControlPair, a_peer_that_does_not_read_blocks_nobody) {
  std::size_t sent = 0;
  while (send_packet(broker_, bytes_of("x")) == SendOutcome::sent) ++sent;
  EXPECT_GT(sent, 0u);
  EXPECT_EQ(send_packet(broker_, bytes_of("x")), SendOutcome::full);
  EXPECT_EQ(send_packet_until(broker_, bytes_of("x"), {}, steady_clock::now() + milliseconds(5)),
            SendOutcome::full);
  // Not even where somebody who shares our end made it blocking.
  ASSERT_EQ(::fcntl(broker_, F_SETFL, 0), 0);
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::nothing);
  EXPECT_EQ(send_packet(broker_, bytes_of("x")), SendOutcome::full);
}

TEST_F(ControlPair, sending_waits_until_the_peer_reads) {
  while (send_packet(broker_, bytes_of("x")) == SendOutcome::sent) {
  }
  test::ChildProcess reader([&]() -> std::string {
    while (inbox_.take(guest_) == ReceiveOutcome::received) {
    }
    return "";
  });
  EXPECT_EQ(send_packet_until(broker_, bytes_of("x"), {}, steady_clock::now() + seconds(30)),
            SendOutcome::sent);
  EXPECT_EQ(reader.result(), "");
}

TEST_F(ControlPair, receiving_waits_until_the_deadline) {
  const auto receive = [&](auto deadline) {
    return receive_packet_until(broker_, inbox_.buffer, 0, deadline).outcome;
  };
  EXPECT_EQ(receive(steady_clock::now() + milliseconds(5)), ReceiveOutcome::nothing);
  EXPECT_EQ(receive(steady_clock::time_point{}), ReceiveOutcome::nothing);
  test::ChildProcess sender([&]() -> std::string {
    return send_packet(guest_, bytes_of("x")) == SendOutcome::sent ? "" : "not sent";
  });
  EXPECT_EQ(receive(steady_clock::time_point::max()), ReceiveOutcome::received);
  EXPECT_EQ(sender.result(), "");
}

TEST_F(ControlPair, what_is_no_socket_fails_by_name) {
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_EQ(send_packet(file.get(), bytes_of("x")), SendOutcome::failed);
  EXPECT_EQ(inbox_.take(file.get()), ReceiveOutcome::failed);
  test::expect_error(ErrorCode::system, [&] { (void)peer_credentials(file.get()); });
  test::expect_error(ErrorCode::system, [&] { request_credentials(file.get()); });
}

TEST_F(ControlPair, the_kernel_tells_who_sent_each_packet) {
  request_credentials(broker_);
  test::ChildProcess sender([&]() -> std::string {
    return send_packet(guest_, bytes_of("x")) == SendOutcome::sent ? "" : "not sent";
  });
  const pid_t pid = sender.pid();
  EXPECT_EQ(sender.result(), "");
  EXPECT_EQ(inbox_.take(broker_), ReceiveOutcome::received);
  ASSERT_TRUE(inbox_.packet.sender);
  EXPECT_EQ(*inbox_.packet.sender, (PeerCredentials{pid, ::geteuid(), ::getegid()}));
  EXPECT_EQ(peer_credentials(broker_).pid, ::getpid()) << "who made the pair, not who uses it";
}

}  // namespace
}  // namespace fairlead::shm
