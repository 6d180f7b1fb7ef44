// R15: all that a guest has taken is read before anything is refused or evicted, in whatever steps
// it took it and however often the broker looked meanwhile.
#include <gtest/gtest.h>

#include "guarded_route.hpp"

namespace fairlead::test {
namespace {

using shm::EvictionPolicy;
using shm::Refusal;
using Outcome = shm::RouteReader::Outcome;

constexpr std::uint64_t kMessageBytes = 2;

shm::RouteIdentity roomy(EvictionPolicy policy, std::uint64_t budget) {
  shm::RouteIdentity identity = identity_of("*", budget, 32 * 1024 * 1024, 8'192);
  identity.eviction = policy;
  return identity;
}

// One message per call, given back at once.
void take_singly(GuardedRoute& route, int times) {
  std::vector<shm::MessageView> views;
  for (int each = 0; each < times; ++each) {
    views.clear();
    shm::RouteReader::Ticket ticket = 0;
    shm::RouteReader::EndedLoss ended;
    ASSERT_EQ(route.guest().reader().drain(0, 1, views, ticket, ended), Outcome::ok);
    route.guest().reader().release(ticket, views.size());
  }
}

// A backlog of many small messages that the guest takes one by one, and how many at a time.
constexpr int kSteps[] = {5'000, 5'000, 5'000, 8'000};
constexpr int kBacklog = 23'000;

void publish_backlog(GuardedRoute& route) {
  for (int each = 0; each < kBacklog; ++each)
    ASSERT_TRUE(route.push_bytes("p" + std::to_string(each % 8), kMessageBytes).taken());
}

TEST(Absorbing, R15_a_backlog_that_was_taken_singly_is_room_although_the_broker_looked_often) {
  GuardedRoute route(roomy(EvictionPolicy::reject, kBacklog * kMessageBytes));
  publish_backlog(route);
  for (const int step : kSteps) {
    route.route().maintain();
    take_singly(route, step);
  }
  EXPECT_EQ(route.push_bytes("q", kBacklog * kMessageBytes).refusal, Refusal::none);
}

TEST(Absorbing, R21_a_patient_publisher_sees_the_room_that_single_takes_make) {
  GuardedRoute route(roomy(EvictionPolicy::reject, kBacklog * kMessageBytes));
  publish_backlog(route);
  for (const int step : kSteps) {
    EXPECT_TRUE(route.route().full_for("q", kBacklog * kMessageBytes));
    take_singly(route, step);
  }
  EXPECT_FALSE(route.route().full_for("q", kBacklog * kMessageBytes));
}

// More takes between two publishes than the log holds, of lanes that a sweep finds last.
TEST(Absorbing, R15_sweeps_over_many_lanes_do_not_run_dry) {
  constexpr int kLanes = 8'000;
  constexpr int kDepth = 10;
  GuardedRoute route(roomy(EvictionPolicy::oldest_head, kLanes * kDepth * kMessageBytes));
  // Slots that are given back are used in reverse.
  for (int each = 0; each < kLanes; ++each) route.push("first" + std::to_string(each), "x");
  route.guest().release(route.guest().drain(~0ULL, ~0ULL).batch);
  route.route().maintain();
  for (int each = 0; each < kLanes * kDepth; ++each)
    ASSERT_TRUE(route.push_bytes("p" + std::to_string(each % kLanes), kMessageBytes).taken());
  constexpr int kTakes = shm::kDrainReportEntries + 1;
  for (int taken = 0; taken + kTakes <= kLanes * kDepth; taken += kTakes) {
    take_singly(route, kTakes);
    const broker::PushOutcome outcome = route.push_bytes("q", kTakes * kMessageBytes);
    ASSERT_EQ(outcome.evicted, 0U) << "after " << taken << " takes";
    ASSERT_TRUE(outcome.taken());
  }
}

}  // namespace
}  // namespace fairlead::test
