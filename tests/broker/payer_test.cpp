// What a guest chooses itself (its capsule, a name out of a family) is no way around rates and
// quotas (R31, R32).
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using control::Kind;
using shm::Refusal;

std::string payer_policy(std::string_view principal, std::string_view quota = {}) {
  return R"(
[[principal]]
name = "free"
minted = true
subscribe = ["*"]
admission = "all"
[[minter]]
uid = "self"
names = ["*"]
[[principal]]
uid = "self"
minted = true
publish = ["*"]
subscribe = ["*"]
admission = "all"
)" + std::string(principal) +
         "\n[principal.quota]\n" + std::string(quota) + "\n";
}

class Payer : public testing::Test {
 protected:
  void start(const std::string& text) {
    broker_ = std::make_unique<TestBroker>(
        TestBrokerOptions{.policy = text, .listening = true, .tweak = [this](auto& options) {
                            options.clock = [this] { return now_.load(); };
                          }});
  }
  std::unique_ptr<RawGuest> connect() { return std::make_unique<RawGuest>(broker_->socket_path()); }
  std::unique_ptr<RawGuest> attach(std::string_view name, std::uint8_t capsule = 1) {
    auto guest = connect();
    guest->hello(name, capsule);
    return guest;
  }
  std::unique_ptr<RawGuest> mint(std::string_view name) {
    auto guest = connect();
    auto packet = guest->packet<control::Mint>(Kind::mint);
    packet.principal.assign(name);
    guest->send(packet);
    guest->done();
    guest->hello({});
    return guest;
  }
  // How many of the bytes were taken, in messages of 100.
  static std::uint64_t publish(RawGuest& guest, RawOutbox& outbox, std::uint64_t bytes) {
    std::uint64_t taken = 0;
    for (std::uint64_t sent = 0; sent < bytes; sent += 100) {
      const auto& receipt = guest.publish(outbox, "t", std::string(99, 'x'));
      if (receipt.first_refusal.load() == Refusal::none) taken += 100;
    }
    return taken;
  }

  std::atomic<std::uint64_t> now_{1'000'000'000};
  std::unique_ptr<TestBroker> broker_;
};

constexpr std::string_view kSlowAlice =
    "name = \"alice\"\npublish_rate_bytes_per_second = 1000\npublish_burst_bytes = 2000\n";

TEST_F(Payer, R31_attaching_again_and_again_with_fresh_capsules_gives_no_more_than_the_rate) {
  start(payer_policy(kSlowAlice));
  std::uint64_t taken = 0;
  constexpr std::uint64_t kAttaches = 50;
  for (std::uint8_t capsule = 1; capsule <= kAttaches; ++capsule) {
    const auto guest = attach("alice", capsule);
    const auto outbox = guest->open_outbox();
    taken += publish(*guest, *outbox, 2'000);
    now_ += 100'000'000;  // 100 bytes more
  }
  EXPECT_EQ(taken, 2'000U + 100 * (kAttaches - 1));
}

TEST_F(Payer, R31_capsules_at_one_time_share_the_rate) {
  start(payer_policy(kSlowAlice));
  std::uint64_t taken = 0;
  std::vector<std::unique_ptr<RawGuest>> guests;
  for (std::uint8_t capsule = 1; capsule <= 10; ++capsule) {
    guests.push_back(attach("alice", capsule));
    const auto outbox = guests.back()->open_outbox();
    taken += publish(*guests.back(), *outbox, 500);
  }
  EXPECT_EQ(taken, 2'000U);
}

TEST_F(Payer, R31_a_policy_may_give_several_capsules_the_rate_each) {
  start(payer_policy(std::string(kSlowAlice) + "publish_rate_capsules = 3\n"));
  std::vector<std::uint64_t> taken;
  for (std::uint8_t capsule = 1; capsule <= 5; ++capsule) {
    const auto guest = attach("alice", capsule);
    const auto outbox = guest->open_outbox();
    taken.push_back(publish(*guest, *outbox, 3'000));
  }
  EXPECT_EQ(taken, (std::vector<std::uint64_t>{2'000, 2'000, 2'000, 0, 0}));
}

TEST_F(Payer, R31_names_that_a_guest_takes_out_of_its_family_share_the_rate) {
  start(
      payer_policy("name = \"agent.*\"\npublish_rate_bytes_per_second = 1000\n"
                   "publish_burst_bytes = 2000\n"));
  std::uint64_t taken = 0;
  for (const char* name : {"agent.a", "agent.b", "agent.c"}) {
    const auto guest = attach(name);
    const auto outbox = guest->open_outbox();
    taken += publish(*guest, *outbox, 2'000);
  }
  EXPECT_EQ(taken, 2'000U);
  // A name that a minter gave has its own.
  for (const char* name : {"agent.a", "agent.d"}) {
    const auto guest = mint(name);
    const auto outbox = guest->open_outbox();
    EXPECT_EQ(publish(*guest, *outbox, 3'000), 2'000U);
  }
}

TEST_F(Payer, R32_names_that_a_guest_takes_out_of_its_family_share_every_quota) {
  start(payer_policy("name = \"agent.*\"",
                     "guests = 3\nroutes = 2\nattaches_per_minute = 5\noutbox_bytes = 65536"));
  const std::string family = "'agent.* of uid " + std::to_string(::geteuid()) + "'";
  const auto first = attach("agent.a");
  const auto second = attach("agent.b");
  ASSERT_NE(first->subscribe("t"), nullptr);
  ASSERT_NE(second->subscribe("t"), nullptr);
  auto third = attach("agent.c");
  third->send(third->subscribe_packet("t"));
  EXPECT_EQ(third->refusal(ErrorCode::quota_exceeded),
            "1 routes more would exceed the quota of " + family + ": 2 of 2 are in use (R32)");
  ASSERT_NE(first->open_outbox(65'536), nullptr);
  third->send(third->packet<control::OpenOutbox>(Kind::open_outbox));
  EXPECT_EQ(third->refusal(ErrorCode::quota_exceeded),
            "524288 bytes of outboxes more would exceed the quota of " + family +
                ": 65536 of 65536 are in use (R32)");
  auto fourth = connect();
  fourth->send(fourth->hello_packet("agent.d"));
  EXPECT_EQ(
      fourth->refusal(ErrorCode::quota_exceeded),
      "1 attached guests more would exceed the quota of " + family + ": 3 of 3 are in use (R32)");
  third->leave();
  ASSERT_TRUE(broker_->wait_until([](const auto& now) { return now.guests.size() == 2; }));
  const auto fifth = attach("agent.e");
  auto sixth = connect();
  sixth->send(sixth->hello_packet("agent.f"));
  EXPECT_EQ(sixth->refusal(ErrorCode::rate_limited),
            "principal " + family + " attaches too often: its quota is 5 attaches per minute");
  // A name that a minter gave has its own.
  EXPECT_NE(mint("agent.g")->subscribe("t"), nullptr);
}

// Descriptors that are on their way are few, and one who never acknowledges any takes at most half.
TEST_F(Payer, R32_who_acknowledges_nothing_keeps_no_other_principal_waiting) {
  start("[broker]\ndescriptors_in_flight = 24\n" + payer_policy("name = \"alice\""));
  std::vector<std::unique_ptr<RawGuest>> hoarders;
  for (std::uint8_t capsule = 1; capsule <= 8; ++capsule) {
    hoarders.push_back(attach("alice", capsule));
    for (int count = 0; count < 4; ++count)
      hoarders.back()->send(hoarders.back()->subscribe_packet("t"));
  }
  // What a share allows is sent, the rest waits; who else asks is served at once, again and again.
  const auto others = mint("free");
  for (int count = 0; count < 20; ++count) ASSERT_NE(others->subscribe("t"), nullptr);
  const std::uint64_t in_flight = (*broker_)->statistics().descriptors_in_flight;
  EXPECT_GE(in_flight, 9U);
  EXPECT_LE(in_flight, 12U);
}

}  // namespace
}  // namespace fairlead::test
