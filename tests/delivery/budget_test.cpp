// R15 to R20: what fits, and whose head goes when it does not.
#include "rule_fixture.hpp"

namespace fairlead::test {
namespace {

using Texts = std::vector<std::string>;

class Budget : public RuleTest {};
FAIRLEAD_UNDER_EVERY_DRIVER(Budget);

TEST_P(Budget, R15_a_message_costs_payload_and_topic_and_the_sum_stays_within_the_budget) {
  TestRoute& route = add(Policy::oldest_head, 100);
  EXPECT_EQ(publish("p", "12345", "12345").evicted, 0U);
  EXPECT_EQ(route.queued_bytes(), 10U);
  for (int each = 0; each < 9; ++each) EXPECT_EQ(publish_bytes("q", 10).evicted, 0U);
  EXPECT_EQ(route.queued_bytes(), 100U) << "exactly the budget fits";
  EXPECT_EQ(publish("r", "", "1").evicted, 1U);
  EXPECT_EQ(route.queued_bytes(), 91U);
  EXPECT_EQ(route.counters().queued_bytes_high_water.load(), 100U);
}

TEST_P(Budget, R15_what_the_guest_has_taken_is_read_again_before_anything_is_evicted) {
  TestRoute& route = add(Policy::oldest_head, 100);
  for (const char* name : {"p", "q"}) {
    for (int each = 0; each < 5; ++each) publish_bytes(name, 10);
  }
  ASSERT_EQ(route.take_all(kAll, 5).size(), 5U);
  EXPECT_EQ(route.queued_bytes(), 100U) << "nobody has looked yet";
  for (int each = 0; each < 5; ++each) EXPECT_EQ(publish_bytes("r", 10).evicted, 0U);
  EXPECT_EQ(route.queued_bytes(), 100U);
  EXPECT_EQ(publish_bytes("r", 10).evicted, 1U);
}

TEST_P(Budget, R15_single_takes_by_the_thousand_are_all_read_before_anything_is_evicted) {
  TestRoute& route = add(Policy::oldest_head, 50'000);
  // 4,999 reports of one lane, of which the first look says it all, and one that matters after
  // them.
  for (int each = 0; each < 4'999; ++each) publish_bytes("busy", 2);
  publish_bytes("other", 40'000);
  for (int each = 0; each < 4'999; ++each) ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  EXPECT_EQ(publish_bytes("busy", 49'000).evicted, 0U);
  EXPECT_EQ(publish_bytes("another", 40'000).evicted, 1U) << "now the budget is really full";
}

TEST_P(Budget, R15_a_guest_that_reports_faster_than_the_log_holds_loses_nothing_by_it) {
  TestRoute& route = add(Policy::reject, 60'000);
  constexpr int kReports = shm::kDrainReportEntries + 100;
  for (int each = 0; each < kReports; ++each) publish_bytes(each % 2 == 0 ? "p" : "q", 5);
  for (int each = 0; each < kReports; ++each) ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  EXPECT_EQ(publish_bytes("r", 60'000).refused, 0U);
}

TEST_P(Budget, R16_a_message_larger_than_the_budget_is_refused_and_evicts_nothing) {
  for (const Policy policy : {Policy::oldest_head, Policy::fair_share, Policy::reject}) {
    TestRoute& route = add(policy, 100);
    publish_bytes("p", 60);
    const Report report = publish_bytes("q", 101);
    EXPECT_EQ(report.reason, Refusal::larger_than_budget);
    EXPECT_EQ(report.evicted, 0U);
    EXPECT_EQ(route.queued(), 1U);
    EXPECT_EQ(route.counters().refused_by_reason[2].load(), 1U);
    delivery_.remove(route.id);
  }
  TestRoute& route = add(Policy::oldest_head, 100);
  EXPECT_EQ(publish_bytes("q", 100).taken, 1U) << "as large as the whole budget is fine";
  EXPECT_EQ(route.queued(), 1U);
}

TEST_P(Budget, R17_the_head_that_was_published_first_goes_first_whatever_its_lane) {
  TestRoute& route = add(Policy::oldest_head, 50);
  for (const auto* entry : {"a1", "b1", "b2", "a2", "c1"})
    publish(std::string(1, entry[0]), std::string(entry) + "_______");      // 10 each
  EXPECT_EQ(publish("d", "d1_______").evicted, 1U);                         // a1
  EXPECT_EQ(publish("d", "d2_______" + std::string(10, '_')).evicted, 2U);  // b1 b2
  Texts left;
  for (const TakenMessage& message : route.take_all()) left.push_back(message.payload.substr(0, 2));
  EXPECT_EQ(left, (Texts{"a2", "c1", "d1", "d2"}));
}

TEST_P(Budget, R17_age_is_publish_order_even_when_a_paused_fan_out_delivers_late) {
  TestRoute& route = add(Policy::oldest_head, 30);
  broker::FanOut late;
  bool blocked = false;
  delivery_.begin(late, "old", "t", 9, 0, 1, 1);
  publish_bytes("a", 10);
  publish_bytes("b", 10);
  delivery_.proceed(late, bytes_of("123456789"), 10, false, blocked);
  ASSERT_EQ(late.report.taken, 1U);
  EXPECT_EQ(publish_bytes("c", 10).evicted, 1U);
  EXPECT_EQ(principals(route.take_all()), (Texts{"a", "b", "c"}));
}

TEST_P(Budget, R18_the_newest_message_of_a_lane_outlives_all_older_ones_of_it) {
  for (const Policy policy : {Policy::oldest_head, Policy::fair_share}) {
    TestRoute& route = add(policy, 500);
    std::uint64_t random = 1;
    std::map<std::string, std::uint64_t> newest;
    for (int each = 0; each < 3'000; ++each) {
      random = random * 6364136223846793005U + 1442695040888963407U;
      const std::string name = "p" + std::to_string(random >> 60);
      newest[name] = publish_bytes(name, 1 + (random >> 40) % 100).sequence;
    }
    // Whoever has anything left has its newest left, last.
    std::map<std::string, std::uint64_t> last;
    for (const TakenMessage& message : route.take_all()) last[message.principal] = message.sequence;
    EXPECT_GE(last.size(), 2U);
    for (const auto& [name, sequence] : last) EXPECT_EQ(sequence, newest[name]) << name;
    delivery_.remove(route.id);
  }
}

TEST_P(Budget, R19_the_message_after_16384_evicts_its_lanes_own_head) {
  TestRoute& route = add(Policy::oldest_head, 1'000'000);
  publish("other", "older than all");
  for (int each = 0; each < 16'384; ++each) ASSERT_EQ(publish("deep", "").evicted, 0U);
  EXPECT_EQ(publish("deep", "last").evicted, 1U);
  const auto taken = route.take_all();
  ASSERT_EQ(taken.size(), 16'385U);
  EXPECT_EQ(taken[0].principal, "other");
  EXPECT_EQ(taken[1].lost_messages, 1U);
  EXPECT_EQ(taken.back().payload, "last");
}

TEST_P(Budget, R19_a_full_lane_pays_for_the_budget_first) {
  TestRoute& route = add(Policy::oldest_head, 16'384 + 10);
  publish_bytes("other", 10);
  for (int each = 0; each < 16'384; ++each) ASSERT_EQ(publish("deep", "").evicted, 0U);
  EXPECT_EQ(publish("deep", "").evicted, 1U) << "its own head makes room enough";
  EXPECT_EQ(route.take_all(0, 1)[0].principal, "other");
}

TEST_P(Budget, R19_with_policy_reject_a_full_lane_refuses) {
  add(Policy::reject, 1'000'000);
  for (int each = 0; each < 16'384; ++each) ASSERT_EQ(publish("deep", "").refused, 0U);
  EXPECT_EQ(publish("deep", "").reason, Refusal::full);
  EXPECT_EQ(publish("other", "").taken, 1U);
}

TEST_P(Budget, R19_a_principal_too_many_evicts_by_policy_until_a_lane_is_free) {
  TestRoute& route = add(Policy::oldest_head, 100'000, "*", 8 * 1024 * 1024, 64);
  publish("p0", "first");
  publish("p1", "second");
  publish("p0", "third");
  for (int each = 2; each < 64; ++each) publish("p" + std::to_string(each), "x");
  // The oldest head is p0's, then p1's, which frees its lane.
  EXPECT_EQ(publish("late", "x").evicted, 2U);
  EXPECT_EQ(route.counters().active_lanes.load(), 64U);
  const auto taken = route.take_all();
  EXPECT_EQ(taken.size(), 64U);
  EXPECT_EQ(taken[0].payload, "third");
  EXPECT_EQ(taken[0].lost_messages, 1U);
  EXPECT_EQ(route.ended.messages, 1U);
  EXPECT_EQ(route.ended.reason, shm::LossReason::lanes_full);
}

TEST_P(Budget, R19_lanes_that_the_guest_emptied_are_free_before_anything_is_evicted) {
  TestRoute& route = add(Policy::oldest_head, 100'000, "*", 8 * 1024 * 1024, 64);
  for (int each = 0; each < 64; ++each) publish("p" + std::to_string(each), "x");
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  EXPECT_EQ(publish("late", "x").evicted, 0U);
  EXPECT_EQ(publish("later", "x").evicted, 1U);
}

TEST_P(Budget, R19_with_policy_reject_a_principal_too_many_is_refused) {
  add(Policy::reject, 100'000, "*", 8 * 1024 * 1024, 64);
  for (int each = 0; each < 64; ++each) publish("p" + std::to_string(each), "x");
  EXPECT_EQ(publish("late", "x").reason, Refusal::lanes_full);
  EXPECT_EQ(publish("p7", "x").taken, 1U);
}

}  // namespace
}  // namespace fairlead::test
