// R20: the victim is found at a cost that does not grow with the number of lanes.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "delivery/fair_share.hpp"
#include "delivery/maximum_tree.hpp"
#include "delivery/oldest_head.hpp"
#include "writer_bench.hpp"

namespace fairlead::test {
namespace {

using broker::FairShare;
using broker::MaximumTree;
using broker::OldestHead;
using shm::Lane;

TEST(MaximumTree, R20_agrees_with_a_search_through_all_numbers) {
  for (const std::size_t most : {1U, 15U, 16U, 17U, 256U, 257U, 5'000U}) {
    MaximumTree tree;
    std::vector<std::uint64_t> values;
    std::mt19937 random(static_cast<unsigned>(most));
    EXPECT_EQ(tree.maximum(), 0U);
    EXPECT_EQ(tree.index_of_maximum(), 0U);
    for (int each = 0; each < 3'000; ++each) {
      const std::size_t index = random() % most;
      const std::uint64_t value = random() % 50;  // many ties
      if (index >= values.size()) values.resize(index + 1);
      values[index] = value;
      tree.set(index, value);
      const auto largest = std::max_element(values.begin(), values.end());  // the first of them
      ASSERT_EQ(tree.maximum(), *largest);
      if (*largest > 0) {
        ASSERT_EQ(tree.index_of_maximum(), static_cast<std::size_t>(largest - values.begin()));
      }
      ASSERT_EQ(tree.at(index), value);
    }
    EXPECT_EQ(tree.at(most + 100'000), 0U);
  }
}

TEST(MaximumTree, R20_a_change_costs_four_matches_for_as_many_lanes_as_there_can_be) {
  MaximumTree tree;
  tree.set(0, 1);
  EXPECT_EQ(tree.height(), 1U);
  tree.set(shm::kMaximumLanesPerRoute - 1, 7);
  EXPECT_LE(tree.height(), 4U);
  EXPECT_EQ(tree.index_of_maximum(), shm::kMaximumLanesPerRoute - 1U);
}

// A writer and a policy, as a route drives them, over so many lanes.
class Saturated {
 public:
  explicit Saturated(std::uint32_t lanes) : oldest_(bench_.writer()) {
    for (std::uint32_t each = 0; each < lanes; ++each)
      lanes_.push_back(*bench_.writer().open_lane("p" + std::to_string(each)));
  }
  void push(Lane lane) {
    oldest_.prepare(lane);
    ASSERT_TRUE(bench_.append(lane, "x"));
    oldest_.appended(lane, bench_.writer().tail(lane) - 1, bench_.sequence());
  }
  std::uint64_t evict() {
    const auto victim = oldest_.victim({});
    EXPECT_TRUE(victim.has_value());
    const std::uint64_t before = bench_.writer().head(*victim);
    EXPECT_EQ(bench_.writer().evict_head(*victim), shm::RouteWriter::Evict::evicted);
    return before;
  }
  WriterBench& bench() { return bench_; }
  OldestHead& oldest() { return oldest_; }
  Lane lane(std::size_t index) { return lanes_[index % lanes_.size()]; }

 private:
  WriterBench bench_;
  OldestHead oldest_;
  std::vector<Lane> lanes_;
};

TEST(OldestHead, R20_steps_per_message_are_few_whatever_the_number_of_lanes) {
  for (const std::uint32_t lanes : {2U, 50U, 1'000U, 5'000U}) {
    Saturated route(lanes);
    std::mt19937 random(lanes);
    for (int each = 0; each < 10'000; ++each) route.push(route.lane(random()));
    const std::uint64_t before = route.oldest().steps();
    constexpr int kMessages = 20'000;
    for (int each = 0; each < kMessages; ++each) {
      route.evict();
      route.push(route.lane(random()));
    }
    EXPECT_LE(route.oldest().steps() - before, 4U * kMessages) << lanes << " lanes";
  }
}

TEST(OldestHead, R20_steps_stay_few_when_the_guest_takes_what_is_in_the_queue) {
  Saturated route(100);
  for (std::size_t each = 0; each < 1'000; ++each) route.push(route.lane(each));
  const std::uint64_t before = route.oldest().steps();
  constexpr std::size_t kMessages = 50'000;
  for (std::size_t each = 0; each < kMessages; ++each) {
    route.push(route.lane(each));
    if (each % 100 != 99) continue;
    route.bench().take(100);
    for (std::size_t lane = 0; lane < 100; ++lane) route.bench().writer().observe(route.lane(lane));
  }
  EXPECT_LE(route.oldest().steps() - before, 4 * kMessages);
}

TEST(OldestHead, R20_memory_is_bounded_although_one_lane_is_never_taken) {
  Saturated route(2);
  route.push(route.lane(0));  // the front of the queue for ever
  shm::LaneCursor& taken = route.bench().cursor(route.lane(1));
  std::size_t largest = 0;
  for (int each = 0; each < 100'000; ++each) {
    route.push(route.lane(1));
    taken.head.store(route.bench().writer().tail(route.lane(1)));  // a guest that takes only these
    route.bench().writer().observe(route.lane(1));
    largest = std::max(largest, route.oldest().size());
  }
  EXPECT_LE(largest, 64U) << "two messages were in the route at most";
  EXPECT_EQ(route.oldest().victim({}), route.lane(0));
}

TEST(OldestHead, R17_agrees_with_a_search_through_all_heads) {
  Saturated route(40);
  std::mt19937 random(3);
  shm::RouteWriter& writer = route.bench().writer();
  std::vector<std::deque<std::uint64_t>> model(40);  // sequence numbers
  for (int each = 0; each < 20'000; ++each) {
    const std::size_t lane = random() % 40;
    if (random() % 5 < 3) {
      route.push(route.lane(lane));
      model[lane].push_back(route.bench().sequence());
    } else if (random() % 4 == 0 && !model[lane].empty()) {  // the guest takes one
      route.bench().cursor(route.lane(lane)).head.fetch_add(1);
      writer.observe(route.lane(lane));
      model[lane].pop_front();
    }
    std::optional<std::size_t> oldest;
    for (std::size_t other = 0; other < 40; ++other) {
      if (!model[other].empty() && (!oldest || model[other].front() < model[*oldest].front()))
        oldest = other;
    }
    const auto victim = route.oldest().victim({});
    ASSERT_EQ(victim.has_value(), oldest.has_value());
    if (!victim) continue;
    ASSERT_EQ(*victim, route.lane(*oldest));
    if (random() % 3 != 0) continue;
    route.evict();
    model[*oldest].pop_front();
  }
}

TEST(FairShare, R20_the_arriving_message_counts_as_held_and_wins_only_if_it_makes_its_lane_larger) {
  WriterBench bench;
  FairShare policy(bench.writer(), 100);
  const Lane first = *bench.writer().open_lane("first");
  const Lane second = *bench.writer().open_lane("second");
  const auto push = [&](Lane lane, std::size_t bytes) {
    policy.prepare(lane);
    ASSERT_TRUE(bench.append(lane, std::string(bytes - 1, 'x')));
    policy.appended(lane, bench.writer().tail(lane) - 1, bench.sequence());
  };
  EXPECT_EQ(policy.victim({}), std::nullopt);
  for (int each = 0; each < 2; ++each) push(second, 30);
  push(first, 30);
  EXPECT_EQ(policy.victim({first, 30}), second) << "60 and 60: the one that is there stays chosen";
  EXPECT_EQ(policy.victim({first, 31}), first);
  EXPECT_EQ(policy.victim({std::nullopt, 90}), second) << "a new principal pays nothing";
}

}  // namespace
}  // namespace fairlead::test
