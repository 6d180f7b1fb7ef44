// R30: counters, and that every consistent snapshot of them adds up.
#include <atomic>
#include <thread>

#include "rule_fixture.hpp"

namespace fairlead::test {
namespace {

class Counters : public RuleTest {};
FAIRLEAD_UNDER_EVERY_DRIVER(Counters);

TEST_P(Counters, R30_published_is_delivered_and_queued_and_evicted) {
  TestRoute& route = add(Policy::oldest_head, 100);
  for (int each = 0; each < 15; ++each) publish_bytes("p", 10);
  route.take_all(kAll, 4);
  route.route->maintain();
  const shm::RouteCounters& counters = route.counters();
  EXPECT_EQ(counters.published.load(), 15U);
  EXPECT_EQ(counters.published_bytes.load(), 150U);
  EXPECT_EQ(counters.evicted.load(), 5U);
  EXPECT_EQ(counters.evicted_bytes.load(), 50U);
  EXPECT_EQ(counters.delivered.load(), 4U);
  EXPECT_EQ(counters.delivered_bytes.load(), 40U);
  EXPECT_EQ(counters.queued.load(), 6U);
  EXPECT_EQ(counters.queued_bytes.load(), 60U);
  EXPECT_EQ(counters.queued_high_water.load(), 10U);
  EXPECT_EQ(counters.queued_bytes_high_water.load(), 100U);
}

TEST_P(Counters, R30_refusals_are_counted_by_reason_for_route_and_lane) {
  TestRoute& route = add(Policy::reject, 100);
  publish_bytes("p", 100);
  publish_bytes("p", 1);
  publish_bytes("q", 1);
  publish_bytes("p", 200);
  const shm::RouteCounters& counters = route.counters();
  EXPECT_EQ(counters.refused.load(), 3U);
  EXPECT_EQ(counters.refused_by_reason[static_cast<int>(Refusal::full)].load(), 2U);
  EXPECT_EQ(counters.refused_by_reason[static_cast<int>(Refusal::larger_than_budget)].load(), 1U);
  const auto* page = reinterpret_cast<const shm::LanePage*>(
      route.ends->segment().data() +
      std::uint64_t{route.ends->header().lane_pages[0].load()} * shm::kMinimumChunkBytes);
  EXPECT_EQ(page->statistics[0].refused.load(), 2U) << "of p, whose lane it is";
}

TEST_P(Counters, R30_each_lane_has_its_own_of_its_present_life) {
  TestRoute& route = add(Policy::oldest_head, 100);
  for (int each = 0; each < 12; ++each) publish_bytes("p", 10);
  const auto& statistics =
      reinterpret_cast<const shm::LanePage*>(
          route.ends->segment().data() +
          std::uint64_t{route.ends->header().lane_pages[0].load()} * shm::kMinimumChunkBytes)
          ->statistics[0];
  EXPECT_EQ(statistics.evicted.load(), 2U);
  EXPECT_EQ(statistics.queued_bytes.load(), 100U);
  EXPECT_EQ(statistics.queued_high_water.load(), 10U);
  EXPECT_EQ(statistics.queued_bytes_high_water.load(), 100U);
  EXPECT_EQ(statistics.oldest_published_nanoseconds.load(), 300U) << "of the third message";
  ASSERT_EQ(route.take_all(kAll, 3).size(), 3U);
  route.route->maintain();
  EXPECT_EQ(statistics.validated_head.load(), 5U);
  EXPECT_EQ(statistics.queued_bytes.load(), 70U);
  EXPECT_EQ(statistics.oldest_published_nanoseconds.load(), 600U);
  route.take_all();
  route.route->maintain();
  publish_bytes("q", 10);
  EXPECT_EQ(statistics.evicted.load(), 0U);
  EXPECT_EQ(statistics.queued_high_water.load(), 1U);
}

TEST_P(Counters, R30_visits_whose_quantum_did_not_cover_the_head_are_counted) {
  TestRoute& route = add(Policy::oldest_head, 100'000);
  publish_bytes("p", 10'000);  // 4 KiB a round: covered in the third
  ASSERT_EQ(route.take_all(0, 1).size(), 1U);
  EXPECT_EQ(route.ends->cursor_header().uncovered_visits.load(), 2U);
  route.route->maintain();
  EXPECT_EQ(route.counters().uncovered_visits.load(), 2U);
}

TEST_P(Counters, R30_snapshots_add_up_while_messages_come_go_and_are_evicted) {
  TestRoute& route = add(Policy::fair_share, 5'000);
  const shm::RouteHeader& header = route.ends->header();
  std::atomic<bool> done{false};
  std::uint64_t whole = 0;
  std::uint64_t wrong = 0;
  std::atomic<std::uint64_t> different{0};
  std::thread observer([&] {
    std::uint64_t last = 0;
    while (!done.load(std::memory_order_relaxed)) {
      std::uint64_t sums[4] = {};
      const shm::RouteCounters& counters = header.counters;
      const auto word = [](const std::atomic<std::uint64_t>& each) {
        return each.load(std::memory_order_relaxed);
      };
      if (!shm::read_snapshot(header.snapshot, 1'000, [&] {
            sums[0] = word(counters.published);
            sums[1] = word(counters.delivered) + word(counters.queued) + word(counters.evicted);
            sums[2] = word(counters.published_bytes);
            sums[3] = word(counters.delivered_bytes) + word(counters.queued_bytes) +
                      word(counters.evicted_bytes);
          }))
        continue;
      ++whole;
      if (sums[0] != sums[1] || sums[2] != sums[3]) ++wrong;
      if (sums[0] != last) ++different;
      last = sums[0];
    }
  });
  const int publishes = FAIRLEAD_SANITIZED ? 20'000 : 100'000;
  for (int each = 0; each < publishes || different < 20; ++each) {
    publish_bytes("p" + std::to_string(each % 30), 1 + static_cast<std::uint64_t>(each) % 300);
    if (each % 64 == 0) route.take_all(2'000);
    if (each % 1'024 == 0) route.route->maintain();
  }
  done = true;
  observer.join();
  EXPECT_EQ(wrong, 0U) << "of " << whole;
  EXPECT_GT(whole, 0U);
}

}  // namespace
}  // namespace fairlead::test
