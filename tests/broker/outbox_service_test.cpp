// The order in which publishers are served (R33), without processes, sockets or time.
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "serving.hpp"

namespace fairlead::broker {
namespace {

TEST_F(Serving, R34_a_publish_is_acknowledged_once_every_route_has_it_and_not_before) {
  add_routes("a.*", 600);
  const GuestId guest = add_publisher("alice");
  publish(guest, "a.b", std::string(100, 'x'));
  service_.poll();
  // One quantum pays for 16384 / 103 = 159 routes.
  ASSERT_TRUE(service_.serve(1));
  EXPECT_EQ(accepted(guest), 0U);
  EXPECT_EQ(routes_[0]->drain().size(), 1U);
  EXPECT_EQ(routes_[599]->drain().size(), 0U);
  serve_all();
  EXPECT_EQ(accepted(guest), 1U);
  EXPECT_EQ(routes_[599]->drain().size(), 1U);
  ASSERT_EQ(reports_.size(), 1U);
  EXPECT_EQ(reports_[0].matched, 600U);
  EXPECT_EQ(reports_[0].taken, 600U);
}

TEST_F(Serving, R33_a_large_fan_out_pauses_for_the_others_and_resumes) {
  add_routes("big.*", 800);
  add_routes("small.*", 1);
  const GuestId big = add_publisher("big");
  const GuestId small = add_publisher("small");
  publish(big, "big.x", std::string(1'000, 'x'));
  publish(small, "small.x", "1");
  service_.poll();
  // The big one goes first, for one quantum; then the small one's whole backlog fits into its own.
  ASSERT_TRUE(service_.serve(1));
  EXPECT_TRUE(order_.empty());
  ASSERT_TRUE(service_.serve(1));
  EXPECT_EQ(order_, std::vector<std::string>({"small"}));
  serve_all();
  EXPECT_EQ(order_, std::vector<std::string>({"small", "big"}));
  EXPECT_EQ(reports_[1].taken, 800U);
}

TEST_F(Serving, R33_each_new_small_message_waits_for_one_quantum_of_the_flooder_at_most) {
  add_routes("flood.*", 100);
  add_routes("quiet.*", 1);
  const GuestId flooder = add_publisher("flooder", 4 << 20);
  const GuestId quiet = add_publisher("quiet");
  for (int index = 0; index < 1'000; ++index) publish(flooder, "flood.x", std::string(500, 'f'));
  service_.poll();
  for (int round = 0; round < 50; ++round) {
    publish(quiet, "quiet.x", "q");
    service_.poll();
    const std::size_t before = order_.size();
    (void)service_.serve(2);  // at most one visit of the flooder, then ours
    bool served = false;
    for (std::size_t index = before; index < order_.size(); ++index)
      served = served || order_[index] == "quiet";
    EXPECT_TRUE(served) << "round " << round;
    EXPECT_EQ(accepted(quiet), static_cast<std::uint64_t>(round + 1));
  }
}

TEST_F(Serving, R33_bytes_times_routes_are_what_is_shared_equally) {
  add_routes("wide.*", 10);
  add_routes("narrow.*", 1);
  const GuestId wide = add_publisher("wide", 4 << 20);
  const GuestId narrow = add_publisher("narrow", 4 << 20);
  for (int index = 0; index < 2'000; ++index) {
    publish(wide, "wide.x", std::string(250, 'w'));
    publish(narrow, "narrow.x", std::string(250, 'n'));
  }
  service_.poll();
  for (int visits = 0; visits < 20; ++visits) (void)service_.serve(1);
  const auto wides = static_cast<double>(accepted(wide));
  const auto narrows = static_cast<double>(accepted(narrow));
  EXPECT_GT(wides, 0);
  EXPECT_NEAR(narrows / wides, 10.0, 0.6);
}

TEST_F(Serving, R33_two_outboxes_of_one_principal_share_its_turn) {
  add_routes("a.*", 1);
  const GuestId first = add_publisher("alice", 4 << 20);
  const GuestId second = add_publisher("alice", 4 << 20);
  const GuestId other = add_publisher("bob", 4 << 20);
  for (int index = 0; index < 1'000; ++index) {
    for (const GuestId guest : {first, second, other}) publish(guest, "a.x", std::string(300, 'x'));
  }
  service_.poll();
  for (int visits = 0; visits < 8; ++visits) (void)service_.serve(1);
  EXPECT_NEAR(static_cast<double>(accepted(first) + accepted(second)),
              static_cast<double>(accepted(other)), 60.0);
  EXPECT_NEAR(static_cast<double>(accepted(first)), static_cast<double>(accepted(second)), 1.0);
}

TEST_F(Serving, R33_a_message_larger_than_the_quantum_is_delivered_after_saving_up) {
  add_routes("a.*", 1);
  add_routes("b.*", 1);
  const GuestId large = add_publisher("large");
  const GuestId small = add_publisher("small");
  publish(large, "a.x", std::string(60'000, 'x'));
  for (int index = 0; index < 300; ++index) publish(small, "b.x", std::string(500, 'x'));
  serve_all();
  EXPECT_EQ(accepted(large), 1U);
  EXPECT_EQ(accepted(small), 300U);
  // 60003 bytes need four quanta, so three rounds of the small one went before.
  std::size_t before = 0;
  while (order_[before] != "large") ++before;
  EXPECT_GE(before, 3 * (kPublishQuantumBytes / 503));
  EXPECT_LE(before, 4 * (kPublishQuantumBytes / 503 + 1));
}

TEST_F(Serving, R21_a_publisher_that_blocks_holds_back_itself_alone) {
  add_routes("full.*", 1, shm::EvictionPolicy::reject, 4'096);
  add_routes("free.*", 1);
  const GuestId patient = add_publisher("patient");
  const GuestId other = add_publisher("other");
  const std::uint64_t long_after = now_ + 1'000'000'000;
  publish(patient, "full.x", std::string(4'000, '1'), long_after);
  publish(patient, "full.x", std::string(4'000, '2'), long_after);
  publish(patient, "free.x", "after", long_after);
  publish(other, "free.x", "other");
  serve_all();
  EXPECT_EQ(accepted(patient), 1U);
  EXPECT_EQ(accepted(other), 1U);
  ASSERT_TRUE(service_.next_look().has_value());
  EXPECT_GT(*service_.next_look(), now_);  // the service may sleep meanwhile
  EXPECT_EQ(routes_[0]->drain().size(), 1U);
  now_ += 10'000'000;
  serve_all();
  EXPECT_EQ(accepted(patient), 3U);
  EXPECT_EQ(routes_[0]->drain(), std::vector<std::string>({std::string(4'000, '2')}));
  for (const PublishReport& report : reports_) EXPECT_TRUE(report.complete());
}

TEST_F(Serving, R21_one_that_waits_for_more_routes_than_a_turn_reaches_lets_the_service_sleep) {
  add_routes("full.*", 5, shm::EvictionPolicy::reject, 16'384);
  const GuestId patient = add_publisher("patient");
  const std::string large(16'000, 'x');  // two of them are more than a turn's quantum
  publish(patient, "full.x", large, UINT64_MAX);
  publish(patient, "full.x", large, UINT64_MAX);
  serve_all();
  EXPECT_EQ(accepted(patient), 1U);
  ASSERT_TRUE(service_.next_look().has_value());
  EXPECT_GT(*service_.next_look(), now_);
  for (const auto& route : routes_) EXPECT_EQ(route->drain().size(), 1U);
  now_ += 10'000'000;
  serve_all();
  EXPECT_EQ(accepted(patient), 2U);
  for (const auto& route : routes_) EXPECT_EQ(route->drain().size(), 1U);
}

TEST_F(Serving, R21_a_publisher_that_blocks_is_refused_when_its_time_is_up) {
  add_routes("full.*", 1, shm::EvictionPolicy::reject, 4'096);
  const GuestId patient = add_publisher("patient");
  publish(patient, "full.x", std::string(4'000, '1'), now_ + 5'000'000);
  publish(patient, "full.x", std::string(4'000, '2'), now_ + 5'000'000);
  serve_all();
  ASSERT_EQ(accepted(patient), 1U);
  now_ += 5'000'000;
  serve_all();
  EXPECT_EQ(accepted(patient), 2U);
  EXPECT_EQ(reports_[1].reason, Refusal::full);
  EXPECT_EQ(reports_[1].refused, 1U);
}

TEST_F(Serving, R21_full_routes_do_not_keep_the_message_from_routes_with_room) {
  add_routes("x.*", 1, shm::EvictionPolicy::reject, 4'096);
  add_routes("x.*", 3);
  const GuestId patient = add_publisher("patient");
  publish(patient, "x.a", std::string(4'000, '1'));
  publish(patient, "x.a", std::string(4'000, '2'), now_ + 1'000'000'000);
  serve_all();
  EXPECT_EQ(accepted(patient), 1U);
  for (std::size_t route = 1; route < 4; ++route) EXPECT_EQ(routes_[route]->drain().size(), 2U);
  EXPECT_EQ(routes_[0]->drain().size(), 1U);
  now_ += 10'000'000;
  serve_all();
  EXPECT_EQ(accepted(patient), 2U);
  EXPECT_EQ(reports_[1].taken, 4U);
}

TEST_F(Serving, R21_a_message_without_patience_is_refused_at_once) {
  add_routes("full.*", 1, shm::EvictionPolicy::reject, 4'096);
  const GuestId hasty = add_publisher("hasty");
  publish(hasty, "full.x", std::string(4'000, '1'));
  publish(hasty, "full.x", std::string(4'000, '2'));
  serve_all();
  EXPECT_EQ(accepted(hasty), 2U);
  EXPECT_EQ(reports_[1].reason, Refusal::full);
}

TEST_F(Serving, a_refused_message_is_acknowledged_with_its_reason_and_delivered_nowhere) {
  add_routes("a.*", 1);
  const GuestId guest = add_publisher("alice");
  refusal_ = Refusal::not_permitted;
  publish(guest, "a.x", "secret");
  serve_all();
  EXPECT_EQ(accepted(guest), 1U);
  EXPECT_EQ(reports_[0].reason, Refusal::not_permitted);
  EXPECT_EQ(reports_[0].sequence, 0U);
  EXPECT_TRUE(routes_[0]->drain().empty());
}

TEST_F(Serving, R09_the_rest_of_a_paused_message_goes_before_the_host_s_own_of_that_principal) {
  add_routes("a.*", 600);
  const GuestId guest = add_publisher("alice");
  publish(guest, "a.b", std::string(100, 'x'));
  service_.poll();
  ASSERT_TRUE(service_.serve(1));
  ASSERT_EQ(accepted(guest), 0U);
  EXPECT_EQ(service_.finish_paused("alice"), nullptr);
  EXPECT_EQ(accepted(guest), 1U);
  EXPECT_EQ(routes_[599]->drain().size(), 1U);
  EXPECT_EQ(service_.finish_paused("alice"), nullptr);
  EXPECT_EQ(service_.finish_paused("nobody"), nullptr);
}

TEST_F(Serving, while_the_host_holds_a_principal_nothing_of_it_begins) {
  add_routes("a.*", 1);
  const GuestId guest = add_publisher("alice");
  service_.hold("alice");
  publish(guest, "a.b", "later");
  serve_all();
  EXPECT_EQ(accepted(guest), 0U);
  service_.release("alice");
  now_ += 10'000'000;
  serve_all();
  EXPECT_EQ(accepted(guest), 1U);
}

TEST_F(Serving, an_outbox_that_makes_no_sense_is_reported_and_served_no_more) {
  add_routes("a.*", 1);
  const GuestId liar = add_publisher("liar");
  const GuestId honest = add_publisher("honest");
  publish(honest, "a.x", "1");
  reinterpret_cast<shm::OutboxHeader*>(memory_[liar])->tail.store(7);
  service_.kicked(liar);
  serve_all();
  const auto violations = service_.take_violations();
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].guest, liar);
  EXPECT_EQ(violations[0].reason, "its outbox tail is not a multiple of 16");
  EXPECT_EQ(accepted(honest), 1U);
}

TEST_F(Serving, a_guest_that_leaves_in_the_middle_of_its_fan_out_leaves_nothing_behind) {
  add_routes("a.*", 600);
  const GuestId guest = add_publisher("alice");
  const GuestId other = add_publisher("bob");
  publish(guest, "a.b", std::string(100, 'x'));
  publish(other, "a.b", "b");
  service_.poll();
  ASSERT_TRUE(service_.serve(1));
  EXPECT_NE(service_.remove(guest), nullptr);
  serve_all();
  EXPECT_EQ(accepted(other), 1U);
  EXPECT_EQ(service_.next_look(), std::nullopt);
  EXPECT_NE(service_.remove(other), nullptr);
  EXPECT_EQ(service_.remove(other), nullptr);
}

TEST_F(Serving, an_idle_outbox_asks_for_a_kick_and_is_looked_at_no_more) {
  const GuestId guest = add_publisher("alice");
  publish(guest, "nobody.listens", "x");
  serve_all();
  now_ += 1;
  service_.poll();
  EXPECT_EQ(service_.next_look(), std::nullopt);
  const auto* receipts =
      reinterpret_cast<const shm::ReceiptHeader*>(service_.find(guest)->receipt_memory.data());
  EXPECT_EQ(receipts->broker_asleep.load(), 1U);
  EXPECT_EQ(accepted(guest), 1U);
}

TEST_F(Serving, R21_nobody_waits_for_ever_whatever_it_asks) {
  add_routes("a.*", 1, shm::EvictionPolicy::reject, 100);
  const GuestId patient = add_publisher("alice");
  const GuestId other = add_publisher("alice");
  publish(patient, "a.b", std::string(90, 'x'));
  serve_all();
  publish(patient, "a.b", std::string(90, 'y'), UINT64_MAX);
  serve_all();
  publish(other, "other", "z");
  now_ += 59'000'000'000;
  serve_all();
  EXPECT_EQ(accepted(patient), 1U);
  now_ += 2'000'000'000;
  serve_all();
  EXPECT_EQ(accepted(patient), 2U);
  EXPECT_EQ(accepted(other), 1U);
  EXPECT_EQ(reports_.at(1).reason, Refusal::full);
}

}  // namespace
}  // namespace fairlead::broker
