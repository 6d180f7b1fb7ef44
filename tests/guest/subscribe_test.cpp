// Getting a route, giving it back, and what is checked before it is used.
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include <fairlead/shm/layout/route_layout.hpp>

#include "guest/guest_fixture.hpp"
#include "support/child_process.hpp"

namespace fairlead::guest {
namespace {

using test::control::Ended;
using test::control::Header;
using test::control::Kind;
using test::control::Plain;
using test::control::SetGate;
using test::control::Subscribe;
using test::control::Unsubscribe;
using Packet = std::span<const std::byte>;
using Reply = shm::control::Subscribed;

TEST(Subscribe, says_what_was_asked_for_and_acknowledges_the_descriptors) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  Subscribe seen{};
  FakeRoute route({});
  std::uint64_t acknowledged = 0;
  std::uint64_t answered = 0;
  broker.on(Kind::subscribe, [&](FakeSession& session, const Header& header, Packet packet) {
    seen = test::packet_as<Subscribe>(packet);
    answered = header.request;
    Reply reply{};
    reply.subscription = 1;
    reply.route_segment_bytes = route.route_bytes();
    reply.cursor_segment_bytes = route.cursor_bytes();
    reply.lane_capacity = 64;
    reply.sealed = 1;
    const auto segment = route.guest_segment();
    const auto cursors = route.guest_cursors();
    session.answer(Kind::subscribed, header.request, reply, {segment.get(), cursors.get()});
  });
  broker.on(Kind::acknowledge,
            [&](FakeSession&, const Header& header, Packet) { acknowledged = header.request; });
  SubscribeOptions options;
  options.admission = shm::AdmissionKind::principal_or_system;
  options.admitted_principal = "agent.scout";
  options.eviction = shm::EvictionPolicy::fair_share;
  options.budget_bytes = 123'456;
  options.cap_bytes = 7'654'321;
  options.lanes = 128;
  options.backing = Backing::sealed;
  options.staged = true;
  options.descriptor = false;
  const Subscription subscription = guest.subscribe("a.*", options);

  EXPECT_EQ(seen.pattern.view(), "a.*");
  EXPECT_EQ(seen.admission, shm::AdmissionKind::principal_or_system);
  EXPECT_EQ(seen.admitted_principal.view(), "agent.scout");
  EXPECT_EQ(seen.eviction, shm::EvictionPolicy::fair_share);
  EXPECT_EQ(seen.budget_bytes, 123'456U);
  EXPECT_EQ(seen.cap_bytes, 7'654'321U);
  EXPECT_EQ(seen.lane_capacity, 128U);
  EXPECT_EQ(seen.backing, shm::control::BackingWish::sealed);
  EXPECT_EQ(seen.staged, 1U);
  EXPECT_EQ(seen.wants_descriptor, 0U);
  ASSERT_TRUE(broker.wait_for(Kind::acknowledge, 1));
  EXPECT_EQ(acknowledged, answered);
  EXPECT_EQ(subscription.number(), 1U);
  EXPECT_EQ(subscription.pattern(), "a.*");
  EXPECT_EQ(subscription.state(), shm::RouteState::open);
  EXPECT_EQ(subscription.descriptor(), -1);
}

TEST(Subscribe, R12_R17_what_is_not_asked_for_is_left_to_the_policy) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  Subscribe seen{};
  seen.admission = shm::AdmissionKind::all;
  seen.eviction = shm::EvictionPolicy::reject;
  broker.on(Kind::subscribe, [&](FakeSession& session, const Header& header, Packet packet) {
    seen = test::packet_as<Subscribe>(packet);
    session.refuse(header.request, ErrorCode::denied, "no");
  });
  expect_error(ErrorCode::denied, [&] { (void)guest.subscribe("a"); });
  EXPECT_EQ(seen.admission, shm::AdmissionKind::policy_default);
  EXPECT_EQ(seen.eviction, shm::EvictionPolicy::policy_default);
  EXPECT_EQ(seen.budget_bytes, 0U);
}

TEST(Subscribe, R04_a_bad_pattern_never_leaves_the_process) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  for (const char* pattern : {"", "a..b", "a*", "a b", ".a"}) {
    const auto sentence =
        expect_error(ErrorCode::invalid_pattern, [&] { (void)guest.subscribe(pattern); });
    EXPECT_NE(sentence.find("R04"), std::string::npos) << pattern;
  }
  SubscribeOptions options;
  options.admitted_principal = "two words";
  expect_error(ErrorCode::invalid_principal, [&] { (void)guest.subscribe("a", options); });
  EXPECT_EQ(broker.count(Kind::subscribe), 0U);
}

TEST(Subscribe, passes_the_brokers_refusal_on_and_stays_attached) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  broker.on(Kind::subscribe, [](FakeSession& session, const Header& header, Packet) {
    session.refuse(header.request, ErrorCode::quota_exceeded, "alice has 3 of 3 routes (R32)");
  });
  EXPECT_EQ(expect_error(ErrorCode::quota_exceeded, [&] { (void)guest.subscribe("a"); }),
            "alice has 3 of 3 routes (R32)");
  guest.open_gate();
  EXPECT_TRUE(guest.connected());
}

TEST(Subscribe, R13_the_gate_is_set_for_all_routes_at_once) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  std::vector<std::uint32_t> positions;
  broker.on(Kind::set_gate, [&](FakeSession& session, const Header& header, Packet packet) {
    positions.push_back(test::packet_as<SetGate>(packet).open);
    session.answer(Kind::done, header.request, Plain{});
  });
  guest.open_gate();
  guest.retire_gate();
  EXPECT_EQ(positions, (std::vector<std::uint32_t>{1, 0}));
}

// ---- the end of a route ------------------------------------------------------------------------

TEST(Subscribe, a_destroyed_subscription_ends_its_route_once_nothing_of_it_is_held) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  std::optional<Subscription> subscription = guest.subscribe("a.*");
  broker.route(0).publish("p", "a.b", "one");
  Batch batch = subscription->drain();
  ASSERT_EQ(batch.size(), 1U);
  std::optional<Kept> kept = subscription->keep(batch.front());
  ASSERT_TRUE(kept);
  subscription.reset();
  batch.release();
  guest.open_gate();  // the broker has read everything before it
  EXPECT_EQ(broker.count(Kind::unsubscribe), 0U);
  EXPECT_EQ((*kept)->text(), "one");
  kept.reset();
  EXPECT_TRUE(broker.wait_for(Kind::unsubscribe, 1));
}

TEST(Subscribe, unsubscribe_waits_for_the_broker_and_tells_it_when_nothing_is_held_any_more) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  std::vector<std::uint32_t> unmapped;
  broker.on(Kind::unsubscribe, [&](FakeSession& session, const Header& header, Packet packet) {
    unmapped.push_back(test::packet_as<Unsubscribe>(packet).unmapped);
    session.answer(Kind::done, header.request, Plain{});
  });
  Subscription subscription = guest.subscribe("a.*");
  broker.route(0).publish("p", "a.b", "one");
  Batch batch = subscription.drain();
  guest.unsubscribe(std::move(subscription));
  guest.open_gate();  // whatever was said before has been heard
  EXPECT_EQ(unmapped, std::vector<std::uint32_t>{0});
  EXPECT_EQ(texts(batch), std::vector<std::string>{"one"});
  batch.release();
  guest.open_gate();
  EXPECT_EQ(unmapped, (std::vector<std::uint32_t>{0, 1}));
}

TEST(Subscribe, a_forked_child_leaves_its_parents_route_alone) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  std::optional<Subscription> subscription = guest.subscribe("a.*");
  test::ChildProcess child([&]() -> std::string {
    subscription.reset();
    return "";
  });
  EXPECT_EQ(child.result(), "");
  guest.open_gate();
  EXPECT_EQ(broker.count(Kind::unsubscribe), 0U);
}

TEST(Subscribe, the_connection_lives_as_long_as_anything_made_through_it) {
  FakeBroker broker;
  std::optional<Guest> guest = attach_to(broker);
  std::optional<Subscription> subscription = guest->subscribe("a.*");
  guest.reset();
  broker.route(0).publish("p", "a.b", "one");
  EXPECT_EQ(texts(subscription->drain()), std::vector<std::string>{"one"});
}

Ended ended_packet(std::uint64_t subscription) {
  Ended ended{};
  ended.subscription = subscription;
  ended.state = shm::RouteState::closed;
  ended.reason = shm::Refusal::not_permitted;
  ended.sentence.assign("the policy changed");
  return ended;
}

TEST(Subscribe, news_between_question_and_answer_are_kept) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  const Subscription subscription = guest.subscribe("a.*");
  EXPECT_FALSE(subscription.end());
  broker.on(Kind::set_gate, [&](FakeSession& session, const Header& header, Packet) {
    session.answer(Kind::ended, 0, ended_packet(1));
    session.answer(Kind::done, header.request, Plain{});
  });
  guest.open_gate();
  const auto end = subscription.end();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->state, shm::RouteState::closed);
  EXPECT_EQ(end->reason, shm::Refusal::not_permitted);
  EXPECT_EQ(end->sentence, "the policy changed");
}

TEST(Subscribe, the_words_for_an_end_are_waited_for) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  const Subscription subscription = guest.subscribe("a.*");
  EXPECT_FALSE(subscription.end(milliseconds(1)));
  broker.on(Kind::set_gate, [&](FakeSession& session, const Header& header, Packet) {
    session.answer(Kind::done, header.request, Plain{});
    session.answer(Kind::ended, 0, ended_packet(1));
  });
  auto asking = std::async(std::launch::async, [&] { guest.open_gate(); });
  const auto found = subscription.end(seconds(30));
  asking.get();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->sentence, "the policy changed");
}

TEST(Subscribe, news_that_come_unasked_are_kept_as_well) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  const Subscription subscription = guest.subscribe("a.*");
  broker.on(Kind::kick, [&](FakeSession& session, const Header&, Packet) {
    session.answer(Kind::ended, 0, ended_packet(1));
  });
  broker.on(Kind::open_outbox, [&](FakeSession& session, const Header& header, Packet) {
    session.answer(Kind::ended, 0, ended_packet(1));
    session.refuse(header.request, ErrorCode::denied, "no");
    session.answer(Kind::ended, 0, ended_packet(2));
  });
  expect_error(ErrorCode::denied, [&] { (void)guest.publisher(); });
  EXPECT_TRUE(subscription.end());
  EXPECT_TRUE(guest.connected());
}

// ---- segments that are not what the broker says ------------------------------------------------

struct BadRoute {
  const char* name;
  ErrorCode code;
  std::function<void(Reply&, FakeRoute&)> spoil;
};

void PrintTo(const BadRoute& route, std::ostream* out) { *out << route.name; }

class BadRoutes : public testing::TestWithParam<BadRoute> {};

TEST_P(BadRoutes, are_refused_and_given_back) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  FakeRoute route({});
  broker.on(Kind::subscribe, [&](FakeSession& session, const Header& header, Packet) {
    Reply reply{};
    reply.subscription = 17;
    reply.route_segment_bytes = route.route_bytes();
    reply.cursor_segment_bytes = route.cursor_bytes();
    reply.lane_capacity = 64;
    reply.sealed = 1;
    GetParam().spoil(reply, route);
    const auto segment = route.guest_segment();
    const auto cursors = route.guest_cursors();
    session.answer(Kind::subscribed, header.request, reply, {segment.get(), cursors.get()});
  });
  std::uint64_t given_back = 0;
  broker.on(Kind::unsubscribe, [&](FakeSession&, const Header&, Packet packet) {
    given_back = test::packet_as<Unsubscribe>(packet).subscription;
  });
  expect_error(GetParam().code, [&] { (void)guest.subscribe("a"); });
  ASSERT_TRUE(broker.wait_for(Kind::unsubscribe, 1));
  EXPECT_EQ(given_back, 17U);
  EXPECT_TRUE(guest.connected());
}

shm::SegmentHeader& header_of(FakeRoute& route) { return route.writer().header().segment; }

INSTANTIATE_TEST_SUITE_P(
    Subscribe, BadRoutes,
    testing::Values(BadRoute{"no_lanes", ErrorCode::corrupt,
                             [](Reply& reply, FakeRoute&) { reply.lane_capacity = 0; }},
                    BadRoute{"half_a_page_of_lanes", ErrorCode::corrupt,
                             [](Reply& reply, FakeRoute&) { reply.lane_capacity = 32; }},
                    BadRoute{"more_lanes_than_any_route", ErrorCode::corrupt,
                             [](Reply& reply, FakeRoute&) { reply.lane_capacity = 1U << 30; }},
                    BadRoute{"more_lanes_than_cursors", ErrorCode::corrupt,
                             [](Reply& reply, FakeRoute&) { reply.lane_capacity = 128; }},
                    BadRoute{"cursors_longer_than_their_file", ErrorCode::truncated,
                             [](Reply& reply, FakeRoute&) { reply.cursor_segment_bytes *= 2; }},
                    BadRoute{"route_longer_than_its_file", ErrorCode::truncated,
                             [](Reply& reply, FakeRoute&) { reply.route_segment_bytes *= 2; }},
                    BadRoute{"route_shorter_than_its_header_says", ErrorCode::corrupt,
                             [](Reply& reply, FakeRoute&) { reply.route_segment_bytes /= 2; }},
                    BadRoute{"route_without_room_for_a_header", ErrorCode::corrupt,
                             [](Reply& reply, FakeRoute&) { reply.route_segment_bytes = 64; }},
                    BadRoute{
                        "route_of_absurd_size", ErrorCode::corrupt,
                        [](Reply& reply, FakeRoute&) { reply.route_segment_bytes = 1ULL << 60; }},
                    BadRoute{"a_descriptor_missing", ErrorCode::protocol,
                             [](Reply& reply, FakeRoute&) { reply.has_descriptor = 1; }},
                    BadRoute{"another_layout", ErrorCode::wrong_layout,
                             [](Reply&, FakeRoute& route) { ++header_of(route).layout_hash; }},
                    BadRoute{"another_version", ErrorCode::wrong_version,
                             [](Reply&, FakeRoute& route) { header_of(route).version = 77; }},
                    BadRoute{"another_kind", ErrorCode::foreign_segment,
                             [](Reply&, FakeRoute& route) {
                               header_of(route).kind = shm::SegmentKind::receipt;
                             }},
                    BadRoute{"not_ours_at_all", ErrorCode::foreign_segment,
                             [](Reply&, FakeRoute& route) { header_of(route).magic = 1; }}),
    [](const auto& instance) { return instance.param.name; });

TEST(Subscribe, a_route_said_to_be_sealed_must_be) {
  FakeBroker broker;
  broker.set_route_options({.backing = shm::Backing::named});
  Guest guest = attach_to(broker);
  EXPECT_NO_THROW((void)guest.subscribe("a"));
  broker.on(Kind::subscribe, [&](FakeSession& session, const Header& header, Packet) {
    FakeRoute& route = broker.route(0);
    Reply reply{};
    reply.route_segment_bytes = route.route_bytes();
    reply.cursor_segment_bytes = route.cursor_bytes();
    reply.lane_capacity = 64;
    reply.sealed = 1;
    const auto segment = route.guest_segment();
    const auto cursors = route.guest_cursors();
    session.answer(Kind::subscribed, header.request, reply, {segment.get(), cursors.get()});
  });
  expect_error(ErrorCode::foreign_segment, [&] { (void)guest.subscribe("a"); });
}

TEST(Subscribe, the_guest_cannot_write_where_the_broker_writes) {
  Subscribed attached;
  const SharedRoute shared = attached.subscription.share();
  struct stat file {};
  ASSERT_EQ(::fstat(shared.route.get(), &file), 0);
  const std::byte byte{1};
  EXPECT_LT(::pwrite(shared.route.get(), &byte, 1, 0), 0);
}

TEST(Subscribe, what_is_assigned_over_ends_and_what_was_assigned_goes_on) {
  FakeBroker broker;
  Guest guest = attach_to(broker);
  Subscription subscription = guest.subscribe("a.*");
  Guest other = attach_to(broker);
  subscription = other.subscribe("b.*");
  subscription.set_waiting({.spin = std::chrono::nanoseconds(0)});
  guest = std::move(other);
  broker.route(1).publish("alice", "b.c", "text");
  EXPECT_EQ(subscription.wait(seconds(30)), WaitOutcome::ready);
  EXPECT_EQ(texts(subscription.take()), std::vector<std::string>{"text"});
}

}  // namespace
}  // namespace fairlead::guest
