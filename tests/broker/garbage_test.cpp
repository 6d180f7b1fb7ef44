// A guest that breaks the protocol is disconnected, counted and logged; nobody else notices.
#include <unistd.h>

#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using control::Kind;

struct Offence {
  const char* name;
  bool attached;
  std::function<void(RawGuest&)> commit;
  const char* logged;
};

void send_header(RawGuest& guest, std::uint32_t kind, std::uint32_t says, std::size_t bytes) {
  std::vector<std::byte> packet(bytes);
  const control::Header header{static_cast<Kind>(kind), says, 1};
  std::memcpy(packet.data(), &header, std::min(bytes, sizeof header));
  guest.send_bytes(packet);
}

class ProtocolOffence : public testing::TestWithParam<Offence> {};

TEST_P(ProtocolOffence, disconnects_the_offender_alone) {
  TestBroker broker;
  const auto bystander = broker.guest("bystander", 9);
  const auto route = bystander->subscribe("a.*");
  ASSERT_NE(route, nullptr);
  RawGuest offender(broker->connect("offender"));
  if (GetParam().attached) offender.hello();
  GetParam().commit(offender);
  EXPECT_TRUE(offender.hung_up());
  EXPECT_TRUE(broker.wait_until(
      [](const auto& statistics) { return statistics.protocol_violations == 1; }));
  EXPECT_TRUE(broker.logged(GetParam().logged)) << testing::PrintToString(broker.log());
  EXPECT_TRUE(broker.logged("of offender: disconnected"));

  EXPECT_EQ(broker->publish("alice", "a.b", "still here").taken, 1U);
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"still here"}));
  EXPECT_EQ(broker->statistics().guests.size(), 1U);
}

constexpr const char* kNotOne = "it sent a packet that is not one of the protocol's";
constexpr const char* kWrongSize = "it sent a packet of the wrong size for its kind";
constexpr const char* kLongText = "it sent a text longer than its field";
constexpr const char* kTooLong = "it sent a packet that is too long or carries descriptors";

INSTANTIATE_TEST_SUITE_P(
    All, ProtocolOffence,
    testing::Values(
        Offence{"one_byte", false, [](auto& g) { send_header(g, 10, 1, 1); }, kNotOne},
        Offence{"header_cut", true, [](auto& g) { send_header(g, 12, 15, 15); }, kNotOne},
        Offence{"size_lies", true, [](auto& g) { send_header(g, 12, 400, 24); }, kNotOne},
        Offence{"size_of_another_kind", true, [](auto& g) { send_header(g, 11, 24, 24); },
                kWrongSize},
        Offence{"hello_cut", false, [](auto& g) { send_header(g, 10, 100, 100); }, kWrongSize},
        Offence{"kind_unknown", true, [](auto& g) { send_header(g, 77, 24, 24); },
                "it sent a packet of kind 77, which no attached guest sends"},
        Offence{"kind_of_the_broker", true, [](auto& g) { send_header(g, 30, 24, 24); },
                "it sent a packet of kind 30, which no attached guest sends"},
        Offence{"hello_again", true, [](auto& g) { g.send(g.hello_packet()); },
                "it sent a packet of kind 10, which no attached guest sends"},
        Offence{"subscribe_before_hello", false, [](auto& g) { g.send(g.subscribe_packet("a.b")); },
                "it sent a packet of kind 11 before its hello"},
        Offence{"mint_on_a_host_s_connection", false,
                [](auto& g) { g.send(g.template packet<control::Mint>(Kind::mint)); },
                "it sent a packet of kind 1 before its hello"},
        Offence{"list_on_a_host_s_connection", false, [](auto& g) { g.plain(Kind::list_sealed); },
                "it sent a packet of kind 17 before its hello"},
        Offence{"too_long", true, [](auto& g) { send_header(g, 12, 1'025, 1'025); }, kTooLong},
        Offence{"descriptor", true,
                [](auto& g) {
                  const auto kick = g.template packet<control::Plain>(Kind::kick);
                  const int descriptor = STDERR_FILENO;
                  // Newer kernels do not even let it be sent (refuse_descriptors()).
                  if (shm::send_packet(g.descriptor(), std::as_bytes(std::span(&kick, 1)),
                                       std::span(&descriptor, 1)) != shm::SendOutcome::sent)
                    send_header(g, 12, 1'025, 1'025);
                },
                kTooLong},
        Offence{"pattern_longer_than_its_field", true,
                [](auto& g) {
                  auto packet = g.subscribe_packet("a.b");
                  packet.pattern.length = 65'535;
                  g.send(packet);
                },
                kLongText},
        Offence{"program_longer_than_its_field", false,
                [](auto& g) {
                  auto packet = g.hello_packet();
                  packet.program.length = 65;
                  g.send(packet);
                },
                kLongText},
        Offence{"acknowledges_what_it_was_never_sent", true, [](auto& g) { g.acknowledge(5); },
                "it acknowledged descriptors that it was never sent"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Garbage, numbers_out_of_range_are_refused_and_the_guest_stays) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  auto packet = guest->subscribe_packet("a.b");
  packet.eviction = static_cast<shm::EvictionPolicy>(9);
  guest->send(packet);
  EXPECT_EQ(guest->refusal(ErrorCode::invalid_argument),
            "the request holds an unknown eviction policy (9): guest and broker may be of "
            "different versions");
  packet = guest->subscribe_packet("a.b");
  packet.backing = static_cast<control::BackingWish>(7);
  guest->send(packet);
  EXPECT_EQ(guest->refusal(ErrorCode::invalid_argument),
            "the request holds an unknown backing (7): guest and broker may be of different "
            "versions");
  auto gate = guest->packet<control::SetGate>(Kind::set_gate);
  gate.open = 2;
  guest->send(gate);
  EXPECT_EQ(guest->refusal(ErrorCode::invalid_argument),
            "the request holds an unknown gate position (2): guest and broker may be of different "
            "versions");
  EXPECT_NE(guest->subscribe("a.b"), nullptr);
}

TEST(Garbage, a_guest_that_does_not_read_its_socket_is_disconnected_and_nobody_waits_for_it) {
  TestBroker broker;
  const auto deaf = broker.guest("deaf");
  auto packet = deaf->packet<control::Unsubscribe>(Kind::unsubscribe);
  packet.subscription = 999;
  // Each is answered with a refusal that nobody takes.
  for (int count = 0; count < 100'000; ++count) {
    const auto sent =
        shm::send_packet_until(deaf->descriptor(), std::as_bytes(std::span(&packet, 1)), {},
                               std::chrono::steady_clock::now() + kPatience);
    if (sent != shm::SendOutcome::sent) break;
  }
  EXPECT_TRUE(
      broker.wait_until([](const auto& statistics) { return statistics.unread_disconnects == 1; }));
  EXPECT_TRUE(broker->statistics().guests.empty());
  EXPECT_NE(broker.guest("next")->subscribe("a.b"), nullptr);
}

TEST(Garbage, requests_are_answered_in_order_with_their_own_numbers) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  for (int count = 0; count < 10; ++count) {
    auto packet = guest->packet<control::Unsubscribe>(Kind::unsubscribe);
    packet.header.request = static_cast<std::uint64_t>(1'000 + count);
    packet.subscription = 7;
    guest->send(packet);
  }
  for (int count = 0; count < 10; ++count) {
    const auto refused = guest->receive().as<control::Refused>();
    EXPECT_EQ(refused.header.request, static_cast<std::uint64_t>(1'000 + count));
    EXPECT_EQ(refused.sentence.view(), "this guest has no subscription 7");
  }
}

}  // namespace
}  // namespace fairlead::test
