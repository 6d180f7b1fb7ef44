// R29: every message that is evicted is told of, once.
#include "rule_fixture.hpp"

namespace fairlead::test {
namespace {

class Loss : public RuleTest {};
FAIRLEAD_UNDER_EVERY_DRIVER(Loss);

TEST_P(Loss, R29_the_next_message_tells_how_many_messages_and_bytes_are_missing_before_it) {
  TestRoute& route = add(Policy::oldest_head, 100);
  publish_bytes("p", 10);
  publish_bytes("p", 11);
  publish_bytes("p", 12);
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  publish_bytes("q", 10);
  publish_bytes("p", 13);
  publish_bytes("q", 77);  // the two oldest of p go, 23 bytes
  const auto taken = route.take_all();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].principal, "p");
  EXPECT_EQ(taken[0].lost_messages, 2U);
  EXPECT_EQ(taken[0].lost_bytes, 23U);
  for (std::size_t each : {1U, 2U}) EXPECT_EQ(taken[each].lost_messages, 0U);
  EXPECT_EQ(route.ended.messages, 0U);
}

TEST_P(Loss, R29_losses_in_several_runs_are_each_told_where_they_happened) {
  TestRoute& route = add(Policy::oldest_head, 30);
  for (int each = 0; each < 5; ++each) publish_bytes("p", 10);  // two lost
  auto taken = route.take_all(0, 1);
  EXPECT_EQ(taken.at(0).lost_messages, 2U);
  for (int each = 0; each < 4; ++each) publish_bytes("p", 10);  // three more lost
  taken = route.take_all();
  ASSERT_EQ(taken.size(), 3U);
  EXPECT_EQ(taken[0].lost_messages, 3U);
  EXPECT_EQ(taken[0].lost_bytes, 30U);
}

TEST_P(Loss, R29_a_lane_that_ended_without_a_further_message_adds_to_the_aggregate) {
  TestRoute& route = add(Policy::oldest_head, 30);
  publish_bytes("p", 10);
  const std::uint64_t last = publish_bytes("p", 15).sequence;
  publish_bytes("q", 30);
  DrainResult result = route.drain();
  EXPECT_EQ(result.messages.size(), 1U);
  EXPECT_EQ(result.ended.messages, 2U);
  EXPECT_EQ(result.ended.bytes, 25U);
  EXPECT_EQ(result.ended.last_sequence, last);
  EXPECT_EQ(result.ended.reason, shm::LossReason::budget);
  result = route.drain();
  EXPECT_EQ(result.ended.messages, 0U) << "told once";
  // The principal's next life starts without a debt.
  publish_bytes("p", 5);
  EXPECT_EQ(route.take_all().at(0).lost_messages, 0U);
}

TEST_P(Loss, R29_the_aggregate_is_told_even_when_there_is_no_message) {
  TestRoute& route = add(Policy::oldest_head, 100'000, "*", 512 * 1024, 64);
  for (int each = 0; each < 65; ++each) publish("p" + std::to_string(each), "x");
  ASSERT_EQ(route.take_all(kAll, 64).size(), 64U);
  EXPECT_EQ(route.ended.messages, 1U);
  EXPECT_EQ(route.ended.reason, shm::LossReason::lanes_full);
  route.route->close(shm::RouteState::closed);
  const DrainResult result = route.drain();
  EXPECT_EQ(result.outcome, Outcome::closed);
  EXPECT_EQ(result.ended.messages, 0U);
}

TEST_P(Loss, R29_a_broker_that_died_while_it_changed_something_else_has_told_what_it_told) {
  TestRoute& route = add(Policy::oldest_head, 30);
  publish_bytes("p", 10);
  publish_bytes("q", 30);
  route.route->header().snapshot.fetch_add(1);  // in a guard, for ever
  const DrainResult result = route.drain();
  EXPECT_EQ(result.messages.size(), 1U);
  EXPECT_EQ(result.ended.messages, 1U);
  EXPECT_EQ(result.ended.bytes, 10U);
}

TEST_P(Loss, R29_a_loss_that_is_just_being_added_is_told_once_it_is_whole) {
  TestRoute& route = add(Policy::oldest_head, 30);
  publish_bytes("p", 10);
  publish_bytes("q", 30);
  shm::AggregateLoss& loss = route.route->header().loss;
  loss.ending_total.fetch_add(2);
  loss.bytes.fetch_add(20);
  EXPECT_EQ(route.drain().ended.messages, 0U);
  loss.messages.fetch_add(2);
  const DrainResult result = route.drain();
  EXPECT_EQ(result.ended.messages, 3U);
  EXPECT_EQ(result.ended.bytes, 30U);
}

TEST_P(Loss, R34_a_loss_of_the_last_epoch_that_finds_no_lane_is_told_by_the_aggregate) {
  TestRoute& route = add(Policy::oldest_head, 100'000, "*", 512 * 1024, 64);
  for (int each = 0; each < 64; ++each) publish("p" + std::to_string(each), "x");
  route.route->begin_after("p0", {2, 20, 7});
  route.route->begin_after("late", {3, 30, 9});
  const DrainResult result = route.drain();
  EXPECT_EQ(result.messages.size(), 64U);
  EXPECT_EQ(result.ended.messages, 5U);
  EXPECT_EQ(result.ended.bytes, 50U);
}

TEST_P(Loss, R29_own_messages_that_went_for_the_next_one_are_told_by_it) {
  TestRoute& route = add(Policy::oldest_head, 30);
  publish_bytes("p", 30);
  publish_bytes("p", 30);
  publish_bytes("p", 30);
  const auto taken = route.take_all();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].lost_messages, 2U);
  EXPECT_EQ(taken[0].lost_bytes, 60U);
  EXPECT_EQ(route.ended.messages, 0U);
}

TEST_P(Loss, R29_lost_and_taken_add_up_to_published_for_every_policy_and_load) {
  for (const Policy policy : {Policy::oldest_head, Policy::fair_share}) {
    TestRoute& route = add(policy, 3'000);
    std::uint64_t random = 7;
    std::uint64_t taken = 0;
    std::uint64_t lost = 0;
    std::uint64_t lost_bytes = 0;
    const auto take = [&](std::uint64_t most) {
      for (const TakenMessage& message : route.take_all(kAll, most)) {
        ++taken;
        lost += message.lost_messages;
        lost_bytes += message.lost_bytes;
      }
      lost += route.ended.messages;
      lost_bytes += route.ended.bytes;
    };
    const std::uint64_t before = publishes_;
    for (int each = 0; each < 4'000; ++each) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      publish_bytes("p" + std::to_string((random >> 33) % 40), 1 + (random >> 50) % 400);
      if ((random >> 20) % 16 == 0) take((random >> 40) % 9);
    }
    take(kAll);
    EXPECT_EQ(taken + lost, publishes_ - before);
    EXPECT_EQ(lost, route.counters().evicted.load());
    EXPECT_EQ(lost_bytes, route.counters().evicted_bytes.load());
    delivery_.remove(route.id);
  }
}

}  // namespace
}  // namespace fairlead::test
