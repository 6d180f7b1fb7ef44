// Publishing by the embedding host: outcomes, gates, waiting, loans.
#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include <fairlead/shm/topic.hpp>

#include "support/test_broker.hpp"

namespace fairlead::test {
namespace {
using broker::Loan;
using broker::PublishReport;
using broker::Refusal;

shm::control::Subscribe reject_packet(RawGuest& guest, std::string_view pattern) {
  auto packet = guest.subscribe_packet(pattern);
  packet.eviction = shm::EvictionPolicy::reject;
  packet.budget_bytes = 4'096;
  return packet;
}

void fill(std::span<std::byte> bytes, char with) { std::memset(bytes.data(), with, bytes.size()); }

TEST(Publish, R06_R07_every_matching_route_has_the_message_before_publish_returns) {
  TestBroker broker;
  const auto first = broker.guest("one");
  const auto second = broker.guest("two", 2);
  const auto a = first->subscribe("a.*");
  const auto same = first->subscribe("a.*");
  const auto b = second->subscribe("a.b");
  const auto other = second->subscribe("c.*");
  const PublishReport report = broker->publish("alice", "a.b", "hello");
  EXPECT_EQ(report.matched, 3U);
  EXPECT_EQ(report.taken, 3U);
  for (const auto* route : {&a, &same, &b}) {
    const auto messages = (*route)->drain();
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].payload, "hello");
    EXPECT_EQ(messages[0].principal, "alice");
    EXPECT_EQ(messages[0].topic, "a.b");
    EXPECT_EQ(messages[0].publisher, 0U);
  }
  EXPECT_TRUE(other->drain().empty());
}

TEST(Publish, R08_sequence_numbers_go_up_strictly) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto route = guest->subscribe("*");
  std::uint64_t last = 0;
  for (int count = 0; count < 100; ++count) {
    const PublishReport report = broker->publish(count % 2 == 0 ? "a" : "b", "t", "x");
    EXPECT_GT(report.sequence, last);
    last = report.sequence;
  }
  EXPECT_EQ(broker->statistics().next_sequence, last + 1);
}

TEST(Publish, R11_the_report_counts_routes_evictions_and_names_the_first_refusal) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  auto small = guest->subscribe_packet("t");
  small.budget_bytes = 4'096;
  const auto evicting = guest->subscribe(small);
  const auto full = guest->subscribe(reject_packet(*guest, "t"));
  EXPECT_EQ(broker->publish("a", "t", std::string(3'000, '1')).taken, 2U);
  const PublishReport second = broker->publish("a", "t", std::string(3'000, '2'));
  EXPECT_EQ(second.matched, 2U);
  EXPECT_EQ(second.taken, 1U);
  EXPECT_EQ(second.evicted, 1U);
  EXPECT_EQ(second.refused, 1U);
  EXPECT_EQ(second.reason, Refusal::full);
  const PublishReport third = broker->publish("a", "t", std::string(5'000, '3'));
  EXPECT_EQ(third.taken, 0U);
  EXPECT_EQ(third.evicted, 0U);
  EXPECT_EQ(third.reason, Refusal::larger_than_budget);
  const auto counts = broker->statistics().of(shm::PrincipalClass::user);
  EXPECT_EQ(counts.publishes, 3U);
  EXPECT_EQ(counts.evicted, 1U);
  EXPECT_EQ(counts.refused, 3U);
}

TEST(Publish, what_cannot_be_published_says_why) {
  TestBroker broker;
  EXPECT_EQ(broker->publish("alice", "a..b", "x").reason, Refusal::invalid_topic);
  EXPECT_EQ(broker->publish("bad name", "a", "x").reason, Refusal::not_permitted);
  EXPECT_EQ(broker->publish("alice", "a", std::string(5 * 1024 * 1024 + 1, 'x')).reason,
            Refusal::larger_than_limit);
  broker->stop();
  EXPECT_EQ(broker->publish("alice", "a", "x").reason, Refusal::route_closed);
}

TEST(Publish, the_system_principal_may_be_written_out) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto route = guest->subscribe("*");
  EXPECT_EQ(broker->publish("system", "a", "x").taken, 1U);
  EXPECT_EQ(broker->publish("", "a", "y").taken, 1U);
  for (const auto& message : route->drain()) EXPECT_EQ(message.principal, "");
}

TEST(Gate, R13_staged_routes_open_together_and_replay_nothing) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  auto packet = guest->subscribe_packet("a.*");
  packet.staged = 1;
  const auto first = guest->subscribe(packet);
  packet = guest->subscribe_packet("*");
  packet.staged = 1;
  const auto second = guest->subscribe(packet);
  EXPECT_EQ(broker->publish("alice", "a.b", "before").matched, 0U);
  broker->open_gate(broker->statistics().guests.at(0).guest);
  EXPECT_EQ(broker->publish("alice", "a.b", "after").taken, 2U);
  EXPECT_EQ(first->payloads(), std::vector<std::string>({"after"}));
  EXPECT_EQ(second->payloads(), std::vector<std::string>({"after"}));
}

TEST(Gate, R13_the_guest_opens_and_retires_its_own_gate) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  auto packet = guest->subscribe_packet("a.*");
  packet.staged = 1;
  const auto staged = guest->subscribe(packet);
  const auto unstaged = guest->subscribe("a.*");
  EXPECT_EQ(broker->publish("alice", "a.b", "1").taken, 1U);
  guest->set_gate(true);
  EXPECT_EQ(broker->publish("alice", "a.b", "2").taken, 2U);
  packet = guest->subscribe_packet("a.*");
  packet.staged = 1;
  const auto later = guest->subscribe(packet);  // waits for the next opening
  EXPECT_EQ(broker->publish("alice", "a.b", "3").taken, 2U);
  guest->set_gate(true);
  EXPECT_EQ(broker->publish("alice", "a.b", "4").taken, 3U);
  guest->set_gate(false);
  EXPECT_EQ(broker->publish("alice", "a.b", "5").matched, 0U);
  guest->set_gate(true);
  EXPECT_EQ(broker->publish("alice", "a.b", "6").taken, 3U);
  EXPECT_EQ(staged->payloads(), std::vector<std::string>({"2", "3", "4", "6"}));
  EXPECT_EQ(unstaged->payloads(), std::vector<std::string>({"1", "2", "3", "4", "6"}));
  EXPECT_EQ(later->payloads(), std::vector<std::string>({"4", "6"}));
}

TEST(Gate, R13_gates_of_one_guest_are_not_those_of_another) {
  TestBroker broker;
  const auto one = broker.guest("one");
  const auto two = broker.guest("two", 2);
  auto packet = one->subscribe_packet("t");
  packet.staged = 1;
  const auto first = one->subscribe(packet);
  packet = two->subscribe_packet("t");
  packet.staged = 1;
  const auto second = two->subscribe(packet);
  one->set_gate(true);
  EXPECT_EQ(broker->publish("a", "t", "x").taken, 1U);
  EXPECT_EQ(first->payloads().size(), 1U);
  EXPECT_TRUE(second->payloads().empty());
  EXPECT_THROW(broker->open_gate(999), Error);
}

TEST(Blocking, R21_a_waiting_publish_goes_on_as_soon_as_the_guest_makes_room) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto route = guest->subscribe(reject_packet(*guest, "t"));
  ASSERT_EQ(broker->publish("a", "t", std::string(4'000, '1')).taken, 1U);
  PublishReport waited;
  std::thread publisher([&] {
    waited = broker->publish("a", "t", std::string(4'000, '2'), {.block_for = kPatience});
  });
  // Others are not held back meanwhile, neither their publishes nor the guests' service.
  const auto bystander = broker.guest("two", 2);
  const auto other = bystander->subscribe("free");
  EXPECT_EQ(broker->publish("b", "free", "x").taken, 1U);
  EXPECT_EQ(broker->publish("b", "t", std::string(4'000, '3')).reason, Refusal::full);
  std::vector<std::string> got;
  while (got.size() < 2) {
    for (std::string& text : route->payloads()) got.push_back(std::move(text));
    std::this_thread::yield();
  }
  publisher.join();
  EXPECT_TRUE(waited.complete());
  EXPECT_EQ(waited.taken, 1U);
  EXPECT_EQ(got, std::vector<std::string>({std::string(4'000, '1'), std::string(4'000, '2')}));
}

TEST(Blocking, R21_a_waiting_publish_is_refused_when_its_time_is_up) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto full = guest->subscribe(reject_packet(*guest, "t"));
  const auto free = guest->subscribe("*");
  ASSERT_EQ(broker->publish("a", "t", std::string(4'000, '1')).taken, 2U);
  const auto before = std::chrono::steady_clock::now();
  const PublishReport report = broker->publish("a", "t", std::string(4'000, '2'),
                                               {.block_for = std::chrono::milliseconds(20)});
  EXPECT_GE(std::chrono::steady_clock::now() - before, std::chrono::milliseconds(20));
  EXPECT_EQ(report.reason, Refusal::full);
  EXPECT_EQ(report.taken, 1U);
  EXPECT_EQ(report.refused, 1U);
  EXPECT_EQ(free->payloads().size(), 2U);
}

TEST(Blocking, R09_a_later_publish_of_the_principal_does_not_overtake_one_that_waits) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto full = guest->subscribe(reject_packet(*guest, "t"));
  const auto free = guest->subscribe("t");
  ASSERT_EQ(broker->publish("a", "t", std::string(3'000, '1')).taken, 2U);
  std::thread publisher([&] {
    EXPECT_EQ(broker->publish("a", "t", std::string(3'000, '2'), {.block_for = kPatience}).taken,
              2U);
  });
  // Until the waiting one has gone into the route with room, and so waits for the other.
  std::vector<std::string> in_free;
  while (in_free.size() < 2) {
    for (std::string& text : free->payloads()) in_free.push_back(std::move(text));
    std::this_thread::yield();
  }
  // This one would fit into what is left of the full route: it is refused there all the same.
  const PublishReport later = broker->publish("a", "t", "3");
  EXPECT_EQ(later.matched, 2U);
  EXPECT_EQ(later.taken, 1U);
  EXPECT_EQ(later.reason, Refusal::full);
  std::vector<std::string> in_full = full->payloads();  // perhaps with what found room meanwhile
  publisher.join();
  for (std::string& text : full->payloads()) in_full.push_back(std::move(text));
  EXPECT_EQ(in_full, std::vector<std::string>({std::string(3'000, '1'), std::string(3'000, '2')}));
  EXPECT_EQ(broker->publish("a", "t", "4").taken, 2U);
}

TEST(Blocking, R21_stopping_the_broker_ends_the_wait) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto full = guest->subscribe(reject_packet(*guest, "t"));
  const auto free = guest->subscribe("t");
  ASSERT_EQ(broker->publish("a", "t", std::string(4'000, '1')).taken, 2U);
  PublishReport waited;
  std::thread publisher([&] {
    waited = broker->publish("a", "t", std::string(4'000, '2'),
                             {.block_for = std::chrono::nanoseconds::max()});
  });
  (void)free->drain_until(2);
  broker->stop();
  publisher.join();
  EXPECT_EQ(waited.reason, Refusal::route_closed);
}

TEST(Loan, is_filled_in_the_route_s_own_memory_when_one_route_takes_it) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto route = guest->subscribe("t");
  Loan loan = broker->loan("alice", "t", 1'000);
  ASSERT_TRUE(loan.in_place());
  ASSERT_EQ(loan.bytes().size(), 1'000U);
  fill(loan.bytes(), 'L');
  EXPECT_TRUE(route->drain().empty());
  const PublishReport report = loan.commit();
  EXPECT_EQ(report.taken, 1U);
  const auto messages = route->drain();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].payload, std::string(1'000, 'L'));
  EXPECT_EQ(messages[0].principal, "alice");
  EXPECT_EQ(messages[0].sequence, report.sequence);
  EXPECT_TRUE(loan.bytes().empty());
  EXPECT_EQ(loan.commit().reason, Refusal::not_permitted);
}

TEST(Loan, is_a_buffer_when_none_or_several_routes_match) {
  TestBroker broker;
  EXPECT_FALSE(broker->loan("alice", "t", 10).in_place());
  const auto guest = broker.guest("one");
  const auto first = guest->subscribe("t");
  const auto second = guest->subscribe("*");
  Loan loan = broker->loan("alice", "t", 10);
  EXPECT_FALSE(loan.in_place());
  fill(loan.bytes(), 'L');
  EXPECT_EQ(loan.commit().taken, 2U);
  EXPECT_EQ(first->payloads(), second->payloads());
}

TEST(Loan, cancelled_publishes_nothing_and_gives_the_room_back) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  auto packet = guest->subscribe_packet("t");
  packet.budget_bytes = 64 * 1024;
  const auto route = guest->subscribe(packet);
  for (int count = 0; count < 1'000; ++count) {
    const Loan loan = broker->loan("alice", "t", 60'000);
    ASSERT_TRUE(loan.in_place()) << count;
  }
  EXPECT_TRUE(route->drain().empty());
}

TEST(Loan, reaches_a_route_that_came_meanwhile_as_well) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto first = guest->subscribe("t");
  Loan loan = broker->loan("alice", "t", 10);
  ASSERT_TRUE(loan.in_place());
  fill(loan.bytes(), 'L');
  const auto second = guest->subscribe("*");
  EXPECT_EQ(loan.commit().taken, 2U);
  EXPECT_EQ(first->payloads(), std::vector<std::string>({std::string(10, 'L')}));
  EXPECT_EQ(second->payloads(), std::vector<std::string>({std::string(10, 'L')}));
}

TEST(Loan, outlives_its_route) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  auto route = guest->subscribe("t");
  Loan loan = broker->loan("alice", "t", 100'000);
  ASSERT_TRUE(loan.in_place());
  guest->leave();
  ASSERT_TRUE(broker.wait_until([](const auto& now) { return now.routes.empty(); }));
  fill(loan.bytes(), 'L');  // still mapped
  const auto next = broker.guest("two", 2);
  const auto replacement = next->subscribe("t");  // gets the same route id
  const PublishReport report = loan.commit();
  EXPECT_EQ(report.taken, 1U);
  EXPECT_EQ(replacement->payloads(), std::vector<std::string>({std::string(100'000, 'L')}));
}

TEST(Loan, outlives_its_broker) {
  Loan loan;
  Loan dropped;
  {
    TestBroker broker;
    const auto guest = broker.guest("one");
    const auto route = guest->subscribe("t");
    loan = broker->loan("alice", "t", 10);
    dropped = broker->loan("alice", "t", 10);
    ASSERT_TRUE(loan.in_place());
    broker.destroy();
  }
  fill(loan.bytes(), 'L');
  EXPECT_EQ(loan.commit().reason, Refusal::route_closed);
}

TEST(Loan, is_refused_by_name) {
  TestBroker broker;
  const auto code_of = [](const auto& call) {
    try {
      (void)call();
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::system;
  };
  EXPECT_EQ(code_of([&] { return broker->loan("alice", "a..b", 1); }), ErrorCode::invalid_topic);
  EXPECT_EQ(code_of([&] { return broker->loan("a b", "a", 1); }), ErrorCode::invalid_principal);
  EXPECT_EQ(code_of([&] { return broker->loan("alice", "a", 6 << 20); }), ErrorCode::limit);
  broker->stop();
  EXPECT_EQ(code_of([&] { return broker->loan("alice", "a", 1); }), ErrorCode::disconnected);
}

TEST(Lifecycle, everything_is_removed_when_the_broker_is_destroyed) {
  TestBroker broker({.listening = true});
  const auto guest = broker.guest("one");
  const auto route = guest->subscribe("t");
  const auto outbox = guest->open_outbox();
  EXPECT_EQ(broker.segments().size(), 3U);  // table, route, receipts
  EXPECT_EQ(::access(broker.socket_path().c_str(), F_OK), 0);
  (void)broker->publish("a", "t", "last words");
  broker.destroy();
  EXPECT_TRUE(broker.segments().empty());
  EXPECT_NE(::access(broker.socket_path().c_str(), F_OK), 0);
  EXPECT_TRUE(guest->hung_up());
  EXPECT_EQ(route->payloads(), std::vector<std::string>({"last words"}));
  EXPECT_EQ(route->reader().state(), shm::RouteState::closed);
}

TEST(Lifecycle, a_guest_that_hangs_up_takes_its_segments_along_at_once) {
  TestBroker broker;
  const auto guest = broker.guest("one");
  const auto route = guest->subscribe("t");
  const auto outbox = guest->open_outbox();
  EXPECT_EQ(broker.segments().size(), 3U);
  guest->leave();
  EXPECT_TRUE(broker.wait_until([](const auto& now) { return now.guests.empty(); }));
  // Unlinked by the time the statistics say so; at most the unmapping is still under way.
  EXPECT_TRUE(broker.wait_until([&](const auto&) { return broker.segments().size() == 1; }));
  EXPECT_EQ(broker->publish("a", "t", "x").matched, 0U);
}

TEST(Lifecycle, the_broker_runs_in_a_thread_of_the_host_s_as_well) {
  TestBroker broker({.started = false});
  std::thread service([&] { broker->run(); });
  EXPECT_NE(broker.guest("one")->subscribe("t"), nullptr);
  broker->stop();
  service.join();
  EXPECT_THROW(broker->start(), Error);
}

TEST(Lifecycle, publishing_works_before_anything_is_started) {
  TestBroker broker({.started = false});
  EXPECT_EQ(broker->publish("a", "t", "x").matched, 0U);
}

}  // namespace
}  // namespace fairlead::test
