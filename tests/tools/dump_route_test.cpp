// What the dump tool reads out of routes that are well.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "segment_builder.hpp"
#include "segment_directory.hpp"
#include "text/names.hpp"

namespace fairlead::tools::dump {
namespace {

using test::RouteBuilder;
using test::SegmentDirectory;

// Topic "agent.v1.x": 10 bytes of every message's cost.
constexpr std::uint64_t kTopicBytes = 10;

SegmentDump dumped(RouteBuilder& route) {
  const SegmentDirectory directory;
  directory.write(route.file_name(), route.bytes());
  return directory.only_segment();
}

const LaneDump* lane_of(const RouteDump& route, const std::string& principal) {
  for (const LaneDump& lane : route.lanes) {
    if (lane.principal == principal) return &lane;
  }
  return nullptr;
}

TEST(DumpRoute, an_idle_route_is_ok_and_says_who_it_is) {
  RouteBuilder builder;
  const SegmentDump segment = dumped(builder);
  EXPECT_EQ(test::verdict_text(segment), "ok");
  EXPECT_EQ(segment.kind, shm::SegmentKind::route);
  EXPECT_EQ(segment.id, 7U);
  EXPECT_EQ(segment.epoch, 3U);
  EXPECT_EQ(segment.file_bytes, shm::kRouteArenaOffset);
  ASSERT_NE(segment.route(), nullptr);
  const RouteDump& route = *segment.route();
  EXPECT_EQ(route.identity.pattern.view(), "agent.v1.*");
  EXPECT_EQ(route.identity.owner.view(), "alice");
  EXPECT_EQ(route.state, shm::RouteState::open);
  EXPECT_EQ(route.consistency, Consistency::whole);
  EXPECT_TRUE(route.messages.holds);
  EXPECT_TRUE(route.lanes.empty());
  EXPECT_EQ(route.free_bytes, route.arena_bytes);
  EXPECT_EQ(route.arena_bytes, 4 * 64 * 1024U);
}

TEST(DumpRoute, queued_messages_are_counted_by_lane) {
  RouteBuilder builder;
  builder.publish("bob", "12345", 5'000).publish("bob", "1").publish("", "xyz", 700);
  const SegmentDump segment = dumped(builder);
  ASSERT_NE(segment.route(), nullptr);
  const RouteDump& route = *segment.route();
  EXPECT_EQ(route.messages.published, 3U);
  EXPECT_EQ(route.messages.queued, 3U);
  EXPECT_EQ(route.bytes.queued, 9 + 3 * kTopicBytes);
  EXPECT_EQ(route.active_lanes, 2U);
  const LaneDump* bob = lane_of(route, "bob");
  ASSERT_NE(bob, nullptr);
  EXPECT_EQ(bob->depth, 2U);
  EXPECT_EQ(bob->queued_bytes, 6 + 2 * kTopicBytes);
  EXPECT_EQ(bob->head_age_ns, 5'000U);
  EXPECT_EQ(bob->published, 2U);
  EXPECT_EQ(bob->queued_high_water, 2U);
  EXPECT_EQ(bob->queued_bytes_high_water, 6 + 2 * kTopicBytes);
  const LaneDump* system = lane_of(route, "");
  ASSERT_NE(system, nullptr);
  EXPECT_EQ(system->depth, 1U);
  EXPECT_EQ(system->head_age_ns, 700U);
}

TEST(DumpRoute, a_message_from_before_a_reboot_has_no_age) {
  RouteBuilder builder;
  builder.publish("bob", "x", 0);
  const SegmentDirectory directory;
  directory.write(builder.file_name(), builder.bytes());
  MachineOptions options = directory.options();
  options.monotonic_now_ns = RouteBuilder::kNow - 1;
  const MachineDump machine = read_machine(options);
  const RouteDump& route = *machine.brokers.front().segments.front().route();
  EXPECT_EQ(route.lanes.front().head_age_ns, std::nullopt);
}

TEST(DumpRoute, R30_delivered_messages_leave_the_queue_and_the_sum_holds) {
  RouteBuilder builder;
  for (int each = 0; each < 10; ++each) builder.publish("bob", "12345678901234567890");
  builder.take(3 * (20 + kTopicBytes));
  const SegmentDump segment = dumped(builder);
  const RouteDump& route = *segment.route();
  EXPECT_EQ(route.messages.delivered, 3U);
  EXPECT_EQ(route.messages.queued, 7U);
  EXPECT_TRUE(route.messages.known);
  EXPECT_TRUE(route.messages.holds);
  EXPECT_TRUE(route.bytes.holds);
  EXPECT_EQ(lane_of(route, "bob")->delivered, 3U);
  EXPECT_EQ(lane_of(route, "bob")->depth, 7U);
  EXPECT_EQ(route.held_messages, 3U);
}

TEST(DumpRoute, R30_evicted_messages_are_told_by_lane_and_in_the_sum) {
  test::RouteSpec spec;
  spec.budget_bytes = 1'000;
  RouteBuilder builder(spec);
  const std::string payload(90, 'x');  // 100 with the topic
  for (int each = 0; each < 10; ++each) builder.publish("bob", payload);
  builder.publish("carol", payload).publish("carol", payload);
  const SegmentDump segment = dumped(builder);
  const RouteDump& route = *segment.route();
  EXPECT_EQ(route.messages.published, 12U);
  EXPECT_EQ(route.messages.evicted, 2U);
  EXPECT_EQ(route.bytes.evicted, 200U);
  EXPECT_TRUE(route.messages.holds);
  EXPECT_EQ(lane_of(route, "bob")->evicted, 2U);
  EXPECT_EQ(lane_of(route, "carol")->evicted, 0U);
  EXPECT_EQ(route.queued_high_water, 10U);
  EXPECT_EQ(route.queued_bytes_high_water, 1'000U);
}

TEST(DumpRoute, R29_losses_of_lanes_that_ended_are_told) {
  test::RouteSpec spec;
  spec.budget_bytes = 1'000;
  RouteBuilder builder(spec);
  builder.publish("bob", std::string(90, 'x'));
  builder.publish("carol", std::string(900, 'x'));  // 910: bob's only message must go
  const SegmentDump segment = dumped(builder);
  const RouteDump& route = *segment.route();
  EXPECT_EQ(lane_of(route, "bob"), nullptr);
  EXPECT_EQ(route.ended_lost_messages, 1U);
  EXPECT_EQ(route.ended_lost_bytes, 100U);
  EXPECT_EQ(route.ended_last_sequence, 1U);
  EXPECT_EQ(route.ended_reason, shm::LossReason::budget);
}

TEST(DumpRoute, refusals_are_told_by_reason_and_lane) {
  test::RouteSpec spec;
  spec.budget_bytes = 1'000;
  RouteBuilder builder(spec);
  builder.publish("bob", "x").publish("bob", std::string(2'000, 'x'));
  const SegmentDump segment = dumped(builder);
  const RouteDump& route = *segment.route();
  EXPECT_EQ(route.refused, 1U);
  EXPECT_EQ(route.refused_by_reason[static_cast<std::size_t>(shm::Refusal::larger_than_budget)],
            1U);
  EXPECT_EQ(lane_of(route, "bob")->refused, 1U);
}

TEST(DumpRoute, lanes_of_several_pages_and_chunks_are_found) {
  RouteBuilder builder;
  for (int lane = 0; lane < 200; ++lane) {
    const std::string principal = "agent." + std::to_string(lane);
    for (int each = 0; each <= lane % 7; ++each) builder.publish(principal, std::string(40, 'x'));
  }
  const SegmentDump segment = dumped(builder);
  EXPECT_EQ(test::verdict_text(segment), "ok");
  const RouteDump& route = *segment.route();
  ASSERT_EQ(route.lanes.size(), 200U);
  for (int lane = 0; lane < 200; ++lane) {
    const LaneDump* found = lane_of(route, "agent." + std::to_string(lane));
    ASSERT_NE(found, nullptr) << lane;
    EXPECT_EQ(found->depth, static_cast<std::uint64_t>(lane % 7 + 1));
  }
}

TEST(DumpRoute, a_lane_that_was_given_to_another_principal_counts_from_then_on) {
  RouteBuilder builder;
  builder.publish("bob", "x").take(1'000);
  builder.publish("carol", "y").publish("carol", "z");
  const SegmentDump segment = dumped(builder);
  const RouteDump& route = *segment.route();
  ASSERT_EQ(route.lanes.size(), 1U);
  EXPECT_EQ(route.lanes.front().principal, "carol");
  EXPECT_EQ(route.lanes.front().published, 2U);
  EXPECT_EQ(route.lanes.front().delivered, 0U);
  EXPECT_EQ(route.lanes.front().generation, 2U);
}

TEST(DumpRoute, R34_a_route_that_is_being_filled_is_well_and_counts_what_it_carries) {
  RouteBuilder builder;
  builder.header().state.store(shm::RouteState::filling);
  builder.header().carried_push_count.store(5);
  const SegmentDump segment = dumped(builder);
  EXPECT_EQ(test::verdict_text(segment), "ok");
  EXPECT_EQ(name_of(segment.route()->state), "filling");
  EXPECT_EQ(segment.route()->carried_pushes, 5U);
}

TEST(DumpRoute, one_that_is_being_filled_after_a_restart_is_well) {
  RouteBuilder builder;
  builder.publish("bob", "x").close(shm::RouteState::filling);
  const SegmentDump segment = dumped(builder);
  EXPECT_EQ(test::verdict_text(segment), "ok");
  EXPECT_EQ(segment.route()->state, shm::RouteState::filling);
}

TEST(DumpRoute, a_closed_route_says_so) {
  RouteBuilder builder;
  builder.publish("bob", "x").close(shm::RouteState::closed);
  const SegmentDump segment = dumped(builder);
  EXPECT_EQ(test::verdict_text(segment), "ok");
  EXPECT_EQ(segment.route()->state, shm::RouteState::closed);
}

}  // namespace
}  // namespace fairlead::tools::dump
