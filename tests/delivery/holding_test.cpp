// R22: what a guest still reads is never overwritten, and what it holds is its own problem.
#include "rule_fixture.hpp"

namespace fairlead::test {
namespace {

class Holding : public RuleTest {
 protected:
  // Fills and evicts the route over and over.
  void churn(TestRoute& route, int times) {
    for (int each = 0; each < times; ++each) {
      publish("p" + std::to_string(each % 7),
              std::string(static_cast<std::size_t>(each % 900), 'z'));
      if (each % 50 == 0) route.take_all(kAll, 20);
    }
  }
};
FAIRLEAD_UNDER_EVERY_DRIVER(Holding);

TEST_P(Holding, R22_a_batch_that_is_out_stays_as_it_was) {
  TestRoute& route = add(Policy::oldest_head, 20'000);
  for (int each = 0; each < 30; ++each)
    publish("p" + std::to_string(each % 5), "held " + std::to_string(each));
  const DrainResult held = route.drain();
  ASSERT_EQ(held.messages.size(), 30U);
  churn(route, 5'000);
  EXPECT_EQ(route.ends->guest().look(held.batch), held.messages);
  EXPECT_GT(route.counters().arena_retired_bytes.load(), 0U);
  route.ends->guest().release(held.batch);
  route.take_all();
  route.route->maintain();
  EXPECT_EQ(route.counters().arena_retired_bytes.load(), 0U) << "released, so its memory is free";
}

// The broker does not look for a while; then the guest is stopped in the middle of a batch.
TEST_P(Holding, R22_a_batch_pins_nothing_that_earlier_batches_took_unseen) {
  TestRoute& route = add(Policy::fair_share, 1'000'000);
  for (int lane = 0; lane < 100; ++lane) publish("p" + std::to_string(lane), "one");
  for (int each = 0; each < 99; ++each) {
    const DrainResult one = route.drain(kAll, 1);
    ASSERT_EQ(one.messages.size(), 1U);
    route.ends->guest().release(one.batch);
  }
  const DrainResult held = route.drain(kAll, 1);
  ASSERT_EQ(held.messages.size(), 1U);
  route.route->maintain();
  EXPECT_LE(route.counters().arena_used_bytes.load(),
            sizeof(shm::LanePage) * 2 + 100 * shm::kMinimumChunkBytes);
  publish("other", "looks");
  route.route->maintain();
  EXPECT_EQ(route.counters().arena_retired_bytes.load(), shm::kMinimumChunkBytes);
  route.ends->guest().release(held.batch);
}

TEST_P(Holding, R22_a_message_that_is_kept_outlives_its_batch_and_its_lane) {
  TestRoute& route = add(Policy::oldest_head, 20'000);
  publish("alice", "kept");
  DrainResult batch = route.drain();
  const auto hold = route.ends->guest().hold(batch.batch, 0);
  ASSERT_TRUE(hold.has_value());
  route.ends->guest().release(batch.batch);
  churn(route, 5'000);
  EXPECT_EQ(route.ends->guest().look_held(*hold), batch.messages[0]);
  EXPECT_EQ(route.ends->guest().look_held(*hold).principal, "alice");
  // It pins its chunk and no other.
  route.take_all();
  route.route->maintain();
  EXPECT_EQ(route.counters().arena_retired_bytes.load(), shm::kMinimumChunkBytes);
  EXPECT_EQ(route.counters().held_messages.load(), 1U);
  route.ends->guest().release_hold(*hold);
  route.route->maintain();
  EXPECT_EQ(route.counters().arena_retired_bytes.load(), 0U);
  EXPECT_EQ(route.counters().held_messages.load(), 0U);
}

TEST_P(Holding, R22_held_messages_occupy_the_segment_and_not_the_budget) {
  TestRoute& route = add(Policy::reject, 1'000);
  publish_bytes("p", 1'000);
  const DrainResult held = route.drain();
  ASSERT_EQ(held.messages.size(), 1U);
  EXPECT_EQ(publish_bytes("p", 1'000).taken, 1U) << "the budget is free again";
  EXPECT_GE(route.counters().arena_used_bytes.load(), 2 * 1'000U + sizeof(shm::LanePage));
}

TEST_P(Holding, R22_256_messages_may_be_kept_and_the_next_is_told_so) {
  TestRoute& route = add(Policy::oldest_head, 100'000);
  for (int each = 0; each < 300; ++each) publish("p", "x");
  DrainResult batch = route.drain();
  std::vector<std::uint32_t> holds;
  for (std::uint32_t each = 0; each < 256; ++each) {
    const auto hold = route.ends->guest().hold(batch.batch, each);
    ASSERT_TRUE(hold.has_value());
    holds.push_back(*hold);
  }
  EXPECT_FALSE(route.ends->guest().hold(batch.batch, 256).has_value());
  route.ends->guest().release_hold(holds[100]);
  EXPECT_TRUE(route.ends->guest().hold(batch.batch, 256).has_value());
}

TEST_P(Holding, R22_64_batches_may_be_out_and_the_next_is_told_so) {
  TestRoute& route = add(Policy::oldest_head, 100'000);
  for (int each = 0; each < 100; ++each) publish("p", "x");
  std::vector<DrainResult> batches;
  for (int each = 0; each < 64; ++each) {
    batches.push_back(route.drain(0, 1));
    ASSERT_EQ(batches.back().outcome, Outcome::ok);
  }
  EXPECT_EQ(route.drain(0, 1).outcome, Outcome::too_many_batches);
  route.ends->guest().release(batches[10].batch);
  EXPECT_EQ(route.drain(0, 1).outcome, Outcome::ok);
}

TEST_P(Holding, R22_a_guest_that_holds_too_much_makes_its_own_route_refuse_and_nobody_elses) {
  TestRoute& hoarder = add(Policy::oldest_head, 100'000, "*", 1024 * 1024, 64);
  TestRoute& other = add(Policy::oldest_head, 100'000, "*", 1024 * 1024, 64);
  Report report;
  std::vector<DrainResult> batches;
  for (int each = 0; each < 60 && report.refused == 0; ++each) {
    report = publish_bytes("p", 60'000);
    batches.push_back(hoarder.drain());
    other.take_all();
  }
  ASSERT_EQ(report.refused, 1U) << "a megabyte cannot hold 60 times 60,000 bytes";
  EXPECT_EQ(report.reason, Refusal::segment_full);
  EXPECT_EQ(report.taken, 1U);
  EXPECT_EQ(other.counters().refused.load(), 0U);
  EXPECT_EQ(hoarder.counters().evicted.load(), 0U);
  for (const DrainResult& batch : batches) {
    if (batch.outcome != Outcome::ok) continue;
    EXPECT_EQ(hoarder.ends->guest().look(batch.batch), batch.messages);
    hoarder.ends->guest().release(batch.batch);
  }
  EXPECT_EQ(publish_bytes("p", 60'000).refused, 0U) << "released, so there is room again";
}

TEST_P(Holding, R22_a_batch_that_is_held_for_long_keeps_no_evicted_memory) {
  TestRoute& route = add(Policy::oldest_head, 100'000, "*", 1024 * 1024, 64);
  for (int each = 0; each < 5; ++each) publish_bytes("p", 60'000);
  const DrainResult held = route.drain(kAll, 5);
  for (int each = 0; each < 200; ++each) {
    ASSERT_EQ(publish_bytes("q", 60'000).taken, 1U) << each;
  }
  EXPECT_EQ(route.ends->guest().look(held.batch), held.messages);
}

// Thirty lanes, and from the memory of each a message was taken by a batch that is long released.
TEST_P(Holding, R22_a_batch_keeps_nothing_of_what_earlier_batches_took_from) {
  constexpr int kLanes = 30;
  TestRoute& route = add(Policy::oldest_head, 2 * kLanes * 9'001, "*", 1024 * 1024, 64);
  for (int each = 0; each < 2 * kLanes; ++each) {
    publish_bytes("p" + std::to_string(each % kLanes), 9'000);
  }
  for (int each = 0; each < kLanes; ++each) ASSERT_EQ(route.take_all(kAll, 1).size(), 1U);
  publish_bytes("q", 9'000);  // full: now the broker looks at what was taken
  const DrainResult held = route.drain(kAll, 1);
  for (int each = 0; each < 200; ++each) {
    ASSERT_EQ(publish_bytes("q", 9'000).taken, 1U) << each;
  }
  EXPECT_EQ(route.ends->guest().look(held.batch), held.messages);
}

}  // namespace
}  // namespace fairlead::test
