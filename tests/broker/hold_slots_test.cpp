// The policy's hold_slots: told to the guest, kept by an honest one, and imposed on any other
// (R22).
#include <unistd.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/guest/guest.hpp>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

constexpr std::size_t kMessageBytes = 60'000;  // each in a chunk of its own

std::string hold_policy(int hold_slots) {
  return R"(
[[principal]]
name = "alice"
uid = [)" +
         std::to_string(::geteuid()) + R"(]
publish = ["*"]
subscribe = ["*"]
admission = "all"
segment_cap_bytes = 16777216
[principal.quota]
hold_slots = )" +
         std::to_string(hold_slots) + "\n";
}

guest::Guest attach(TestBroker& broker) {
  guest::AttachOptions options;
  options.socket_path = broker.socket_path();
  options.capsule = test_capsule();
  return guest::Guest::attach(std::move(options));
}

std::size_t keep_all(guest::Subscription& subscription, const guest::Batch& batch,
                     std::vector<guest::Kept>& kept) {
  for (const guest::Message& message : batch) {
    if (auto one = subscription.keep(message)) kept.push_back(std::move(*one));
  }
  return kept.size();
}

TEST(HoldSlots, R22_a_guest_keeps_as_many_messages_as_its_policy_says) {
  for (const int slots : {0, 1, 3, 256}) {
    TestBroker broker({.policy = hold_policy(slots), .listening = true});
    guest::Guest guest = attach(broker);
    guest::Subscription subscription = guest.subscribe("t");
    for (int count = 0; count < 260; ++count) (void)broker->publish("alice", "t", "x");
    const guest::Batch batch = subscription.drain();
    ASSERT_EQ(batch.size(), 260U);
    std::vector<guest::Kept> kept;
    EXPECT_EQ(keep_all(subscription, batch, kept), static_cast<std::size_t>(slots));
    if (slots == 0) continue;
    kept.erase(kept.begin());
    EXPECT_TRUE(subscription.keep(batch.front()));
  }
}

TEST(HoldSlots, R22_hold_for_all_workers_of_a_route_together) {
  TestBroker broker({.policy = hold_policy(2), .listening = true});
  guest::Guest guest = attach(broker);
  guest::Subscription first = guest.subscribe("t");
  auto second = guest::Subscription::from_descriptors(first.share());
  for (int count = 0; count < 3; ++count) (void)broker->publish("alice", "t", "x");
  const guest::Batch batch = second.drain();
  ASSERT_EQ(batch.size(), 3U);
  std::vector<guest::Kept> kept;
  EXPECT_EQ(keep_all(second, batch, kept), 2U);
  kept.pop_back();
  EXPECT_TRUE(second.keep(batch.front()));
}

TEST(HoldSlots, R22_their_number_travels_to_worker_processes) {
  guest::SharedRoute shared;
  shared.hold_slots = 7;
  shared.lane_capacity = 64;
  const auto read = guest::SharedRoute::from_text(shared.let_children_inherit());
  EXPECT_EQ(read.hold_slots, 7U);
  EXPECT_EQ(read.lane_capacity, 64U);
}

// Where the chunk of the newest message lies, as a hold slot names it.
std::uint64_t take_one(RawRoute& route, std::uint32_t& ticket) {
  std::vector<shm::MessageView> views;
  shm::RouteReader::EndedLoss ended;
  EXPECT_EQ(route.reader().drain(1, 1, views, ticket, ended), shm::RouteReader::Outcome::ok);
  if (views.empty()) return 0;
  const auto* const chunk = reinterpret_cast<const std::byte*>(&views.front().chunk());
  return static_cast<std::uint64_t>(chunk - reinterpret_cast<const std::byte*>(&route.header()));
}

// Publishes and drains one large message after the other; every chunk is named by a hold slot.
std::uint64_t pinned_bytes(TestBroker& broker, RawRoute& route, std::size_t messages) {
  const std::string payload(kMessageBytes, 'x');
  for (std::size_t each = 0; each < messages; ++each) {
    EXPECT_EQ(broker->publish("alice", "t", payload).taken, 1U);
    std::uint32_t ticket = 0;
    route.cursors().holds[each].store(take_one(route, ticket));
    route.reader().release(ticket, 1);
  }
  EXPECT_EQ(broker->publish("alice", "t", payload).taken, 1U);  // retires the last chunk
  (void)route.payloads();
  (void)broker->statistics();  // reads the guest's reports, frees what it may
  return route.header().counters.arena_retired_bytes.load();
}

TEST(HoldSlots, R22_slots_beyond_the_number_pin_nothing) {
  constexpr std::size_t kMessages = 20;
  const auto pinned_with = [](int slots) {
    TestBroker broker({.policy = hold_policy(slots), .listening = true});
    RawGuest guest(broker.socket_path());
    guest.hello();
    const auto route = guest.subscribe("t");
    EXPECT_EQ(route->answer.hold_slots, static_cast<std::uint32_t>(slots));
    return pinned_bytes(broker, *route, kMessages);
  };
  const std::uint64_t chunk = pinned_with(1);
  EXPECT_GE(chunk, kMessageBytes);
  EXPECT_EQ(pinned_with(3), 3 * chunk);
  EXPECT_EQ(pinned_with(256), kMessages * chunk);
  EXPECT_EQ(pinned_with(0), 0U);
}

TEST(HoldSlots, R22_a_route_keeps_the_number_that_it_was_told) {
  TestBroker broker({.policy = hold_policy(1), .listening = true});
  RawGuest guest(broker.socket_path());
  guest.hello();
  const auto before = guest.subscribe("t");
  broker.write_policy(hold_policy(4));
  broker->reload_policy();
  const auto after = guest.subscribe("t");
  EXPECT_EQ(before->answer.hold_slots, 1U);
  EXPECT_EQ(after->answer.hold_slots, 4U);
}

}  // namespace
}  // namespace fairlead::test
