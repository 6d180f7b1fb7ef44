// Sealed segments: asked of the live broker, and only believed if they are what they should be.
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include <fairlead/shm/control_protocol.hpp>
#include <fairlead/shm/control_socket.hpp>
#include <fairlead/shm/segment.hpp>

#include "dump/machine_reader.hpp"
#include "dump/sealed_segments.hpp"
#include "segment_directory.hpp"
#include "support/test_broker.hpp"

namespace fairlead::tools::dump {
namespace {

namespace control = shm::control;
using test::SegmentDirectory;
using test::TestBroker;

MachineOptions live_options(const std::string& broker) {
  MachineOptions options;
  options.broker = broker;
  options.monotonic_now_ns = ~std::uint64_t{0} >> 1U;
  return options;
}

TEST(DumpSealed, routes_and_receipts_of_a_live_broker_are_shown) {
  TestBroker broker({.listening = true, .tweak = [](broker::BrokerOptions& options) {
                       options.backing = control::BackingWish::sealed;
                     }});
  auto guest = broker.guest("alice");
  const auto route = guest->subscribe("t");
  const auto outbox = guest->open_outbox();
  EXPECT_EQ(guest->publish(*outbox, "t", "12345").taken.load(), 1U);
  const MachineDump machine = read_machine(live_options(broker.name()));
  ASSERT_EQ(machine.brokers.size(), 1U);
  const BrokerDump& found = machine.brokers.front();
  EXPECT_EQ(found.state, BrokerState::running);
  EXPECT_EQ(found.sealed_note, "");
  ASSERT_EQ(found.segments.size(), 2U);
  const SegmentDump& sealed = found.segments[0];
  EXPECT_EQ(test::verdict_text(sealed), "ok");
  EXPECT_EQ(sealed.backing, shm::Backing::sealed);
  ASSERT_NE(sealed.route(), nullptr);
  EXPECT_EQ(sealed.route()->identity.pattern.view(), "t");
  EXPECT_EQ(sealed.route()->messages.queued, 1U);
  EXPECT_TRUE(sealed.route()->messages.holds);
  ASSERT_NE(found.entry_of(sealed), nullptr);
  const SegmentDump& receipts = found.segments[1];
  EXPECT_EQ(test::verdict_text(receipts), "ok");
  EXPECT_EQ(std::get<ReceiptDump>(receipts.content).accepted_messages, 1U);
  ASSERT_NE(found.entry_of(receipts), nullptr);
  EXPECT_EQ(found.entry_of(receipts)->identity.owner.view(), "alice");
}

TEST(DumpSealed, many_are_shown_one_after_the_other) {
  TestBroker broker({.listening = true, .tweak = [](broker::BrokerOptions& options) {
                       options.backing = control::BackingWish::sealed;
                     }});
  auto guest = broker.guest("alice");
  std::vector<decltype(guest->subscribe("t"))> routes;
  for (int each = 0; each < 40; ++each) routes.push_back(guest->subscribe("t"));
  const MachineDump machine = read_machine(live_options(broker.name()));
  EXPECT_EQ(machine.brokers.front().segments.size(), 40U);
  EXPECT_EQ(machine.problems(), 0U);
}

TEST(DumpSealed, without_asking_they_are_known_from_the_table) {
  TestBroker broker({.listening = true, .tweak = [](broker::BrokerOptions& options) {
                       options.backing = control::BackingWish::sealed;
                     }});
  auto guest = broker.guest("alice");
  const auto route = guest->subscribe("t");
  MachineOptions options = live_options(broker.name());
  options.ask_brokers = false;
  const MachineDump machine = read_machine(options);
  ASSERT_EQ(machine.brokers.front().segments.size(), 1U);
  EXPECT_EQ(test::verdict_text(machine.brokers.front().segments.front()),
            "unavailable: its broker was not asked");
}

// Plays the broker for one connection.
class FalseBroker {
 public:
  using Answer = std::function<void(int socket)>;

  explicit FalseBroker(Answer answer)
      : listener_(shm::ControlListener::listen(directory_.path_of("s"), 0600)),
        thread_([this, answer = std::move(answer)] {
          const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
          shm::wait_for_events(listener_.descriptor(), POLLIN, deadline);
          const auto accepted = listener_.accept();
          std::array<std::byte, control::kMaximumPacketBytes> buffer;
          (void)shm::receive_packet_until(accepted.socket.get(), buffer, 0, deadline);
          answer(accepted.socket.get());
        }) {}
  ~FalseBroker() { thread_.join(); }
  FalseBroker(const FalseBroker&) = delete;
  FalseBroker& operator=(const FalseBroker&) = delete;

  [[nodiscard]] std::string ask(std::size_t& taken) const {
    return list_sealed_segments(directory_.path_of("s"), ::geteuid(),
                                [&](SealedDescriptor) { ++taken; });
  }

 private:
  SegmentDirectory directory_;
  shm::ControlListener listener_;
  std::thread thread_;
};

template <class Packet>
void send(int socket, const Packet& packet, std::vector<int> descriptors = {}) {
  EXPECT_EQ(shm::send_packet(socket, std::as_bytes(std::span(&packet, 1)), descriptors),
            shm::SendOutcome::sent);
}

control::SealedSegment announcement() {
  control::SealedSegment packet{};
  packet.header = {control::Kind::sealed_segment, sizeof packet, 1};
  packet.kind = shm::SegmentKind::route;
  return packet;
}

TEST(DumpFalseBroker, something_that_is_not_sealed_is_not_taken) {
  std::size_t taken = 0;
  const FalseBroker broker([](int socket) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    send(socket, announcement(), {ends[0]});
    ::close(ends[0]);
    ::close(ends[1]);
  });
  EXPECT_EQ(broker.ask(taken), "its broker sent something that is no sealed segment");
  EXPECT_EQ(taken, 0U);
}

TEST(DumpFalseBroker, an_announcement_without_a_descriptor_is_not_taken) {
  std::size_t taken = 0;
  const FalseBroker broker([](int socket) { send(socket, announcement()); });
  EXPECT_EQ(broker.ask(taken), "its broker sent something that is no sealed segment");
  EXPECT_EQ(taken, 0U);
}

TEST(DumpFalseBroker, one_that_hangs_up_in_the_middle_is_told) {
  std::size_t taken = 0;
  const FalseBroker broker([](int socket) {
    const auto segment = shm::Segment::create_sealed("x", 4'096, shm::SealMode::broker_written);
    send(socket, announcement(), {segment.descriptor()});
  });
  EXPECT_EQ(broker.ask(taken), "its broker hung up");
  EXPECT_EQ(taken, 1U);
}

TEST(DumpFalseBroker, garbage_and_a_refusal_are_told) {
  std::size_t taken = 0;
  {
    const FalseBroker broker([](int socket) { send(socket, std::uint32_t{7}); });
    EXPECT_EQ(broker.ask(taken), "its broker answered something else");
  }
  const FalseBroker broker([](int socket) {
    control::Refused refused{};
    refused.header = {control::Kind::refused, sizeof refused, 1};
    refused.sentence.assign("not for you");
    send(socket, refused);
  });
  EXPECT_EQ(broker.ask(taken), "its broker refuses: not for you");
}

TEST(DumpFalseBroker, the_socket_of_somebody_else_is_not_asked) {
  const SegmentDirectory directory;
  const auto listener = shm::ControlListener::listen(directory.path_of("s"), 0600);
  EXPECT_EQ(list_sealed_segments(directory.path_of("s"), ::geteuid() + 1, [](SealedDescriptor) {}),
            "somebody else listens on its socket");
}

}  // namespace
}  // namespace fairlead::tools::dump
