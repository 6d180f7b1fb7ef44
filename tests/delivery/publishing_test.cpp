// R06 to R13: who gets a message, in which order, and what the publisher is told.
#include "rule_fixture.hpp"

namespace fairlead::test {
namespace {

using Texts = std::vector<std::string>;

class Publishing : public RuleTest {};
FAIRLEAD_UNDER_EVERY_DRIVER(Publishing);

TEST_P(Publishing, R06_is_in_the_principals_lane_of_every_matching_route_when_the_call_returns) {
  TestRoute& one = add(Policy::oldest_head, 1'000, "a.*");
  TestRoute& two = add(Policy::fair_share, 1'000, "*.b");
  TestRoute& other = add(Policy::oldest_head, 1'000, "c.*");
  const Report report = publish("alice", "hello", "a.b");
  EXPECT_EQ(report.matched, 2U);
  EXPECT_EQ(report.taken, 2U);
  for (TestRoute* route : {&one, &two}) {
    EXPECT_EQ(route->queued(), 1U);
    EXPECT_EQ(route->route->writer().principal(0), "alice");
    const auto taken = route->take_all();
    ASSERT_EQ(taken.size(), 1U);
    EXPECT_EQ(taken[0].principal, "alice");
    EXPECT_EQ(taken[0].topic, "a.b");
    EXPECT_EQ(taken[0].payload, "hello");
  }
  EXPECT_EQ(other.drain().outcome, Outcome::empty);
}

TEST_P(Publishing, R07_two_subscriptions_of_one_pattern_both_receive) {
  TestRoute& one = add(Policy::oldest_head, 1'000, "a.b");
  TestRoute& two = add(Policy::oldest_head, 1'000, "a.b");
  publish("alice", "first", "a.b");
  EXPECT_EQ(payloads(one.take_all()), Texts{"first"});
  publish("alice", "second", "a.b");
  EXPECT_EQ(payloads(two.take_all()), (Texts{"first", "second"}));
  EXPECT_EQ(payloads(one.take_all()), Texts{"second"});
}

TEST_P(Publishing, R08_sequence_numbers_rise_strictly_and_the_stamp_is_the_brokers) {
  TestRoute& route = add(Policy::oldest_head, 10'000);
  std::uint64_t before = 0;
  for (std::uint64_t each = 1; each <= 20; ++each) {
    const Report report =
        delivery_.publish("p" + std::to_string(each % 3), "t", {}, 7, each * 2, each * 1'000);
    EXPECT_GT(report.sequence, before);
    before = report.sequence;
  }
  for (const TakenMessage& message : route.take_all()) {
    EXPECT_EQ(message.publisher, 7U);
    EXPECT_EQ(message.publish_number, message.sequence * 2);
    EXPECT_EQ(message.published_nanoseconds, message.sequence * 1'000);
  }
}

TEST_P(Publishing, R08_a_publish_that_is_refused_as_a_whole_has_no_sequence_number) {
  add(Policy::oldest_head, 10'000);
  EXPECT_EQ(publish("p", "x", "not..a.topic").sequence, 0U);
  EXPECT_EQ(publish("p", "x", "t").sequence, 1U);
  EXPECT_EQ(publish("p", "x", "*").reason, Refusal::invalid_topic);
  EXPECT_EQ(publish("p", "x", "t").sequence, 2U);
}

TEST_P(Publishing, R09_within_a_lane_order_is_publish_order) {
  TestRoute& route = add(Policy::oldest_head, 1'000'000);
  std::vector<Texts> expected(5);
  for (std::size_t each = 0; each < 300; ++each) {
    const std::size_t who = each * 7 % 5;
    const std::string payload = std::to_string(each) + std::string(each * 13 % 400, '.');
    publish("p" + std::to_string(who), payload);
    expected[who].push_back(payload);
  }
  std::vector<Texts> got(5);
  for (auto taken = route.take_all(2'000, 17); !taken.empty(); taken = route.take_all(2'000, 17)) {
    for (const TakenMessage& message : taken)
      got[static_cast<std::size_t>(message.principal[1] - '0')].push_back(message.payload);
  }
  EXPECT_EQ(got, expected);
}

TEST_P(Publishing, R10_lanes_that_were_emptied_are_given_back_with_their_memory) {
  TestRoute& route = add(Policy::oldest_head, 4'000'000);
  constexpr std::uint64_t kMany = 5'000;
  for (std::uint64_t each = 0; each < kMany; ++each) publish("p" + std::to_string(each), "hello");
  EXPECT_EQ(route.counters().active_lanes.load(), kMany);
  EXPECT_EQ(route.take_all().size(), kMany);
  route.route->maintain();
  EXPECT_EQ(route.counters().active_lanes.load(), 0U);
  // 5,000 idle principals cost nothing: all of it is free again but the first page of lanes.
  EXPECT_EQ(route.counters().arena_used_bytes.load(), sizeof(shm::LanePage));
  const std::uint64_t pages = (kMany + shm::kLanesPerPage - 1) / shm::kLanesPerPage;
  for (std::uint64_t each = 0; each < kMany; ++each) publish("q" + std::to_string(each), "again");
  EXPECT_EQ(route.ends->header().lane_pages[pages].load(), 0U) << "slots were not used again";
  EXPECT_EQ(route.take_all().size(), kMany);
}

TEST_P(Publishing, R10_the_slot_that_was_given_back_last_is_used_first) {
  TestRoute& route = add(Policy::oldest_head, 10'000);
  for (const char* name : {"a", "b", "c"}) publish(name, "x");
  route.take_all(0, 1);  // a
  route.take_all(0, 1);  // b
  route.route->maintain();
  publish("d", "x");
  publish("e", "x");
  const shm::RouteWriter& writer = route.route->writer();
  EXPECT_EQ(writer.principal(1), "d");
  EXPECT_EQ(writer.principal(0), "e");
  EXPECT_EQ(writer.principal(2), "c");
}

TEST_P(Publishing, R11_the_report_says_who_took_it_what_went_for_it_and_why_a_route_refused) {
  TestRoute& small = add(Policy::reject, 100);
  add(Policy::oldest_head, 100);
  add(Policy::oldest_head, 5);
  add(Policy::oldest_head, 1'000, "other");
  Report report = publish_bytes("p", 60);
  EXPECT_EQ(report.matched, 3U);
  EXPECT_EQ(report.taken, 2U);
  EXPECT_EQ(report.refused, 1U);
  EXPECT_EQ(report.evicted, 0U);
  EXPECT_EQ(report.reason, Refusal::larger_than_budget);
  report = publish_bytes("q", 60);
  EXPECT_EQ(report.taken, 1U);
  EXPECT_EQ(report.refused, 2U);
  EXPECT_EQ(report.evicted, 1U);
  EXPECT_EQ(report.reason, Refusal::full);
  EXPECT_EQ(small.counters().refused.load(), 1U);
  report = publish("p", "x", "nobody.listens");
  EXPECT_EQ(publish("p", std::string(5 * 1024 * 1024 + 1, 'x')).reason, Refusal::larger_than_limit);
}

TEST_P(Publishing, R12_what_is_not_admitted_does_not_touch_the_route) {
  shm::RouteIdentity exactly = identity_of("*", 1'000, 100'000, 64);
  exactly.admission = shm::AdmissionKind::exactly;
  exactly.admitted_principal.assign("alice");
  shm::RouteIdentity or_system = exactly;
  or_system.admission = shm::AdmissionKind::principal_or_system;
  TestRoute& one = add(exactly);
  TestRoute& two = add(or_system);
  publish("alice", "for both");
  const auto image = [](TestRoute& route) {
    return std::string(reinterpret_cast<const char*>(route.ends->segment().data()), 64 * 1024);
  };
  const std::string one_before = image(one);
  const std::string two_before = image(two);
  EXPECT_EQ(publish("alic", "x").matched, 0U);
  EXPECT_EQ(publish("agent.alice", "x").matched, 0U);
  EXPECT_EQ(image(two), two_before);
  EXPECT_EQ(publish("", "from system").matched, 1U);
  EXPECT_EQ(image(one), one_before) << "not one byte of it changes";
  EXPECT_EQ(payloads(one.take_all()), Texts{"for both"});
  EXPECT_EQ(payloads(two.take_all()), (Texts{"for both", "from system"}));
}

TEST_P(Publishing, R13_a_staged_route_admits_nothing_before_its_gate_opens_and_replays_nothing) {
  const auto gate = std::make_shared<broker::Gate>(false);
  TestRoute& one = add(identity_of("*", 1'000, 100'000, 64), gate);
  TestRoute& two = add(identity_of("t", 1'000, 100'000, 64), gate);
  TestRoute& open = add(identity_of("*", 1'000, 100'000, 64));
  EXPECT_EQ(publish("p", "before").matched, 1U);
  gate->open(delivery_.next_sequence());
  EXPECT_EQ(publish("p", "while").matched, 3U);
  gate->retire(delivery_.next_sequence());
  EXPECT_EQ(publish("p", "after").matched, 1U);
  EXPECT_EQ(payloads(one.take_all()), Texts{"while"});
  EXPECT_EQ(payloads(two.take_all()), Texts{"while"});
  EXPECT_EQ(payloads(open.take_all()), (Texts{"before", "while", "after"}));
}

TEST_P(Publishing, R13_a_fan_out_that_pauses_keeps_to_what_the_gate_said_when_it_began) {
  const auto gate = std::make_shared<broker::Gate>(false);
  TestRoute& open = add(identity_of("*", 1'000, 100'000, 64));
  TestRoute& staged = add(identity_of("*", 1'000, 100'000, 64), gate);
  broker::FanOut fan_out;
  bool blocked = false;
  delivery_.begin(fan_out, "p", "t", 1, 0, 1, 1);
  gate->open(delivery_.next_sequence());
  delivery_.proceed(fan_out, bytes_of("x"), 10, false, blocked);
  EXPECT_EQ(fan_out.report.taken, 1U);
  delivery_.begin(fan_out, "p", "t", 1, 0, 2, 2);
  gate->retire(delivery_.next_sequence());
  delivery_.proceed(fan_out, bytes_of("y"), 10, false, blocked);
  EXPECT_EQ(fan_out.report.taken, 2U);
  EXPECT_EQ(payloads(open.take_all()), (Texts{"x", "y"}));
  EXPECT_EQ(payloads(staged.take_all()), Texts{"y"});
}

TEST_P(Publishing, R33_a_fan_out_pauses_and_skips_routes_that_end_meanwhile) {
  TestRoute& first = add(Policy::oldest_head, 1'000);
  TestRoute& second = add(Policy::oldest_head, 1'000);
  TestRoute& third = add(Policy::oldest_head, 1'000);
  broker::FanOut fan_out;
  bool blocked = false;
  delivery_.begin(fan_out, "p", "t", 1, 0, 1, 1);
  EXPECT_EQ(delivery_.proceed(fan_out, bytes_of("x"), 1, false, blocked), 1U);
  EXPECT_EQ(first.queued(), 1U);
  EXPECT_EQ(second.queued(), 0U);
  delivery_.remove(second.id);
  // The freed id goes to another subscription, which began after the fan-out.
  TestRoute& late = add(Policy::oldest_head, 1'000);
  EXPECT_EQ(late.id, second.id);
  EXPECT_EQ(delivery_.proceed(fan_out, bytes_of("x"), 10, false, blocked), 2U);
  EXPECT_TRUE(fan_out.finished());
  EXPECT_EQ(fan_out.report.matched, 2U);
  EXPECT_EQ(fan_out.report.taken, 2U);
  EXPECT_EQ(third.queued(), 1U);
  EXPECT_EQ(late.queued(), 0U);
}

}  // namespace
}  // namespace fairlead::test
