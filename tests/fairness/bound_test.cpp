// R26 and R27 as properties of the scheduler alone: no segment, no process, only ratios.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include <fairlead/shm/deficit_round_robin.hpp>

namespace fairlead::test {
namespace {

struct Entries {
  std::vector<shm::RotationEntry>* all;
  shm::RotationEntry& operator[](std::uint32_t lane) const noexcept { return (*all)[lane]; }
};

// Lanes that always have a next message, of random size.
class Backlog {
 public:
  Backlog(std::uint32_t lanes, std::uint64_t largest, std::uint64_t seed)
      : random_(seed), size_(1, largest), entries_(lanes), heads_(lanes), served_(lanes, 0) {
    for (std::uint64_t& head : heads_) head = size_(random_);
    for (std::uint32_t lane = 0; lane < lanes; ++lane) rotation().join(lane, 1);
  }

  shm::DeficitRoundRobin<Entries> rotation() {
    return {state_, Entries{&entries_}, static_cast<std::uint32_t>(entries_.size())};
  }

  // One visit; calls `emitted(lane)` after each message.
  template <class Emitted>
  void visit(std::uint64_t drain_budget, Emitted&& emitted) {
    auto scheduler = rotation();
    const std::uint32_t lane = scheduler.visit(drain_budget).value();
    while (heads_[lane] <= scheduler.deficit(lane)) {
      scheduler.charge(lane, heads_[lane]);
      served_[lane] += heads_[lane];
      heads_[lane] = size_(random_);
      emitted(lane);
    }
    scheduler.pass(lane);
  }

  [[nodiscard]] std::uint64_t quantum() const { return state_.quantum; }
  [[nodiscard]] const std::vector<std::uint64_t>& served() const { return served_; }

 private:
  std::mt19937_64 random_;
  std::uniform_int_distribution<std::uint64_t> size_;
  shm::RotationState state_{};
  std::vector<shm::RotationEntry> entries_;
  std::vector<std::uint64_t> heads_;
  std::vector<std::uint64_t> served_;
};

struct RotationLoad {
  std::uint32_t lanes;
  std::uint64_t largest;
  std::uint64_t drain_budget;
};

constexpr std::uint64_t kMessages = 100'000;

class FairnessBound : public testing::TestWithParam<RotationLoad> {};

// Over any interval: the difference of two lanes' service, taken after every message, never spans
// more than the bound between its lowest and its highest value.
TEST_P(FairnessBound, R26_bytes_served_differ_by_at_most_a_quantum_and_two_largest_messages) {
  const RotationLoad load = GetParam();
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    Backlog backlog(load.lanes, load.largest, seed);
    const std::uint32_t last = load.lanes - 1;
    const std::uint32_t middle = load.lanes / 2;
    std::int64_t low[2] = {0, 0};
    std::int64_t high[2] = {0, 0};
    std::uint64_t messages = 0;
    const auto watch = [&](std::uint32_t) {
      ++messages;
      const auto& served = backlog.served();
      const std::int64_t differences[2] = {
          static_cast<std::int64_t>(served[0] - served[last]),
          static_cast<std::int64_t>(served[middle] - served[last])};
      for (int pair = 0; pair < 2; ++pair) {
        low[pair] = std::min(low[pair], differences[pair]);
        high[pair] = std::max(high[pair], differences[pair]);
      }
    };
    // Enough visits for the largest message to be covered, enough messages for small ones.
    const std::uint64_t visits = load.lanes * 80ULL;
    for (std::uint64_t visit = 0; visit < visits || messages < kMessages; ++visit)
      backlog.visit(load.drain_budget, watch);
    const auto bound = static_cast<std::int64_t>(backlog.quantum() + 2 * load.largest);
    for (int pair = 0; pair < 2; ++pair)
      EXPECT_LE(high[pair] - low[pair], bound) << "seed " << seed;
    EXPECT_GT(backlog.served()[0], 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Loads, FairnessBound,
    testing::Values(RotationLoad{2, 1, 0}, RotationLoad{2, 4096, 0}, RotationLoad{2, 256 * 1024, 0},
                    RotationLoad{3, 64, 1 << 20}, RotationLoad{100, 1500, 64 * 1024},
                    RotationLoad{100, 256 * 1024, 4 << 20}, RotationLoad{5'000, 256 * 1024, 0},
                    RotationLoad{5'000, 2'000, 100 << 20}));

TEST(FairnessOfRounds, R27_five_thousand_lanes_all_progress_within_one_round) {
  constexpr std::uint32_t kLanes = 5'000;
  Backlog backlog(kLanes, shm::kMinimumQuantumBytes, 7);
  for (std::uint32_t visit = 0; visit < kLanes; ++visit) backlog.visit(0, [](std::uint32_t) {});
  EXPECT_EQ(std::count(backlog.served().begin(), backlog.served().end(), 0U), 0);
}

TEST(FairnessOfRounds, R27_a_lane_that_joins_in_the_middle_of_a_round_is_visited_after_all_others) {
  std::vector<shm::RotationEntry> entries(4);
  shm::RotationState state{};
  shm::DeficitRoundRobin<Entries> rotation(state, Entries{&entries}, 4);
  for (std::uint32_t lane = 0; lane < 3; ++lane) rotation.join(lane, 1);
  ASSERT_EQ(rotation.visit(0), 0U);
  rotation.pass(0);
  rotation.join(3, 1);
  std::vector<std::uint32_t> order;
  for (int visit = 0; visit < 4; ++visit) {
    order.push_back(rotation.visit(0).value());
    rotation.pass(order.back());
  }
  EXPECT_EQ(order, (std::vector<std::uint32_t>{1, 2, 0, 3}));
}

TEST(FairnessOfRounds, R23_the_quantum_stays_the_same_within_a_round) {
  std::vector<shm::RotationEntry> entries(2);
  shm::RotationState state{};
  shm::DeficitRoundRobin<Entries> rotation(state, Entries{&entries}, 2);
  rotation.join(0, 1);
  rotation.join(1, 1);
  (void)rotation.visit(1 << 20);
  EXPECT_EQ(rotation.deficit(0), 1U << 19U);
  rotation.pass(0);
  (void)rotation.visit(0);  // another caller, another budget, the same round
  EXPECT_EQ(rotation.deficit(1), 1U << 19U);
}

}  // namespace
}  // namespace fairlead::test
