// Guests that publish: identity, acknowledgement, permission, rate, and outboxes full of lies.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <functional>

#include <gtest/gtest.h>

#include <fairlead/shm/clock.hpp>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

using shm::Refusal;

constexpr std::string_view kPolicy = R"(
[[principal]]
name = "alice"
minted = true
publish = ["a.*", "x"]
publish_rate_bytes_per_second = 1000
publish_burst_bytes = 2000
[[principal]]
name = "free"
minted = true
publish = ["*"]
[[principal]]
name = "mute"
minted = true
subscribe = ["*"]
admission = "all"
)";

TEST(Outbox, R08_identity_comes_from_the_connection_and_numbers_from_the_publisher) {
  TestBroker broker;
  const auto reader = broker.guest("reader");
  const auto route = reader->subscribe("*");
  const auto writer = broker.guest("agent.scout", 2);
  const auto outbox = writer->open_outbox();
  const shm::Receipt& receipt = writer->publish(*outbox, "a.b", "hello");
  EXPECT_EQ(receipt.matched.load(), 1U);
  EXPECT_EQ(receipt.taken.load(), 1U);
  EXPECT_EQ(receipt.first_refusal.load(), Refusal::none);
  (void)writer->publish(*outbox, "a.c", "again");
  const auto messages = route->drain();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].principal, "agent.scout");
  EXPECT_EQ(messages[0].topic, "a.b");
  EXPECT_EQ(messages[0].payload, "hello");
  EXPECT_EQ(messages[0].publisher, outbox->answer.outbox);
  EXPECT_EQ(messages[0].publish_number, 1U);
  EXPECT_EQ(messages[1].publish_number, 2U);
  EXPECT_GT(messages[1].sequence, messages[0].sequence);
  EXPECT_EQ(broker->statistics().of(shm::PrincipalClass::agent).publishes, 2U);
}

TEST(Outbox, R34_a_thousand_messages_are_acknowledged_in_order_through_a_small_ring) {
  TestBroker broker;
  const auto reader = broker.guest("reader");
  const auto route = reader->subscribe("*");
  const auto writer = broker.guest("alice", 2);
  const auto outbox = writer->open_outbox(4'096);
  ASSERT_EQ(outbox->answer.ring_bytes, 4'096U);
  std::vector<std::string> expected;
  for (int count = 0; count < 1'000; ++count) {
    const std::string text(static_cast<std::size_t>(count) % 700,
                           static_cast<char>('a' + count % 26));
    EXPECT_EQ(writer->publish(*outbox, "t", text).taken.load(), 1U);
    expected.push_back(text);
  }
  std::vector<std::string> got;
  for (const auto& message : route->drain_until(1'000)) got.push_back(message.payload);
  EXPECT_EQ(got, expected);
}

TEST(Outbox, R34_outbox_ids_are_never_the_same) {
  TestBroker broker;
  const auto first = broker.guest("alice");
  const auto second = broker.guest("alice", 2);
  EXPECT_NE(first->open_outbox()->answer.outbox, second->open_outbox()->answer.outbox);
}

TEST(Outbox, a_topic_that_the_policy_does_not_allow_is_refused_and_delivered_nowhere) {
  TestBroker broker({.policy = std::string(kPolicy)});
  const auto reader = broker.guest("mute");
  const auto route = reader->subscribe("*");
  const auto writer = broker.guest("alice", 2);
  const auto outbox = writer->open_outbox();
  EXPECT_EQ(writer->publish(*outbox, "b.c", "x").first_refusal.load(), Refusal::not_permitted);
  EXPECT_EQ(writer->publish(*outbox, "a..b", "x").first_refusal.load(), Refusal::invalid_topic);
  EXPECT_EQ(writer->publish(*outbox, std::string(300, 'a'), "x").first_refusal.load(),
            Refusal::invalid_topic);
  EXPECT_EQ(writer->publish(*outbox, "a.b", "fine").taken.load(), 1U);
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"fine"}));
}

// A guest whose socket is full leaves the kick out.
TEST(Outbox, any_packet_of_its_guest_is_as_good_as_a_kick) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  const auto outbox = guest->open_outbox();
  outbox->write("t", "x");
  (void)outbox->show();
  guest->set_gate(true);
  EXPECT_EQ(outbox->wait_for(outbox->newest()).matched.load(), 0U);
}

TEST(Outbox, the_log_says_once_for_each_guest_and_reason_why_a_publish_was_refused) {
  std::atomic<std::uint64_t> now{1'000'000'000};
  TestBroker broker({.policy = std::string(kPolicy),
                     .tweak = [&](auto& options) { options.clock = [&] { return now.load(); }; }});
  const auto alice = broker.guest("alice");
  const auto outbox = alice->open_outbox();
  for (int count = 0; count < 3; ++count) {
    (void)alice->publish(*outbox, "b.c", "x");
    (void)alice->publish(*outbox, "a..b", "x");
    (void)alice->publish(*outbox, "x", std::string(2'000, 'x'));
  }
  const auto other = broker.guest("alice", 2);
  const auto others = other->open_outbox();
  (void)other->publish(*others, "x", std::string(1'999, 'x'));
  (void)other->publish(*others, "x", "y");
  const auto free = broker.guest("free");
  (void)free->publish(*free->open_outbox(8 << 20), "x", std::string(5 * 1024 * 1024 + 1, 'x'));
  const std::string said = ": refused a publish, and will not tell of others like it: ";
  const std::vector<std::string> expected = {
      "guest 1 of alice" + said +
          "principal 'alice' may not publish on 'b.c': no publish pattern of its policy matches it",
      "guest 1 of alice" + said +
          "cannot publish on 'a..b': it has an empty segment: no leading, trailing or doubled dot "
          "is "
          "allowed (R04)",
      "guest 1 of alice" + said +
          "a message of 2001 bytes, topic included, is larger than the publish burst of 2000 "
          "bytes, so waiting would not help: raise publish_burst_bytes or send less (R31)",
      "guest 2 of alice" + said +
          "principal 'alice' publishes too fast: its rate is 1000 bytes per second (R31)",
      "guest 3 of free" + said +
          "a payload of 5242881 bytes is too large: at most 5242880 bytes travel outside a pool "
          "(R31)"};
  EXPECT_TRUE(broker.logged("guest 3 of free" + said));
  std::vector<std::string> lines;
  for (const std::string& line : broker.log())
    if (line.find(said) != std::string::npos) lines.push_back(line);
  EXPECT_EQ(lines, expected);
}

TEST(Outbox, R31_over_its_rate_a_publish_is_refused_and_counted) {
  std::atomic<std::uint64_t> now{1'000'000'000};
  TestBroker broker({.policy = std::string(kPolicy),
                     .tweak = [&](auto& options) { options.clock = [&] { return now.load(); }; }});
  const auto writer = broker.guest("alice");
  const auto outbox = writer->open_outbox();
  EXPECT_EQ(writer->publish(*outbox, "x", std::string(1'999, 'x')).first_refusal.load(),
            Refusal::none);
  EXPECT_EQ(writer->publish(*outbox, "x", "").first_refusal.load(), Refusal::rate_limited);
  now += 1'000'000;  // one millisecond: one byte
  EXPECT_EQ(writer->publish(*outbox, "x", "").first_refusal.load(), Refusal::none);
  EXPECT_EQ(writer->publish(*outbox, "x", "").first_refusal.load(), Refusal::rate_limited);
  const auto counts = broker->statistics().of(shm::PrincipalClass::user);
  EXPECT_EQ(counts.refused_by_reason[static_cast<std::size_t>(Refusal::rate_limited)], 2U);
}

TEST(Outbox, R31_a_new_connection_does_not_refill_the_bucket) {
  std::atomic<std::uint64_t> now{1'000'000'000};
  TestBroker broker({.policy = std::string(kPolicy),
                     .tweak = [&](auto& options) { options.clock = [&] { return now.load(); }; }});
  for (const Refusal expected : {Refusal::none, Refusal::rate_limited}) {
    const auto writer = broker.guest("alice");
    const auto outbox = writer->open_outbox();
    EXPECT_EQ(writer->publish(*outbox, "x", std::string(1'999, 'x')).first_refusal.load(),
              expected);
  }
}

TEST(Outbox, R31_a_payload_over_5_MiB_is_refused) {
  TestBroker broker({.policy = std::string(kPolicy)});
  const auto writer = broker.guest("free");
  const auto outbox = writer->open_outbox(8 << 20);
  EXPECT_EQ(writer->publish(*outbox, "x", std::string(5 * 1024 * 1024 + 1, 'x')).first_refusal,
            Refusal::larger_than_limit);
  EXPECT_EQ(writer->publish(*outbox, "x", std::string(1'000, 'x')).first_refusal, Refusal::none);
}

TEST(Outbox, who_may_not_publish_gets_none) {
  TestBroker broker({.policy = std::string(kPolicy)});
  const auto mute = broker.guest("mute");
  mute->send(mute->packet<shm::control::OpenOutbox>(shm::control::Kind::open_outbox));
  EXPECT_EQ(mute->refusal(ErrorCode::denied),
            "principal mute may not publish: its policy has no publish patterns");
}

TEST(Outbox, a_guest_has_one) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  const auto outbox = guest->open_outbox();
  guest->send(guest->packet<shm::control::OpenOutbox>(shm::control::Kind::open_outbox));
  EXPECT_EQ(guest->refusal(ErrorCode::limit), "this guest has an outbox already: it can have one");
}

TEST(Outbox, its_memory_is_sealed_and_the_receipts_cannot_be_mapped_writable) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  auto packet = guest->packet<shm::control::OpenOutbox>(shm::control::Kind::open_outbox);
  guest->send(packet);
  const Reply reply = guest->receive();
  ASSERT_EQ(reply.descriptors.size(), 2U);
  EXPECT_NE(::ftruncate(reply.descriptors[0].get(), 0), 0);
  EXPECT_NE(::ftruncate(reply.descriptors[1].get(), 0), 0);
  EXPECT_EQ(::mmap(nullptr, 4'096, PROT_WRITE, MAP_SHARED, reply.descriptors[1].get(), 0),
            MAP_FAILED);
}

TEST(Outbox, R09_the_host_s_and_a_guest_s_messages_of_one_principal_keep_their_order) {
  TestBroker broker;
  const auto reader = broker.guest("reader");
  const auto route = reader->subscribe("*");
  const auto writer = broker.guest("alice", 2);
  const auto outbox = writer->open_outbox();
  for (int count = 0; count < 200; ++count) {
    outbox->write("t", "guest");
    writer->publish(*outbox);
    (void)broker->publish("alice", "t", "host");
  }
  (void)outbox->wait_for(200);
  const auto messages = route->drain_until(400);
  for (std::size_t index = 1; index < messages.size(); ++index)
    EXPECT_LT(messages[index - 1].sequence, messages[index].sequence);
}

TEST(Outbox, R21_a_blocking_guest_waits_alone) {
  TestBroker broker;
  const auto reader = broker.guest("reader");
  auto packet = reader->subscribe_packet("full");
  packet.eviction = shm::EvictionPolicy::reject;
  packet.budget_bytes = 4'096;
  const auto full = reader->subscribe(packet);
  const auto patient = broker.guest("patient", 2);
  const auto waiting = patient->open_outbox();
  const auto other = broker.guest("other", 3);
  const auto outbox = other->open_outbox();
  (void)patient->publish(*waiting, "full", std::string(4'000, '1'));
  waiting->write("full", std::string(4'000, '2'), shm::monotonic_ns() + 60'000'000'000);
  patient->publish(*waiting);
  EXPECT_EQ(other->publish(*outbox, "full", std::string(4'000, '3')).first_refusal.load(),
            Refusal::full);
  EXPECT_EQ(waiting->accepted(), 1U);
  EXPECT_EQ(full->payloads().size(), 1U);
  EXPECT_EQ(waiting->wait_for(2).taken.load(), 1U);
}

struct Lie {
  const char* name;
  std::function<void(RawOutbox&)> tell;
  const char* logged;
};

class HostileOutbox : public testing::TestWithParam<Lie> {};

TEST_P(HostileOutbox, disconnects_its_guest_alone) {
  TestBroker broker;
  const auto reader = broker.guest("reader");
  const auto route = reader->subscribe("*");
  const auto honest = broker.guest("honest", 2);
  const auto good = honest->open_outbox();
  const auto liar = broker.guest("liar", 3);
  const auto bad = liar->open_outbox();
  GetParam().tell(*bad);
  liar->plain(shm::control::Kind::kick);
  EXPECT_TRUE(liar->hung_up());
  EXPECT_TRUE(broker.logged(std::string("of liar: disconnected: it is not trusted any more: ") +
                            GetParam().logged));
  EXPECT_EQ(broker->statistics().protocol_violations, 1U);
  EXPECT_EQ(honest->publish(*good, "t", "unharmed").taken.load(), 1U);
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"unharmed"}));
}

void lie(RawOutbox& outbox, const std::function<void(shm::OutboxRecord&)>& tweak) {
  outbox.write("t", "lie", 0, tweak);
  (void)outbox.show();
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileOutbox,
    testing::Values(Lie{"tail_misaligned", [](auto& o) { o.set_tail(1); },
                        "its outbox tail is not a multiple of 16"},
                    Lie{"tail_too_far", [](auto& o) { o.set_tail(std::uint64_t{1} << 63); },
                        "its outbox tail claims more bytes than the ring holds"},
                    Lie{"record_misshapen",
                        [](auto& o) {
                          lie(o, [](auto& record) { record.payload_bytes = 0xffff'ffff; });
                        },
                        "a record in its outbox has another size than its parts"},
                    Lie{"record_oversized",
                        [](auto& o) {
                          lie(o, [](auto& record) {
                            record.payload_bytes = 1 << 20;
                            record.record_bytes = (1 << 20) + 48;
                          });
                        },
                        "its outbox ends inside a record"},
                    Lie{"kind_unknown",
                        [](auto& o) {
                          lie(o,
                              [](auto& record) { record.kind = static_cast<shm::OutboxKind>(9); });
                        },
                        "its outbox holds a record of unknown kind"},
                    Lie{"number_reused",
                        [](auto& o) { lie(o, [](auto& record) { record.publish_number = 7; }); },
                        "its publish numbers do not go up by one"}),
    [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace fairlead::test
