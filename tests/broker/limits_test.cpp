// What a principal may have (R32), what a subscription may be, and what happens beyond it.
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#include <gtest/gtest.h>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {

namespace control = shm::control;
using control::Kind;

std::string policy(std::string_view quota, std::string_view rest = {}) {
  return std::string(rest) + R"(
[[principal]]
name = "alice"
minted = true
uid = [)" +
         std::to_string(::geteuid()) +
         R"(]
publish = ["*"]
subscribe = ["a.*"]
admission = "own-or-system"
maximum_budget_bytes = 8192
budget_bytes = 8192
eviction_allowed = ["oldest-head"]
[principal.quota]
)" + std::string(quota);
}

control::Subscribe own_packet(RawGuest& guest, std::string_view pattern = "a.b") {
  auto packet = guest.subscribe_packet(pattern);
  packet.admission = shm::AdmissionKind::exactly;
  packet.admitted_principal.assign("alice");
  return packet;
}

TEST(Limits, R32_routes_are_counted_per_principal_over_all_its_connections) {
  TestBroker broker({.policy = policy("routes = 2")});
  const auto first = broker.guest("alice");
  const auto second = broker.guest("alice", 2);
  ASSERT_NE(first->subscribe(own_packet(*first)), nullptr);
  const auto kept = second->subscribe(own_packet(*second));
  const auto packet = own_packet(*first);
  first->send(packet);
  EXPECT_EQ(first->refusal(ErrorCode::quota_exceeded),
            "1 routes more would exceed the quota of 'alice': 2 of 2 are in use (R32)");
  EXPECT_EQ(broker.segments().size(), 3U);  // nothing was made for it
  // What is given back can be had again.
  auto leave = second->packet<control::Unsubscribe>(Kind::unsubscribe);
  leave.subscription = kept->answer.subscription;
  leave.unmapped = 1;
  second->send(leave);
  second->done();
  EXPECT_NE(first->subscribe(own_packet(*first)), nullptr);
  EXPECT_EQ(broker->statistics().request_refusals, 1U);
}

TEST(Limits, R32_guests_are_counted_per_principal) {
  TestBroker broker({.policy = policy("guests = 1")});
  auto first = broker.guest("alice");
  RawGuest second(broker->connect("alice"));
  second.send(second.hello_packet());
  EXPECT_EQ(second.refusal(ErrorCode::quota_exceeded),
            "1 attached guests more would exceed the quota of 'alice': 1 of 1 are in use (R32)");
  EXPECT_TRUE(second.hung_up());
  first->leave();
  ASSERT_TRUE(broker.wait_until([](const auto& now) { return now.guests.empty(); }));
  EXPECT_NE(broker.guest("alice"), nullptr);
}

TEST(Limits, R32_descriptors_are_counted_per_principal) {
  TestBroker broker({.policy = policy("descriptors = 5")});
  const auto first = broker.guest("alice");                  // one
  const auto second = broker.guest("alice", 2);              // two
  ASSERT_NE(first->subscribe(own_packet(*first)), nullptr);  // four
  second->send(own_packet(*second));
  EXPECT_EQ(second->refusal(ErrorCode::quota_exceeded),
            "2 descriptors more would exceed the quota of 'alice': 4 of 5 are in use (R32)");
  EXPECT_EQ(broker.segments().size(), 2U);
}

TEST(Limits, R32_budget_bytes_are_counted_per_principal) {
  TestBroker broker({.policy = policy("total_budget_bytes = 10000")});
  const auto guest = broker.guest("alice");
  ASSERT_NE(guest->subscribe(own_packet(*guest)), nullptr);
  guest->send(own_packet(*guest));
  EXPECT_EQ(guest->refusal(ErrorCode::quota_exceeded),
            "8192 bytes of route budgets more would exceed the quota of 'alice': 8192 of 10000 are "
            "in use (R32)");
}

TEST(Limits, R32_one_principal_leaves_others_their_share) {
  TestBroker broker({.policy = policy("", "[broker]\nmaximum_routes = 4\n")});
  const auto guest = broker.guest("alice");
  ASSERT_NE(guest->subscribe(own_packet(*guest)), nullptr);
  ASSERT_NE(guest->subscribe(own_packet(*guest)), nullptr);
  guest->send(own_packet(*guest));
  EXPECT_EQ(guest->refusal(ErrorCode::quota_exceeded),
            "1 routes more would leave too little for others: of the 4 of 'the broker' this "
            "principal has 2 already (R32)");
}

TEST(Limits, R32_attaching_too_often_is_refused) {
  std::atomic<std::uint64_t> now{1'000'000'000};
  TestBroker broker({.policy = policy("attaches_per_minute = 2"),
                     .listening = true,
                     .tweak = [&](auto& options) { options.clock = [&] { return now.load(); }; }});
  for (int count = 0; count < 2; ++count) RawGuest(broker.socket_path()).hello();
  RawGuest third(broker.socket_path());
  third.send(third.hello_packet());
  EXPECT_EQ(third.refusal(ErrorCode::rate_limited),
            "principal 'alice' attaches too often: its quota is 2 attaches per minute");
  now += 30'000'000'000;
  RawGuest(broker.socket_path()).hello();
}

TEST(Limits, R32_outbox_bytes_are_charged_before_they_are_made) {
  TestBroker broker({.policy = policy("outbox_bytes = 65536")});
  const auto guest = broker.guest("alice");
  auto packet = guest->packet<control::OpenOutbox>(Kind::open_outbox);
  packet.ring_bytes = 65'537;
  guest->send(packet);
  EXPECT_EQ(guest->refusal(ErrorCode::quota_exceeded),
            "131072 bytes of outboxes more would exceed the quota of 'alice': 0 of 65536 are in "
            "use (R32)");
  EXPECT_NE(guest->open_outbox(65'536), nullptr);
}

TEST(Limits, subscriptions_beyond_the_policy_are_refused_with_their_reason) {
  TestBroker broker({.policy = policy("lanes_per_route = 128")});
  const auto guest = broker.guest("alice");
  const auto refusal = [&](ErrorCode code, const auto& change) {
    auto packet = own_packet(*guest);
    change(packet);
    guest->send(packet);
    return guest->refusal(code);
  };
  EXPECT_EQ(refusal(ErrorCode::denied, [](auto& p) { p.pattern.assign("b.c"); }),
            "principal 'alice' may not subscribe to 'b.c': no subscribe pattern of its policy "
            "covers all of it");
  EXPECT_EQ(refusal(ErrorCode::denied, [](auto& p) { p.pattern.assign("*"); }),
            "principal 'alice' may not subscribe to '*': no subscribe pattern of its policy "
            "covers all of it");
  EXPECT_NE(refusal(ErrorCode::invalid_pattern, [](auto& p) { p.pattern.assign("a..b"); })
                .find("cannot subscribe to 'a..b': "),
            std::string::npos);
  EXPECT_EQ(refusal(ErrorCode::denied, [](auto& p) { p.admission = shm::AdmissionKind::all; }),
            "principal 'alice' may not have a route that admits all principals: the admission of "
            "its policy is 'own-or-system'");
  EXPECT_EQ(
      refusal(ErrorCode::denied, [](auto& p) { p.eviction = shm::EvictionPolicy::fair_share; }),
      "principal 'alice' may not have a route with eviction 'fair-share': its policy allows "
      "'oldest-head'");
  EXPECT_EQ(refusal(ErrorCode::quota_exceeded, [](auto& p) { p.budget_bytes = 8'193; }),
            "a route budget of 8193 bytes is too large: the policy allows 8192 "
            "(maximum_budget_bytes)");
  EXPECT_EQ(refusal(ErrorCode::quota_exceeded, [](auto& p) { p.lane_capacity = 129; }),
            "a route of 129 lanes is too large: the policy allows 128 (quota.lanes_per_route)");
  EXPECT_TRUE(broker->statistics().routes.empty());
}

TEST(Limits, zeros_ask_for_what_the_policy_gives_by_default) {
  TestBroker broker({.policy = policy("lanes_per_route = 100")});
  const auto guest = broker.guest("alice");
  auto packet = guest->packet<control::Subscribe>(Kind::subscribe);
  packet.pattern.assign("a.*");
  const auto route = guest->subscribe(packet);
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->answer.lane_capacity, 128U);  // whole pages of 64
  const shm::RouteIdentity& identity = route->header().identity;
  EXPECT_EQ(identity.budget_bytes, 8'192U);
  EXPECT_EQ(identity.eviction, shm::EvictionPolicy::oldest_head);
  EXPECT_EQ(identity.admission, shm::AdmissionKind::principal_or_system);
  EXPECT_EQ(identity.owner.view(), "alice");
  EXPECT_EQ(identity.admitted_principal.view(), "alice");
  EXPECT_EQ(identity.capsule, test_capsule());
}

TEST(Limits, R12_what_a_route_does_not_admit_never_touches_it) {
  TestBroker broker({.policy = policy("")});
  const auto guest = broker.guest("alice");
  const auto route = guest->subscribe(own_packet(*guest));
  EXPECT_EQ(broker->publish("bob", "a.b", "x").matched, 0U);
  EXPECT_EQ(broker->publish("alice", "a.b", "y").taken, 1U);
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"y"}));
}

TEST(Limits, requests_wait_while_too_many_descriptors_are_on_their_way) {
  TestBroker broker({.policy = policy("", "[broker]\ndescriptors_in_flight = 3\n")});
  const auto slow = broker.guest("alice");
  const auto other = broker.guest("alice", 2);
  const auto first = own_packet(*slow);
  slow->send(first);
  const Reply reply = slow->receive();
  ASSERT_EQ(reply.kind(), Kind::subscribed);  // two descriptors, not acknowledged
  const auto second = own_packet(*other);
  other->send(second);
  auto third = own_packet(*slow);
  slow->send(third);  // its own next request waits as well
  EXPECT_TRUE(broker.wait_until([](const auto& now) { return now.descriptors_in_flight == 2; }));
  EXPECT_TRUE(other->nothing_to_receive());
  slow->acknowledge(first.header.request);
  // Now one of the two that wait is served, and when that is acknowledged the other.
  struct pollfd entries[2] = {{slow->descriptor(), POLLIN, 0}, {other->descriptor(), POLLIN, 0}};
  ASSERT_GT(::poll(entries, 2, 10'000), 0);
  const bool slow_first = (entries[0].revents & POLLIN) != 0;
  const auto answered = [](RawGuest& guest, std::uint64_t request) {
    EXPECT_EQ(guest.receive().kind(), Kind::subscribed);
    guest.acknowledge(request);
  };
  if (slow_first) answered(*slow, third.header.request);
  answered(*other, second.header.request);
  if (!slow_first) answered(*slow, third.header.request);
  EXPECT_TRUE(broker.wait_until([](const auto& now) { return now.descriptors_in_flight == 0; }));
}

TEST(Limits, who_never_acknowledges_descriptors_is_disconnected_at_the_deadline) {
  TestBroker broker({.policy = policy("", "[broker]\nattach_deadline_ms = 100\n")});
  const auto guest = broker.guest("alice");
  const auto packet = own_packet(*guest);
  guest->send(packet);
  EXPECT_EQ(guest->receive().kind(), Kind::subscribed);
  EXPECT_TRUE(guest->hung_up());
  EXPECT_TRUE(broker.logged("disconnected: it did not acknowledge descriptors in time"));
  EXPECT_EQ(broker->statistics().descriptors_in_flight, 0U);
  EXPECT_EQ(broker->statistics().expired_deadlines, 1U);
}

TEST(Limits, too_many_requests_that_wait_are_a_violation) {
  TestBroker broker({.policy = policy("", "[broker]\ndescriptors_in_flight = 3\n")});
  const auto guest = broker.guest("alice");
  for (int count = 0; count < 18; ++count) guest->send(own_packet(*guest));
  EXPECT_TRUE(guest->hung_up());
  EXPECT_TRUE(broker.logged("more requests than may wait"));
}

TEST(Limits, a_request_that_waits_goes_on_when_a_liar_s_descriptors_come_back) {
  TestBroker broker({.policy = policy("", "[broker]\ndescriptors_in_flight = 3\n")});
  const auto liar = broker.guest("alice");
  const auto outbox = liar->open_outbox();
  liar->send(own_packet(*liar));
  EXPECT_EQ(liar->receive().kind(), Kind::subscribed);  // and never acknowledged
  const auto guest = broker.guest("alice", 2);
  const auto other = broker.guest("alice", 3);
  guest->send(own_packet(*guest));
  other->set_gate(true);  // sockets are read in the order in which something came
  outbox->set_tail(7);
  liar->plain(Kind::kick);
  EXPECT_TRUE(liar->hung_up());
  const Reply reply = guest->receive();
  ASSERT_EQ(reply.kind(), Kind::subscribed);
}

TEST(Limits, requests_that_wait_go_on_one_after_the_other_without_anything_to_wake_for) {
  TestBroker broker({.policy = policy("", "[broker]\ndescriptors_in_flight = 14\n")});
  const auto idle = broker.guest("alice");
  for (int each = 0; each < 3; ++each) {
    idle->send(own_packet(*idle));
    ASSERT_EQ(idle->receive().kind(), Kind::subscribed);
  }
  const auto guest = broker.guest("alice", 2);
  const auto other = broker.guest("alice", 3);
  for (int each = 0; each < 3; ++each) guest->send(own_packet(*guest));
  other->set_gate(true);  // sockets are read in the order in which something came
  idle->leave();
  for (int each = 0; each < 3; ++each) {
    const Reply reply = guest->receive();  // nothing is acknowledged meanwhile
    ASSERT_EQ(reply.kind(), Kind::subscribed) << each;
  }
}

TEST(Limits, a_sealed_route_cannot_be_mapped_writable_or_resized) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  auto packet = guest->subscribe_packet("t");
  packet.backing = control::BackingWish::sealed;
  const auto route = guest->subscribe(packet);
  ASSERT_EQ(route->answer.sealed, 1U);
  EXPECT_EQ(broker.segments().size(), 1U);
  EXPECT_EQ(::mmap(nullptr, 4'096, PROT_WRITE, MAP_SHARED, route->route_descriptor(), 0),
            MAP_FAILED);
  const std::string path = "/proc/self/fd/" + std::to_string(route->route_descriptor());
  const shm::UniqueFd reopened(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  EXPECT_EQ(::mmap(nullptr, 4'096, PROT_WRITE, MAP_SHARED, reopened.get(), 0), MAP_FAILED);
  EXPECT_EQ(broker->publish("bob", "t", "sealed").taken, 1U);
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"sealed"}));
}

TEST(Limits, sealed_segments_are_listed_for_the_broker_s_own_user) {
  TestBroker broker({.listening = true});
  const auto guest = broker.guest("alice");
  auto packet = guest->subscribe_packet("t");
  packet.backing = control::BackingWish::sealed;
  std::vector<std::unique_ptr<RawRoute>> routes;
  for (int count = 0; count < 3; ++count) {
    packet.header.request += 100;
    routes.push_back(guest->subscribe(packet));
  }
  RawGuest dump(broker.socket_path());
  const auto ask = dump.packet<control::Plain>(Kind::list_sealed);
  dump.send(ask);
  std::size_t listed = 0;
  for (;;) {
    const Reply reply = dump.receive();
    if (reply.kind() == Kind::done) break;
    ASSERT_EQ(reply.kind(), Kind::sealed_segment);
    ASSERT_EQ(reply.descriptors.size(), 1U);
    EXPECT_EQ(reply.as<control::SealedSegment>().kind, shm::SegmentKind::route);
    EXPECT_EQ(::mmap(nullptr, 4'096, PROT_WRITE, MAP_SHARED, reply.descriptors[0].get(), 0),
              MAP_FAILED);
    ++listed;
    dump.acknowledge(ask.header.request);
  }
  EXPECT_EQ(listed, 3U);
}

TEST(Limits, a_wake_up_socket_is_written_when_the_guest_armed_it) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  auto packet = guest->subscribe_packet("t");
  packet.wants_descriptor = 1;
  const auto route = guest->subscribe(packet);
  ASSERT_EQ(route->answer.has_descriptor, 1U);
  ASSERT_GE(route->wake_descriptor(), 0);
  route->reader().arm_count().fetch_add(1);
  (void)broker->publish("bob", "t", "x");
  EXPECT_TRUE(shm::wait_for_events(route->wake_descriptor(), POLLIN,
                                   std::chrono::steady_clock::now() + kPatience));
}

TEST(Limits, a_route_with_senseless_cursors_is_ended_and_its_guest_told) {
  TestBroker broker;
  const auto guest = broker.guest("alice");
  const auto route = guest->subscribe("t.*");
  const auto other = guest->subscribe("*");
  (void)broker->publish("bob", "t.x", "1");
  route->lane(0).head.store(1'000);
  (void)broker->publish("bob", "t.x", "2");
  const Reply reply = guest->receive();
  ASSERT_EQ(reply.kind(), Kind::ended);
  const auto ended = reply.as<control::Ended>();
  EXPECT_EQ(ended.subscription, route->answer.subscription);
  EXPECT_EQ(ended.state, shm::RouteState::poisoned);
  EXPECT_EQ(ended.sentence.view(),
            "the guest's cursors of this route make no sense, so it was closed; subscribe again "
            "to go on");
  EXPECT_TRUE(broker.logged("of alice, route " + std::to_string(route->answer.subscription) +
                            " on t.*: ended"));
  EXPECT_EQ(broker->statistics().poisoned_routes, 1U);
  EXPECT_EQ(other->payloads(), std::vector<std::string>({"1", "2"}));
  EXPECT_EQ(broker->publish("bob", "t.x", "3").taken, 1U);
}

TEST(Reload, a_bad_policy_keeps_the_old_one_and_says_why) {
  TestBroker broker({.policy = policy("routes = 1")});
  const auto guest = broker.guest("alice");
  broker.write_policy("[[principal]]\nname = \"alice\"\nroutes = 1\n");
  try {
    broker->reload_policy();
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::policy_invalid);
    EXPECT_NE(std::string(error.what()).find("policy.toml:1:1: "), std::string::npos)
        << error.what();
  }
  EXPECT_NE(guest->subscribe(own_packet(*guest)), nullptr);
}

TEST(Reload, what_the_new_policy_takes_away_ends) {
  TestBroker broker({.policy = policy("")});
  const auto guest = broker.guest("alice");
  const auto kept = guest->subscribe(own_packet(*guest, "a.b"));
  const auto lost = guest->subscribe(own_packet(*guest, "a.c"));
  std::string narrower = policy("");
  narrower.replace(narrower.find("[\"a.*\"]"), 7, "[\"a.b\"]");
  broker.write_policy(narrower);
  broker->reload_policy();
  const Reply reply = guest->receive();
  ASSERT_EQ(reply.kind(), Kind::ended);
  EXPECT_EQ(reply.as<control::Ended>().subscription, lost->answer.subscription);
  EXPECT_EQ(broker->publish("alice", "a.b", "x").taken, 1U);
  EXPECT_EQ(broker->publish("alice", "a.c", "x").matched, 0U);

  std::string without = policy("");
  without.replace(without.find("\"alice\""), 7, "\"carol\"");
  broker.write_policy(without);
  broker->reload_policy();
  EXPECT_TRUE(guest->hung_up());
  EXPECT_TRUE(broker.logged("of alice: the policy was reloaded: "));
}

}  // namespace
}  // namespace fairlead::test
