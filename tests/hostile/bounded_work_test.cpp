// What one push costs the broker, counted in loads of the guest's memory: bounded whatever a
// hostile guest writes, and a constant on average, with honest guests whatever the number of lanes
// (R20).
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "delivery/route.hpp"
#include "route_memory.hpp"
#include "tampering.hpp"

namespace fairlead::hostile {
namespace {

// A route that is published to, with its loads counted.
class WatchedRoute {
 public:
  WatchedRoute(Tampering& tampering, const RouteSettings& settings)
      : tampering_(tampering),
        memory_(settings),
        route_(memory_.segment(), memory_.cursor_bytes().data(),
               std::make_shared<broker::Gate>(true), -1) {
    tampering_.watch({memory_.cursor_bytes(), cursor_word, {}});
  }
  ~WatchedRoute() { tampering_.forget(memory_.cursor_bytes().data()); }
  WatchedRoute(const WatchedRoute&) = delete;
  WatchedRoute& operator=(const WatchedRoute&) = delete;

  broker::PushOutcome push(std::uint64_t principal, std::size_t cost) {
    ++sequence_;
    const std::vector<std::byte> payload(cost - 1);
    const std::uint64_t before = tampering_.loads();
    const broker::PushOutcome outcome = route_.push(
        "p" + std::to_string(principal), {sequence_, sequence_, 0, sequence_}, "t", payload);
    route_.move_doorbell();
    std::atomic_thread_fence(std::memory_order_seq_cst);
    route_.settle();
    newest_ = tampering_.loads() - before;
    return outcome;
  }
  /// Of the newest push.
  [[nodiscard]] std::uint64_t loads() const noexcept { return newest_; }
  [[nodiscard]] RouteMemory& memory() noexcept { return memory_; }
  [[nodiscard]] broker::Route& route() noexcept { return route_; }

 private:
  Tampering& tampering_;
  RouteMemory memory_;
  broker::Route route_;
  std::uint64_t sequence_ = 0;
  std::uint64_t newest_ = 0;
};

// ---- honest guests -----------------------------------------------------------------------------

struct Saturated {
  shm::EvictionPolicy policy;
  std::uint32_t lanes;
  bool by_cap;  // the segment is full before the budget is
};

class SaturatedRoute : public testing::TestWithParam<Saturated> {};

TEST_P(SaturatedRoute, R20_an_eviction_costs_as_many_loads_with_5000_lanes_as_with_two) {
  const Saturated load = GetParam();
  const std::uint32_t lanes = load.lanes;
  Counting counting;
  const std::uint64_t budget = std::uint64_t{lanes} * 400;
  WatchedRoute route(counting,
                     {.policy = load.policy,
                      .budget = load.by_cap ? budget * 100 : budget,
                      .cap = load.by_cap ? std::uint64_t{lanes} * 512 + 512 * 1024 : 32U << 20,
                      .lanes = (lanes + 63) / 64 * 64});
  std::mt19937 random(lanes);
  const auto push = [&] { return route.push(random() % lanes, 20 + random() % 100); };
  for (std::uint64_t each = 0; each < std::uint64_t{lanes} * 20 + 20'000; ++each) push();
  const std::uint64_t before = counting.loads();
  const std::uint64_t pushes = FAIRLEAD_SANITIZED ? 5'000 : 50'000;
  std::uint64_t evicted = 0;
  for (std::uint64_t each = 0; each < pushes; ++each) evicted += push().evicted;
  EXPECT_GT(evicted, pushes / 2);
  // The head of its own lane, twice the victim's, the figures shown; no pass over tickets, since
  // nobody took anything.
  EXPECT_LE(counting.loads() - before, 20 * pushes);
}

INSTANTIATE_TEST_SUITE_P(Routes, SaturatedRoute,
                         testing::Values(Saturated{shm::EvictionPolicy::oldest_head, 2, false},
                                         Saturated{shm::EvictionPolicy::oldest_head, 100, false},
                                         Saturated{shm::EvictionPolicy::oldest_head, 5'000, false},
                                         Saturated{shm::EvictionPolicy::oldest_head, 5'000, true},
                                         Saturated{shm::EvictionPolicy::fair_share, 2, false},
                                         Saturated{shm::EvictionPolicy::fair_share, 5'000, false},
                                         Saturated{shm::EvictionPolicy::fair_share, 5'000, true}));

TEST(DrainedRoute, R20_pushes_and_evictions_beside_a_guest_that_drains_cost_a_constant_on_average) {
  for (const std::uint32_t lanes : {2U, 100U, 5'000U}) {
    Counting counting;
    WatchedRoute route(
        counting,
        {.budget = std::uint64_t{lanes} * 400, .cap = 32U << 20, .lanes = (lanes + 63) / 64 * 64});
    shm::RouteReader reader = route.memory().reader();
    std::vector<shm::MessageView> views;
    std::mt19937 random(lanes);
    const std::uint64_t pushes = 100'000;
    for (std::uint64_t each = 0; each < pushes; ++each) {
      route.push(random() % lanes, 20 + random() % 100);
      if (random() % 64 != 0) continue;
      views.clear();
      shm::RouteReader::Ticket ticket = 0;
      shm::RouteReader::EndedLoss ended;
      if (reader.drain(1 << 16, random() % 40, views, ticket, ended) ==
          shm::RouteReader::Outcome::ok)
        reader.release(ticket, views.size());
    }
    ASSERT_GT(route.memory().counters().evicted.load(), pushes / 10);
    ASSERT_GT(route.memory().counters().delivered.load(), pushes / 10);
    // Each push may need a chunk, and a chunk a pass over what pins memory.
    EXPECT_LE(counting.loads(), (kReclaimLoads + 20) * pushes) << lanes << " lanes";
  }
}

// ---- hostile ones ------------------------------------------------------------------------------

// Reports without end: each look at their number finds so many new ones.
class Reporting final : public Tampering {
 public:
  explicit Reporting(std::uint64_t ahead) : ahead_(ahead) {}
  void start(RouteMemory& memory) { reports_ = &memory.cursors().reports; }

 private:
  void tamper(Watched&, std::byte* shared, void* copy, std::size_t) override {
    if (reports_ == nullptr || static_cast<const void*>(shared) != reports_) return;
    said_ += ahead_;
    std::memcpy(copy, &said_, sizeof said_);
  }

  const std::uint64_t ahead_;
  const std::atomic<std::uint64_t>* reports_ = nullptr;
  std::uint64_t said_ = 0;
};

class EndlessReports : public testing::TestWithParam<std::uint64_t> {};

TEST_P(EndlessReports, cost_a_push_a_bounded_number_of_loads_and_few_on_average) {
  constexpr std::uint32_t kLanes = 1'024;
  constexpr std::uint64_t kPatient = 100'000;  // pushes that the guest waits before it begins
  constexpr std::uint64_t kPushes = 100'000;
  Reporting reporting(GetParam());
  WatchedRoute route(reporting, {.budget = 100'000, .cap = 8U << 20, .lanes = kLanes});
  for (std::uint64_t each = 0; each < kPatient; ++each) route.push(each % kLanes, 100);
  reporting.start(route.memory());
  const std::uint64_t before = reporting.loads();
  std::uint64_t most = 0;
  for (std::uint64_t each = 0; each < kPushes; ++each) {
    route.push(each % kLanes, 100);
    most = std::max(most, route.loads());
  }
  // Of an entry: the number of reports, the entry, the head that it leads to.
  EXPECT_LE(most, 3 * (shm::kDrainReportEntries + 2 * kLanes) + kReclaimLoads + 20);
  EXPECT_GT(most, shm::kDrainReportEntries / 2) << "the guest did nothing out of the ordinary";
  // What it saved up while it waited, then as much as comes in.
  EXPECT_LE(reporting.loads() - before,
            3 * (shm::kMaximumFruitlessReports + kPatient) + 30 * kPushes);
  EXPECT_FALSE(route.route().poisoned());
}

INSTANTIATE_TEST_SUITE_P(Ahead, EndlessReports,
                         testing::Values(1U, 100U, shm::kDrainReportEntries - 2U,
                                         shm::kDrainReportEntries + 1U, std::uint64_t{1} << 63U));

// Its head is one further each time somebody looks, and every exchange fails.
class Creeping final : public Tampering {
 private:
  void tamper(Watched& watched, std::byte* shared, void* copy, std::size_t) override {
    const auto lane =
        RouteMemory::head_at(static_cast<std::size_t>(shared - watched.memory.data()));
    if (lane != 0) return;
    std::uint64_t head = 0;
    std::memcpy(&head, copy, sizeof head);
    ++head;
    std::memcpy(shared, &head, sizeof head);
  }
};

TEST(CreepingHead, costs_a_push_no_more_than_the_messages_that_it_passes) {
  Creeping creeping;
  WatchedRoute route(creeping, {.budget = 10'000, .cap = 1U << 20, .lanes = 64});
  constexpr std::uint64_t kPushes = 10'000;
  for (std::uint64_t each = 0; each < kPushes && !route.route().poisoned(); ++each) {
    const std::uint64_t delivered = route.memory().counters().delivered;
    const std::uint32_t evicted = route.push(each % 3, 20).evicted;
    const std::uint64_t passed = route.memory().counters().delivered - delivered;
    ASSERT_LE(route.loads(), kReclaimLoads + 20 + 8 * (passed + evicted));
    route.memory().check();
  }
}

// Memory that is short makes the broker look at what pins it again and again: twice for each
// message that it evicts for more, and it evicts a message once.
TEST(PinnedMemory, costs_a_push_two_passes_for_each_message_that_goes_for_it) {
  RouteSettings settings{.budget = 64U << 20, .cap = 512 * 1024, .lanes = 1'024};
  Counting counting;
  WatchedRoute route(counting, settings);
  for (auto& slot : route.memory().cursors().tickets) slot.batch = 1;
  for (auto& slot : route.memory().cursors().holds) slot = shm::kRouteArenaOffset;
  std::mt19937 random(7);
  std::uint64_t evicted = 0;
  for (int each = 0; each < 5'000; ++each) {
    const broker::PushOutcome outcome =
        route.push(random() % 1'000, random() % 100 == 0 ? 100'000 : 20);
    evicted += outcome.evicted;
    ASSERT_LE(route.loads(), (2 * kReclaimLoads + 20) * (outcome.evicted + 2)) << each;
  }
  EXPECT_GT(evicted, 1'000U);
}

}  // namespace
}  // namespace fairlead::hostile
