// R15: the hard cap bounds a route's memory whatever the sizes, and evicts as the budget does.
#include <gtest/gtest.h>

#include <random>

#include "guarded_route.hpp"

namespace fairlead::test {
namespace {

using shm::EvictionPolicy;
using shm::Refusal;
using Outcome = shm::RouteReader::Outcome;

constexpr std::uint64_t kCap = 512 * 1024;

shm::RouteIdentity capped(EvictionPolicy policy, std::uint32_t lanes = 8'192) {
  shm::RouteIdentity identity = identity_of("*", 64 * 1024 * 1024, kCap, lanes);
  identity.eviction = policy;
  return identity;
}

TEST(HardCap, R15_is_never_exceeded_and_new_messages_outlive_old_ones) {
  for (const EvictionPolicy policy : {EvictionPolicy::oldest_head, EvictionPolicy::fair_share}) {
    GuardedRoute route(capped(policy));
    std::mt19937 random(1);
    const int pushes = 30'000;
    for (int each = 0; each < pushes; ++each) {
      const std::string name = "p" + std::to_string(random() % 500);
      // Mostly tiny, now and then larger than a superblock.
      const std::uint64_t bytes = random() % 200 == 0 ? 1 + random() % 100'000 : 1 + random() % 20;
      ASSERT_TRUE(route.push_bytes(name, bytes).taken()) << "push " << each;
      ASSERT_LE(route.memory().granted(), shm::kRouteArenaOffset + kCap);
      ASSERT_LE(route.counters().arena_used_bytes.load(), kCap);
    }
    EXPECT_GT(route.counters().evicted.load(), 1'000U);
    const DrainResult last = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
    EXPECT_TRUE(std::any_of(last.messages.begin(), last.messages.end(), [&](const auto& message) {
      return message.sequence == route.sequence();
    }));
    if (policy != EvictionPolicy::oldest_head) continue;
    // By age: what is left is the end of what was published.
    std::uint64_t oldest = route.sequence();
    for (const TakenMessage& message : last.messages) oldest = std::min(oldest, message.sequence);
    EXPECT_EQ(last.messages.size(), route.sequence() - oldest + 1);
  }
}

TEST(HardCap, R15_losses_of_the_cap_are_told_like_those_of_the_budget) {
  GuardedRoute route(capped(EvictionPolicy::oldest_head, 64));
  for (int each = 0; each < 20'000; ++each) route.push("p" + std::to_string(each % 3), "tiny");
  const DrainResult result = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
  std::uint64_t lost = result.ended.messages;
  for (const TakenMessage& message : result.messages) lost += message.lost_messages;
  EXPECT_EQ(lost + result.messages.size(), 20'000U);
  EXPECT_EQ(lost, route.counters().evicted.load());
}

TEST(HardCap, R15_with_policy_reject_the_route_refuses_and_recovers) {
  GuardedRoute route(capped(EvictionPolicy::reject, 64));
  broker::PushOutcome outcome;
  while ((outcome = route.push("p", "tiny")).taken()) {
  }
  EXPECT_EQ(outcome.refusal, Refusal::segment_full);
  EXPECT_EQ(route.counters().evicted.load(), 0U);
  const DrainResult result = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
  route.guest().release(result.batch);
  EXPECT_TRUE(route.push("q", "tiny").taken());
}

// The 65th principal needs a page for its lane, of which there is none left.
TEST(HardCap, R15_a_new_principal_finds_room_in_a_full_segment) {
  for (const EvictionPolicy policy : {EvictionPolicy::oldest_head, EvictionPolicy::fair_share}) {
    GuardedRoute route(capped(policy));
    for (int each = 0; route.counters().evicted.load() < 100; ++each)
      ASSERT_TRUE(route.push("p" + std::to_string(each % 64), "tiny").taken());
    for (int each = 0; each < 100; ++each) {
      const broker::PushOutcome outcome = route.push("new" + std::to_string(each), "tiny");
      ASSERT_TRUE(outcome.taken()) << each << ": " << static_cast<int>(outcome.refusal);
    }
  }
}

// Pages of lanes lie where there was room. A crowd of principals that came and went must not leave
// the segment in pieces.
TEST(HardCap, R15_a_crowd_that_was_there_does_not_keep_large_messages_out_for_ever) {
  for (const bool crowd_is_gone : {true, false}) {
    GuardedRoute route(identity_of("*", 1024 * 1024, 4 * 1024 * 1024, 8'192));
    for (int each = 0; each < 46'080; ++each) {
      const int group = each / 768;
      route.push("p" + std::to_string(group * 64 + each % 64), "x");
    }
    ASSERT_GT(route.memory().granted(), 4'000'000U) << "all of the segment is in use";
    if (crowd_is_gone) route.guest().release(route.guest().drain(~0ULL, ~0ULL).batch);
    const broker::PushOutcome outcome = route.push_bytes("large", 1024 * 1024);
    EXPECT_TRUE(outcome.taken()) << static_cast<int>(outcome.refusal);
  }
}

TEST(HardCap, R15_a_guest_that_holds_half_of_it_makes_the_route_refuse) {
  GuardedRoute route(capped(EvictionPolicy::oldest_head, 64));
  std::vector<DrainResult> held;
  broker::PushOutcome outcome;
  for (int each = 0; each < 100; ++each) {
    outcome = route.push_bytes("p", 30'000);
    if (!outcome.taken()) break;
    held.push_back(route.guest().drain(~std::uint64_t{0}, 1));
  }
  EXPECT_EQ(outcome.refusal, Refusal::segment_full);
  EXPECT_EQ(outcome.evicted, 0U);
  EXPECT_GE(route.counters().arena_retired_bytes.load(), kCap / 2);
  for (const DrainResult& batch : held) {
    EXPECT_EQ(route.guest().look(batch.batch), batch.messages);
    route.guest().release(batch.batch);
  }
  EXPECT_TRUE(route.push_bytes("p", 30'000).taken());
}

TEST(HardCap, R15_a_message_that_no_eviction_makes_room_for_evicts_nothing) {
  shm::RouteIdentity identity = capped(EvictionPolicy::oldest_head, 64);
  GuardedRoute route(identity);
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(route.push_bytes("p", 10'000).taken());
  const broker::PushOutcome outcome = route.push_bytes("p", kCap);  // and its header, and the page
  EXPECT_EQ(outcome.refusal, Refusal::segment_full);
  EXPECT_EQ(outcome.evicted, 0U);
}

TEST(HardCap, R29_what_went_for_the_budget_is_said_to_when_the_segment_refuses_afterwards) {
  shm::RouteIdentity identity = identity_of("*", kCap, kCap, 64);
  GuardedRoute route(identity);
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(route.push_bytes("p", 10'000).taken());
  const broker::PushOutcome outcome = route.push_bytes("p", kCap);
  EXPECT_EQ(outcome.refusal, Refusal::segment_full);
  EXPECT_EQ(outcome.evicted, 10U);
  const DrainResult result = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
  EXPECT_EQ(result.ended.messages, 10U);
  EXPECT_EQ(result.ended.reason, shm::LossReason::budget);
}

TEST(HardCap, R29_what_went_for_the_segment_is_said_to) {
  GuardedRoute route(capped(EvictionPolicy::oldest_head, 64));
  ASSERT_TRUE(route.push_bytes("first", 10'000).taken());
  while (route.counters().evicted.load() == 0) ASSERT_TRUE(route.push_bytes("p", 10'000).taken());
  const DrainResult result = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
  EXPECT_EQ(result.ended.messages, 1U);
  EXPECT_EQ(result.ended.reason, shm::LossReason::segment_full);
}

// Nobody else's message went, and every message of the lane that follows tells of it.
TEST(HardCap, R29_what_a_full_lane_gave_up_is_told_by_its_next_message_unless_all_of_it_goes) {
  GuardedRoute route(identity_of("*", 16'384 + 100, 8 * 1024 * 1024, 64));
  for (int each = 0; each < 16'385; ++each) ASSERT_TRUE(route.push("deep", "").taken());
  EXPECT_EQ(route.counters().evicted.load(), 1U);
  ASSERT_TRUE(route.push_bytes("other", 16'384 + 100).taken());
  const DrainResult result = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
  EXPECT_EQ(result.ended.messages, 16'385U);
  EXPECT_EQ(result.ended.reason, shm::LossReason::budget) << "of the newest";
}

TEST(HardCap, a_full_file_system_is_a_refusal_and_nothing_is_evicted_for_it) {
  GuardedRoute route(capped(EvictionPolicy::oldest_head));
  ASSERT_TRUE(route.push_bytes("p", 1'000).taken());
  route.memory().set_limit(route.memory().granted());
  broker::PushOutcome outcome;
  while ((outcome = route.push_bytes("p", 1'000)).taken()) {
  }
  EXPECT_EQ(outcome.refusal, Refusal::no_memory);
  EXPECT_EQ(outcome.evicted, 0U);
  route.memory().set_limit(~std::uint64_t{0});
  EXPECT_TRUE(route.push_bytes("p", 1'000).taken());
}

TEST(HardCap, a_full_file_system_is_told_from_a_full_segment_when_a_lane_needs_a_page) {
  GuardedRoute route(capped(EvictionPolicy::oldest_head));
  route.memory().set_limit(route.memory().granted());
  EXPECT_EQ(route.push_bytes("p", 10).refusal, Refusal::no_memory);
}

TEST(HardCap, memory_is_given_back_when_the_route_is_idle) {
  GuardedRoute route(capped(EvictionPolicy::oldest_head));
  for (int each = 0; each < 40; ++each) route.push_bytes("p", 10'000);
  const std::uint64_t full = route.memory().granted();
  const DrainResult result = route.guest().drain(~std::uint64_t{0}, ~std::size_t{0});
  route.route().maintain();
  EXPECT_EQ(route.memory().granted(), full) << "the batch is still out";
  EXPECT_EQ(route.guest().look(result.batch), result.messages);
  route.guest().release(result.batch);
  route.route().maintain();
  EXPECT_LE(route.memory().granted(), shm::kRouteArenaOffset + 2 * shm::kSuperblockBytes);
  EXPECT_TRUE(route.push_bytes("p", 10'000).taken());
}

}  // namespace
}  // namespace fairlead::test
