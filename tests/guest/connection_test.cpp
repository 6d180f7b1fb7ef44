// What the guest says in passing, when the broker takes a while to read it.
#include "connection.hpp"

#include <sys/socket.h>

#include <array>
#include <future>

#include "guest/guest_fixture.hpp"

namespace fairlead::guest {
namespace {

namespace control = shm::control;

constexpr std::uint64_t kPackets = 2'000;  // far more than a socket takes

class SlowBroker : public testing::Test {
 protected:
  SlowBroker() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      throw_system("socketpair");
    }
    broker_.reset(ends[0]);
    connection_.emplace(shm::UniqueFd(ends[1]), seconds(30));
  }

  void tell(std::uint64_t subscription) {
    control::Unsubscribe packet{};
    packet.subscription = subscription;
    connection_->tell(Kind::unsubscribe, packet);
  }
  /// The next packet; nothing when there is none now.
  std::optional<control::Unsubscribe> read() {
    control::Unsubscribe packet{};
    const auto got = ::recv(broker_.get(), &packet, sizeof packet, MSG_DONTWAIT);
    if (got != static_cast<ssize_t>(sizeof packet)) return std::nullopt;
    EXPECT_EQ(packet.header.request, control::kNoAnswer);
    return packet;
  }

  shm::UniqueFd broker_;
  std::optional<Connection> connection_;
};

TEST_F(SlowBroker, hears_all_that_was_said_in_its_order_once_it_reads) {
  for (std::uint64_t number = 1; number <= kPackets; ++number) tell(number);
  std::uint64_t heard = 0;
  int full = 0;
  while (heard < kPackets) {
    while (const auto packet = read()) ASSERT_EQ(packet->subscription, ++heard);
    ++full;
    ASSERT_FALSE(connection_->look_whether_gone());  // as a waiting guest does now and then
    ASSERT_LT(full, 1'000) << "only " << heard << " were heard";
  }
  EXPECT_GT(full, 1) << "the socket took all at once";
}

TEST_F(SlowBroker, hears_what_was_said_before_it_is_asked) {
  for (std::uint64_t number = 1; number <= kPackets; ++number) tell(number);
  auto asking = std::async(std::launch::async, [this] {
    (void)connection_->ask<control::Plain>(Kind::set_gate, control::SetGate{}, Kind::done);
  });
  std::uint64_t heard = 0;
  std::array<std::byte, control::kMaximumPacketBytes> packet{};
  control::Header header{};
  for (;;) {
    const auto got = ::recv(broker_.get(), packet.data(), packet.size(), 0);
    ASSERT_GT(got, 0);
    std::memcpy(&header, packet.data(), sizeof header);
    if (header.kind == Kind::set_gate) break;
    ++heard;
  }
  EXPECT_EQ(heard, kPackets);
  control::Plain done{};
  done.header = {Kind::done, sizeof done, header.request};
  EXPECT_EQ(::send(broker_.get(), &done, sizeof done, 0), static_cast<ssize_t>(sizeof done));
  asking.get();
}

}  // namespace
}  // namespace fairlead::guest
