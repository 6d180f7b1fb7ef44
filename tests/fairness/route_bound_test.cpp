// R26 as a property of a whole route: published through a Delivery, drained by a RouteReader.
#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "service_spread.hpp"
#include "shared_route.hpp"

namespace fairlead::test {
namespace {

// Every order of magnitude from one byte on is as likely as any other.
class Sizes {
 public:
  Sizes(std::uint64_t largest, std::uint64_t seed)
      : random_(seed), exponent_(0, std::log(static_cast<double>(largest) + 1)) {}
  std::uint64_t next() {
    return std::max<std::uint64_t>(static_cast<std::uint64_t>(std::exp(exponent_(random_))), 1);
  }
  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

 private:
  std::mt19937_64 random_;
  std::uniform_real_distribution<double> exponent_;
};

struct RouteLoad {
  const char* name;
  std::uint32_t lanes;
  std::size_t most;            // messages per drain call
  std::uint64_t drain_budget;  // bytes per drain call
  std::uint64_t rounds;
  std::uint32_t large_every;  // one lane in so many has messages up to 256 KiB, the others 4 KiB
};

constexpr std::size_t kMostWatched = 200;  // lanes of which every pair is compared
constexpr std::size_t kNotWatched = ~std::size_t{0};

// Lanes that are never empty: what is taken from one is published again.
class Backlogged {
 public:
  Backlogged(const RouteLoad& load, std::uint64_t seed)
      : load_(load),
        route_(identity(load), load.lanes <= 16 ? shm::Backing::named : shm::Backing::sealed),
        small_(4'096, seed),
        large_(kLargestCost, seed + 1'000),
        spread_(std::min<std::size_t>(load.lanes, kMostWatched)) {
    choose_watched();
    for (std::size_t each = 0; each <= load.most; ++each) {
      for (std::uint32_t lane = 0; lane < load.lanes; ++lane) publish(lane);
    }
  }

  // Until the round's number is so much higher.
  void run() {
    const std::uint32_t first = route_.rotation().round;
    std::vector<std::uint32_t> taken;
    while (route_.rotation().round - first < load_.rounds && !testing::Test::HasFailure()) {
      taken.clear();
      ASSERT_TRUE(route_.drain(load_.drain_budget, load_.most, [&](const shm::MessageView& view) {
        taken.push_back(principal_of(view));
        serve(taken.back(), view.cost());
      }));
      for (const std::uint32_t lane : taken) publish(lane);
      quantum_ = std::max(quantum_, route_.rotation().quantum);
      ASSERT_EQ(quantum_, route_.rotation().quantum) << "not the quantum that the load is about";
      ASSERT_EQ(route_.rotation().active, load_.lanes);
    }
    EXPECT_EQ(route_.counters().evicted.load() + route_.counters().refused.load(), 0U);
  }

  void expect_fair() {
    EXPECT_LE(spread_.widest(), quantum_ + 2 * largest_);
    EXPECT_GT(spread_.widest(), largest_ / 2) << "a load that could not show anything";
    EXPECT_GT(spread_.least_served(), 0U);
  }

 private:
  static shm::RouteIdentity identity(const RouteLoad& load) {
    const std::uint64_t large = load.lanes / load.large_every + 1;
    const std::uint64_t bytes =
        (load.most + 1) * (large * kLargestCost + std::uint64_t{load.lanes} * 4'096);
    return identity_of("*", bytes, bytes * 2 + 64 * 1024 * 1024,
                       (load.lanes + shm::kLanesPerPage) / shm::kLanesPerPage * shm::kLanesPerPage);
  }
  void publish(std::uint32_t lane) {
    Sizes& sizes = lane % load_.large_every == 0 ? large_ : small_;
    const std::uint64_t cost = std::min(sizes.next(), kLargestCost);
    largest_ = std::max(largest_, cost);
    ASSERT_EQ(route_.publish(lane, cost).taken, 1U);
  }
  // All lanes, or as many as can be compared pair by pair: half of them with large messages.
  void choose_watched() {
    watched_as_.assign(load_.lanes, kNotWatched);
    std::size_t watched = 0;
    const std::size_t most = std::min<std::size_t>(load_.lanes, kMostWatched);
    for (std::uint32_t lane = 0; lane < load_.lanes && watched < most / 2;
         lane += load_.large_every)
      watched_as_[lane] = watched++;
    while (watched < most) {
      std::size_t& place = watched_as_[small_.below(load_.lanes)];
      if (place == kNotWatched) place = watched++;
    }
  }
  void serve(std::uint32_t lane, std::uint64_t cost) {
    if (watched_as_[lane] != kNotWatched) spread_.served(watched_as_[lane], cost);
  }

  const RouteLoad load_;
  SharedRoute route_;
  Sizes small_;
  Sizes large_;
  ServiceSpread spread_;
  std::vector<std::size_t> watched_as_;
  std::uint64_t quantum_ = 0;
  std::uint64_t largest_ = 0;
};

class RouteBound : public testing::TestWithParam<RouteLoad> {};

TEST_P(RouteBound, R26_over_every_interval_two_lanes_differ_by_a_quantum_and_two_messages_at_most) {
  const std::uint64_t seeds = FAIRLEAD_SANITIZED ? 1 : GetParam().lanes > 1'000 ? 2 : 4;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Backlogged load(GetParam(), seed);
    load.run();
    load.expect_fair();
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Loads, RouteBound,
    testing::Values(RouteLoad{"two_lanes_by_single_takes", 2, 1, 0, 3'000, 1},
                    RouteLoad{"two_lanes_by_large_drains", 2, 50, 256 * 1024, 300, 1},
                    RouteLoad{"a_large_and_a_small_one", 2, 20, 8 * 1024, 3'000, 2},
                    RouteLoad{"sixteen_by_single_takes", 16, 1, 0, 1'500, 1},
                    RouteLoad{"a_hundred_by_single_takes", 100, 1, 0, 300, 1},
                    RouteLoad{"a_hundred_by_large_drains", 100, 10, 1 << 20, 100, 3},
                    RouteLoad{"five_thousand_by_single_takes", 5'000, 1, 0, 70, 50},
                    RouteLoad{"five_thousand_by_large_drains", 5'000, 4, 32 << 20, 40, 100}),
    [](const auto& load) { return std::string(load.param.name); });

// The bound does not depend on nobody losing anything: three messages come for each that is taken.
TEST(RouteBoundUnderEviction,
     R26_holds_between_lanes_that_stay_backlogged_while_messages_are_lost) {
  constexpr std::uint32_t kLanes = 20;
  for (const auto policy : {shm::EvictionPolicy::oldest_head, shm::EvictionPolicy::fair_share}) {
    shm::RouteIdentity identity = identity_of("*", 2 << 20, 16 << 20, 64);
    identity.eviction = policy;
    SharedRoute route(identity, shm::Backing::named);
    Sizes sizes(100'000, 5);
    ServiceSpread spread(kLanes);
    std::vector<std::uint64_t> queued(kLanes);
    std::uint64_t interruptions = 0;
    const int takes = FAIRLEAD_SANITIZED ? 3'000 : 30'000;
    for (int each = 0; each < takes; ++each) {
      for (int more = 0; more < 3; ++more)
        (void)route.publish(static_cast<std::uint32_t>(sizes.below(kLanes)), sizes.next());
      route.route().maintain();
      // Who has nothing now begins anew; so does whoever lost all it had in between.
      std::fill(queued.begin(), queued.end(), 0);
      const shm::RouteWriter& writer = route.route().writer();
      for (shm::Lane lane = 0; lane < identity.lane_capacity; ++lane) {
        if (writer.in_use(lane))
          queued[static_cast<std::size_t>(std::stoul(writer.principal(lane)))] = writer.depth(lane);
      }
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        if (queued[lane] > 1) continue;  // one could be taken now, and the next one come later
        spread.interrupt(lane);
        ++interruptions;
      }
      ASSERT_TRUE(route.drain(0, 1, [&](const shm::MessageView& view) {
        spread.served(principal_of(view), view.cost());
      }));
    }
    EXPECT_LE(spread.widest(), shm::kMinimumQuantumBytes + 2 * 100'000U);
    EXPECT_GT(route.counters().evicted.load(), static_cast<std::uint64_t>(takes));
    EXPECT_LT(interruptions, static_cast<std::uint64_t>(takes) * kLanes / 4);
  }
}

}  // namespace
}  // namespace fairlead::test
