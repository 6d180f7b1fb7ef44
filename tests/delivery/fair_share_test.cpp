// R21: policies fair-share and reject.
#include "rule_fixture.hpp"

namespace fairlead::test {
namespace {

using Texts = std::vector<std::string>;

class FairShareRule : public RuleTest {};
FAIRLEAD_UNDER_EVERY_DRIVER(FairShareRule);

TEST_P(FairShareRule, R21_a_flooder_pays_for_its_own_arrivals) {
  TestRoute& route = add(Policy::fair_share, 1'000);
  for (const char* quiet : {"a", "b", "c"}) publish_bytes(quiet, 100);  // each below 1000 / 4
  for (int each = 0; each < 100; ++each) publish_bytes("flooder", 50);
  std::map<std::string, std::size_t> left;
  for (const std::string& name : principals(route.take_all())) ++left[name];
  EXPECT_EQ(left["a"] + left["b"] + left["c"], 3U);
  EXPECT_EQ(left["flooder"], 14U);
}

TEST_P(FairShareRule, R21_a_lane_at_its_share_loses_nothing_while_another_is_above) {
  TestRoute& route = add(Policy::fair_share, 1'000);
  for (int each = 0; each < 5; ++each) publish_bytes("at_share", 100);  // 500 of 1000 / 2
  for (int each = 0; each < 5; ++each) publish_bytes("other", 100);
  EXPECT_EQ(publish_bytes("other", 1).evicted, 1U);
  const auto taken = route.take_all();
  EXPECT_EQ(std::count_if(taken.begin(), taken.end(),
                          [](const auto& message) { return message.principal == "at_share"; }),
            5);
}

TEST_P(FairShareRule, R21_the_lane_furthest_above_its_share_goes_first) {
  TestRoute& route = add(Policy::fair_share, 1'000);
  for (int each = 0; each < 4; ++each) publish_bytes("large", 150);   // 600
  for (int each = 0; each < 4; ++each) publish_bytes("larger", 100);  // 400
  publish_bytes("small", 50);  // the share is 333 now: large gives one up
  publish_bytes("larger", 200);
  std::map<std::string, std::size_t> left;
  for (const std::string& name : principals(route.take_all())) ++left[name];
  EXPECT_EQ(left["large"], 3U);
  EXPECT_EQ(left["larger"], 4U) << "400 and 200 arriving are more than 450";
  EXPECT_EQ(left["small"], 1U);
}

TEST_P(FairShareRule, R21_a_single_message_goes_only_when_no_other_is_left_above_its_share) {
  TestRoute& route = add(Policy::fair_share, 1'000);
  publish_bytes("single", 600);  // far above every share
  for (int each = 0; each < 4; ++each) publish_bytes("several", 100);
  EXPECT_EQ(publish_bytes("several", 100).evicted, 1U) << "500 with the arrival is not above 500";
  // 600 is above the share of 500 and nobody else is: it went.
  EXPECT_EQ(principals(route.take_all()), Texts(5, "several"));

  publish_bytes("single", 400);  // above the share of 333
  for (int each = 0; each < 4; ++each) publish_bytes("several", 100);
  publish_bytes("other", 150);
  publish_bytes("other", 60);  // 410 of several are above 333: it gives up one, not the single
  std::map<std::string, std::size_t> left;
  for (const std::string& name : principals(route.take_all())) ++left[name];
  EXPECT_EQ(left["single"], 1U);
  EXPECT_EQ(left["several"], 3U);
  EXPECT_EQ(left["other"], 2U);
}

TEST_P(FairShareRule, R21_with_nobody_above_its_share_the_largest_goes) {
  TestRoute& route = add(Policy::fair_share, 90);
  publish_bytes("a", 30);
  publish_bytes("b", 29);
  publish_bytes("c", 30);
  // 30 of 90 are exactly the share of three; the fourth makes it 22: the first of the largest goes.
  EXPECT_EQ(publish_bytes("d", 2).evicted, 1U);
  EXPECT_EQ(principals(route.take_all()), (Texts{"b", "c", "d"}));
}

TEST_P(FairShareRule, R21_policy_reject_refuses_and_keeps_what_it_has) {
  TestRoute& route = add(Policy::reject, 100);
  publish("p", "first");
  publish_bytes("p", 94);
  const Report report = publish("q", "x");
  EXPECT_EQ(report.reason, Refusal::full);
  EXPECT_EQ(report.evicted, 0U);
  EXPECT_EQ(route.counters().refused_by_reason[4].load(), 1U);
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  EXPECT_EQ(publish("q", "x").taken, 1U) << "the guest has made room";
  EXPECT_EQ(route.counters().evicted.load(), 0U);
}

TEST_P(FairShareRule, R21_a_lane_whose_message_was_refused_is_given_back) {
  TestRoute& route = add(Policy::reject, 100);
  publish_bytes("p", 50);
  publish_bytes("q", 50);
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);  // p's
  EXPECT_EQ(publish_bytes("p", 60).reason, Refusal::full);
  EXPECT_EQ(route.counters().active_lanes.load(), 1U);
}

TEST_P(FairShareRule, R21_a_patient_publisher_is_told_before_a_full_route_refuses) {
  TestRoute& full = add(Policy::reject, 100);
  TestRoute& roomy = add(Policy::reject, 1'000);
  publish_bytes("p", 100);
  broker::FanOut fan_out;
  bool blocked = false;
  const std::string payload(49, 'x');
  delivery_.begin(fan_out, "q", "t", payload.size(), 0, 1, 1);
  EXPECT_EQ(delivery_.proceed(fan_out, bytes_of(payload), 10, true, blocked), 0U);
  EXPECT_TRUE(blocked);
  EXPECT_EQ(fan_out.report.refused, 0U);
  EXPECT_EQ(full.counters().refused.load(), 0U);
  ASSERT_EQ(full.take_all().size(), 1U);
  EXPECT_EQ(delivery_.proceed(fan_out, bytes_of(payload), 10, true, blocked), 2U);
  EXPECT_FALSE(blocked);
  EXPECT_EQ(fan_out.report.taken, 2U);
  EXPECT_EQ(roomy.queued(), 2U);
}

TEST_P(FairShareRule, R21_waiting_on_full_lanes_and_full_depth_is_told_as_well) {
  TestRoute& route = add(Policy::reject, 1'000'000, "*", 8 * 1024 * 1024, 64);
  for (int each = 0; each < 64; ++each) publish("p" + std::to_string(each), "");
  EXPECT_TRUE(route.route->full_for("late", 1));
  EXPECT_FALSE(route.route->full_for("p3", 1));
  for (int each = 1; each < 16'384; ++each) publish("p3", "");
  EXPECT_TRUE(route.route->full_for("p3", 1));
  EXPECT_FALSE(route.route->full_for("late", 2'000'000)) << "would be refused for ever: no waiting";
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  EXPECT_FALSE(route.route->full_for("late", 1));
}

}  // namespace
}  // namespace fairlead::test
