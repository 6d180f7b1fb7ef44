// Broker and guest at the same time, as threads over one memory; also for the thread sanitizer.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "guarded_route.hpp"

namespace fairlead::test {
namespace {

using shm::EvictionPolicy;
using shm::MessageView;
using shm::RouteReader;
using Outcome = RouteReader::Outcome;

constexpr std::uint64_t kAll = 1'000'000'000;

std::uint64_t scaled(std::uint64_t count) { return FAIRLEAD_SANITIZED ? count / 20 : count; }

// Says by itself which message it is.
std::string payload_of(std::uint64_t sequence) {
  return std::string(sequence * 7919 % 300, static_cast<char>('a' + sequence % 26));
}

// What readers saw: each delivered message once, what was reported lost, and payloads as published.
class Tally {
 public:
  explicit Tally(std::size_t most) : delivered_(most + 1) {}

  void add(const std::vector<MessageView>& messages, const RouteReader::EndedLoss& ended) {
    for (const MessageView& message : messages) {
      const std::uint64_t sequence = message.sequence();
      if (sequence == 0 || sequence >= delivered_.size() || delivered_[sequence].exchange(true)) {
        ++twice_;
        continue;
      }
      if (message.text() != payload_of(sequence)) ++garbled_;
      ++count_;
      lost_ += message.lost_messages();
    }
    lost_ += ended.messages;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  void expect_exactly_once(std::uint64_t published, std::uint64_t evicted) const {
    EXPECT_EQ(twice_, 0U);
    EXPECT_EQ(garbled_, 0U);
    EXPECT_EQ(lost_, evicted);
    EXPECT_EQ(count_ + lost_, published);
  }

 private:
  std::vector<std::atomic<bool>> delivered_;
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::atomic<std::uint64_t> twice_{0};
  std::atomic<std::uint64_t> garbled_{0};
};

// One call; false when there was nothing.
bool drain_into(RouteReader& reader, Tally& tally, std::vector<MessageView>& scratch,
                std::uint64_t budget, std::size_t most) {
  scratch.clear();
  RouteReader::Ticket ticket = 0;
  RouteReader::EndedLoss ended;
  const Outcome outcome = reader.drain(budget, most, scratch, ticket, ended);
  tally.add(scratch, ended);
  if (outcome == Outcome::ok) reader.release(ticket, scratch.size());
  EXPECT_TRUE(outcome == Outcome::ok || outcome == Outcome::empty) << static_cast<int>(outcome);
  return outcome == Outcome::ok;
}

// The lane is empty after almost every message: broker and guest meet at its end all the time.
TEST(Races, a_message_that_was_settled_is_found_by_the_next_drain) {
  for (const std::size_t principals : {1U, 3U}) {
    GuardedRoute route(identity_of("*", 1'000'000, 4'000'000, 64));
    const std::uint64_t messages = scaled(200'000);
    std::atomic<std::uint64_t> settled{0};
    Tally tally(messages);
    std::atomic<std::uint64_t> missed{0};
    std::thread guest([&] {
      std::vector<MessageView> scratch;
      while (tally.count() < messages && missed == 0) {
        const std::uint64_t there = settled.load(std::memory_order_acquire);
        if (drain_into(route.guest().reader(), tally, scratch, kAll, 4)) continue;
        if (tally.count() < there) ++missed;  // it was there before the call began
      }
    });
    for (std::uint64_t each = 1; each <= messages; ++each) {
      const std::string name = "p" + std::to_string(each % principals);
      ASSERT_TRUE(route.push(name, payload_of(each)).taken());
      settled.store(each, std::memory_order_release);
      while (each - tally.count() > 64 && missed == 0) std::this_thread::yield();
    }
    guest.join();
    EXPECT_EQ(missed, 0U);
    tally.expect_exactly_once(messages, 0);
  }
}

struct Storm {
  const char* name;
  EvictionPolicy policy;
  std::uint64_t budget;
  std::uint64_t cap;
  std::uint32_t principals;
  std::size_t most;            // messages per drain call
  std::uint64_t drain_budget;  // bytes per drain call
  bool idle_now_and_then;      // so that memory and pages of lanes are given back
};

class Storms : public testing::TestWithParam<Storm> {};

// Every message is either delivered or reported lost, once; what is read is what was published.
TEST_P(Storms, R29_every_message_is_delivered_or_reported_lost_and_never_both) {
  const Storm& storm = GetParam();
  shm::RouteIdentity identity = identity_of("*", storm.budget, storm.cap, 512);
  identity.eviction = storm.policy;
  GuardedRoute route(identity);
  const std::uint64_t messages = scaled(300'000);
  Tally tally(messages);
  std::atomic<bool> done{false};
  std::atomic<bool> pause{false};
  std::thread guest([&] {
    std::vector<MessageView> scratch;
    std::mt19937 random(2);
    while (!done.load(std::memory_order_acquire)) {
      if (!drain_into(route.guest().reader(), tally, scratch, 1 + random() % storm.drain_budget,
                      storm.most))
        pause.store(false, std::memory_order_release);
    }
    while (drain_into(route.guest().reader(), tally, scratch, kAll, kAll)) {
    }
  });
  std::mt19937 random(3);
  std::uint64_t refused = 0;
  for (std::uint64_t each = 1; each <= messages; ++each) {
    const std::string name = "p" + std::to_string(random() % storm.principals);
    if (!route.push(name, payload_of(each)).taken()) ++refused;
    if (each % 512 == 0) route.route().maintain();
    if (storm.idle_now_and_then && each % 2'048 == 0) {
      pause.store(true, std::memory_order_release);
      while (pause.load(std::memory_order_acquire)) std::this_thread::yield();
      route.route().maintain();
    }
  }
  done.store(true, std::memory_order_release);
  guest.join();
  route.route().maintain();
  tally.expect_exactly_once(messages - refused, route.counters().evicted.load());
  EXPECT_FALSE(route.route().poisoned());
  EXPECT_EQ(route.counters().delivered.load(), tally.count());
  EXPECT_EQ(route.counters().queued.load(), 0U);
  EXPECT_EQ(route.counters().arena_used_bytes.load(), sizeof(shm::LanePage));
}

INSTANTIATE_TEST_SUITE_P(
    Policies, Storms,
    testing::Values(
        Storm{"few_lanes", EvictionPolicy::oldest_head, 2'000, 1 << 20, 3, 5, 20'000, false},
        Storm{"many_lanes", EvictionPolicy::oldest_head, 20'000, 1 << 20, 400, 50, 20'000, true},
        Storm{"fair_share", EvictionPolicy::fair_share, 5'000, 1 << 20, 40, 10, 20'000, true},
        Storm{"reject", EvictionPolicy::reject, 5'000, 1 << 20, 40, 10, 20'000, false},
        Storm{"short_lanes", EvictionPolicy::oldest_head, 300, 1 << 20, 20, 1, 20'000, false},
        Storm{"deep_lane", EvictionPolicy::oldest_head, 1 << 20, 4 << 20, 1, kAll, 1 << 20, false},
        Storm{"full_segment", EvictionPolicy::oldest_head, 1 << 20, 256 * 1024, 200, 1'000, 20'000,
              true}),
    [](const auto& each) { return std::string(each.param.name); });

// R28: several workers of one guest, each with its own reader over the same memory.
TEST(Races, R28_workers_that_drain_one_route_share_its_messages_exactly_once) {
  // A cap that a worker which is off the processor with a batch cannot fill: it would be refused.
  GuardedRoute route(identity_of("*", 20'000, 256'000'000, 64));
  const std::uint64_t messages = scaled(200'000);
  Tally tally(messages);
  std::atomic<bool> done{false};
  std::vector<std::thread> workers;
  for (int worker = 0; worker < 3; ++worker) {
    workers.emplace_back([&] {
      RouteReader reader({route.memory().data(), route.memory().maximum_bytes()},
                         route.cursor_bytes(), 64);
      std::vector<MessageView> scratch;
      while (!done.load(std::memory_order_acquire)) drain_into(reader, tally, scratch, 5'000, 20);
      while (drain_into(reader, tally, scratch, kAll, kAll)) {
      }
    });
  }
  for (std::uint64_t each = 1; each <= messages; ++each) {
    EXPECT_TRUE(route.push("p" + std::to_string(each % 7), payload_of(each)).taken());
    if (each % 1'024 == 0) route.route().maintain();
  }
  done.store(true, std::memory_order_release);
  for (std::thread& worker : workers) worker.join();
  tally.expect_exactly_once(messages, route.counters().evicted.load());
  route.route().maintain();
  EXPECT_EQ(route.counters().held_messages.load(), 0U);
  EXPECT_EQ(route.counters().arena_retired_bytes.load(), 0U);
}

}  // namespace
}  // namespace fairlead::test
