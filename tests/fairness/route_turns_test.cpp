// R23 to R25 on a whole route: what a turn is worth, and that it survives the end of a call.
#include <random>
#include <utility>
#include <vector>

#include "shared_route.hpp"

namespace fairlead::test {
namespace {

constexpr std::uint64_t kQuantum = shm::kMinimumQuantumBytes;

using Order = std::vector<std::pair<std::uint32_t, std::uint64_t>>;  // principal, number

class TurnsOnRoute : public testing::Test {
 protected:
  TurnsOnRoute() : route_(identity_of("*", 64 << 20, 128 << 20, 64), shm::Backing::named) {}

  void publish(std::uint32_t principal, std::uint64_t cost, std::uint64_t times = 1) {
    for (; times > 0; --times) ASSERT_EQ(route_.publish(principal, cost, ++number_).taken, 1U);
  }
  // Principals of one drain call, in order.
  std::vector<std::uint32_t> drain(std::uint64_t byte_budget, std::size_t most) {
    std::vector<std::uint32_t> order;
    route_.drain(byte_budget, most,
                 [&](const shm::MessageView& view) { order.push_back(principal_of(view)); });
    return order;
  }

  std::vector<std::uint32_t> take(int times) {
    std::vector<std::uint32_t> order;
    for (; times > 0; --times) {
      for (const std::uint32_t principal : drain(0, 1)) order.push_back(principal);
    }
    return order;
  }

  SharedRoute route_;
  std::uint64_t number_ = 0;
};

using Principals = std::vector<std::uint32_t>;

TEST_F(TurnsOnRoute, R23_a_quantum_is_4_KiB_or_the_budgets_share_of_an_active_lane) {
  const auto two_lanes = [this] {
    publish(1, 1'000, 40);
    publish(2, 1'000, 40);
  };
  two_lanes();
  EXPECT_EQ(drain(1'000'000, 5), (Principals{1, 1, 1, 1, 1}));
  EXPECT_EQ(route_.rotation().quantum, 500'000U);
  while (!drain(1'000'000, 1'000).empty()) {
  }
  two_lanes();
  EXPECT_EQ(drain(2 * kQuantum - 2, 6), (Principals{1, 1, 1, 1, 2, 2})) << "4 KiB at least";
  EXPECT_EQ(route_.rotation().quantum, kQuantum);
}

TEST_F(TurnsOnRoute, R23_the_quantum_stays_the_same_within_a_round_even_across_calls) {
  for (const std::uint32_t principal : {1U, 2U, 3U}) publish(principal, 1'000, 100);
  EXPECT_EQ(drain(30'000, 1), Principals{1});
  ASSERT_EQ(route_.rotation().quantum, 10'000U);
  // Calls that would give another quantum: the round goes on with ten messages of each.
  Principals rest;
  for (int call = 0; call < 29; ++call) {
    for (const std::uint32_t principal : drain(call % 2 == 0 ? 0 : 900'000, 1))
      rest.push_back(principal);
  }
  Principals expected(9, 1);
  expected.insert(expected.end(), 10, 2);
  expected.insert(expected.end(), 10, 3);
  EXPECT_EQ(rest, expected);
  EXPECT_EQ(drain(0, 1), Principals{1}) << "the next round";
  EXPECT_EQ(route_.rotation().quantum, kQuantum);
}

TEST_F(TurnsOnRoute, R23_a_lane_that_emptied_has_no_deficit_left) {
  publish(1, 1);  // leaves all but one byte of its quantum
  EXPECT_EQ(take(1), Principals{1});
  publish(1, kQuantum + 1);
  publish(2, 1);
  EXPECT_EQ(take(2), (Principals{2, 1})) << "with what was left it would have come first";
}

TEST_F(TurnsOnRoute, R23_a_lane_that_did_not_empty_keeps_its_deficit) {
  publish(1, 1);
  publish(1, kQuantum + 1);
  publish(2, kQuantum + 1);
  EXPECT_EQ(take(3), (Principals{1, 1, 2})) << "the rest of its first quantum and the second";
}

TEST_F(TurnsOnRoute, R25_a_lane_that_the_callers_budget_stops_keeps_turn_and_deficit) {
  publish(1, 1'000, 12);
  publish(2, 1'000, 12);
  // Each call is stopped after one message, four messages fit into a quantum: 96 bytes are left of
  // the first turn, and the ninth of a lane has to wait for the third.
  Principals order;
  for (int call = 0; call < 24; ++call) {
    const Principals one = drain(1'000, 1'000);
    ASSERT_EQ(one.size(), 1U);
    order.push_back(one[0]);
  }
  Principals expected;
  for (int round = 0; round < 3; ++round) {
    expected.insert(expected.end(), 4, 1);
    expected.insert(expected.end(), 4, 2);
  }
  EXPECT_EQ(order, expected);
}

TEST_F(TurnsOnRoute, R25_a_call_returns_a_message_however_small_its_budget_and_stops_behind_it) {
  publish(1, 100'000);
  publish(2, 100);
  publish(2, 100'000);
  EXPECT_EQ(drain(1, 10), Principals{2});
  EXPECT_EQ(drain(1, 10), Principals{1});
  EXPECT_EQ(drain(0, 10), Principals{2});
  EXPECT_EQ(drain(0, 10), Principals{});
}

// The same messages taken one by one and in drains of any length with the same quantum, mixed at
// random: always in the same order.
TEST(TurnsInAnyCalls, R24_takes_and_drains_mixed_at_random_give_one_order) {
  constexpr std::uint32_t kPrincipals = 7;
  const auto run = [](std::uint64_t seed) {  // 0: takes only
    SharedRoute route(identity_of("*", 64 << 20, 128 << 20, 64), shm::Backing::named);
    std::mt19937_64 messages(1);
    for (std::uint64_t number = 0; number < 2'000; ++number)
      route.publish(static_cast<std::uint32_t>(messages() % kPrincipals), 1 + messages() % 9'000,
                    number);
    std::mt19937_64 calls(seed);
    Order order;
    bool some = true;
    while (some) {
      const bool take = seed == 0 || calls() % 2 == 0;
      // A budget that gives each lane 4 KiB at most, and stops calls in the middle of turns.
      some = route.drain(take ? 0 : calls() % (kPrincipals * kQuantum), take ? 1 : 1 + calls() % 20,
                         [&](const shm::MessageView& view) {
                           order.emplace_back(principal_of(view), view.publish_number());
                         });
      // When few lanes are left, such a budget is more than 4 KiB for each.
      if (route.rotation().active < kPrincipals) break;
    }
    return order;
  };
  const Order takes = run(0);
  EXPECT_GT(takes.size(), 1'000U);
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Order mixed = run(seed);
    const std::size_t common = std::min(mixed.size(), takes.size());
    EXPECT_GT(common, 1'000U);
    mixed.resize(common);
    EXPECT_EQ(mixed, Order(takes.begin(), takes.begin() + static_cast<std::ptrdiff_t>(common)))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace fairlead::test
