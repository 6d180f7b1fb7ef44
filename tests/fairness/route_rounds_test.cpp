// R27 on a whole route: rounds as the guest's rotation numbers them, messages as they come out.
#include <algorithm>
#include <random>

#include "shared_route.hpp"

namespace fairlead::test {
namespace {

constexpr std::uint32_t kLanes = 5'000;

shm::RouteIdentity roomy() { return identity_of("*", 256 << 20, 512 << 20, 8'192); }

// Messages of at most the quantum, so that a visit always covers one.
class Crowd {
 public:
  Crowd() : route_(roomy(), shm::Backing::sealed), queued_(kLanes + 1), served_(kLanes + 1) {}

  void publish(std::uint32_t lane) {
    ASSERT_EQ(route_.publish(lane, 1 + random_() % shm::kMinimumQuantumBytes).taken, 1U);
    ++queued_[lane];
  }
  // One message; checks the round that ended with it.
  std::uint32_t take() {
    const std::uint32_t before = route_.rotation().round;
    std::uint32_t lane = 0;
    EXPECT_TRUE(route_.drain(0, 1, [&](const shm::MessageView& view) {
      lane = principal_of(view);
      --queued_[lane];
    }));
    if (route_.rotation().round != before) {
      for (std::uint32_t each : waiting_)
        EXPECT_GT(served_[each], 0U) << "lane " << each << " in round " << before;
      begin_round(lane);
    }
    ++served_[lane];
    return lane;
  }
  [[nodiscard]] std::uint64_t rounds() const { return rounds_; }
  [[nodiscard]] std::uint64_t served(std::uint32_t lane) const { return served_[lane]; }
  [[nodiscard]] std::uint64_t queued(std::uint32_t lane) const { return queued_[lane]; }

 private:
  // Whoever has something now must progress before the next round. `first` was just served.
  void begin_round(std::uint32_t first) {
    ++rounds_;
    waiting_.clear();
    std::fill(served_.begin(), served_.end(), 0);
    for (std::uint32_t lane = 0; lane < queued_.size(); ++lane) {
      if (queued_[lane] > 0 || lane == first) waiting_.push_back(lane);
    }
  }

  SharedRoute route_;
  std::vector<std::uint64_t> queued_;
  std::vector<std::uint64_t> served_;
  std::vector<std::uint32_t> waiting_;
  std::uint64_t rounds_ = 0;
  std::mt19937_64 random_{27};
};

TEST(RouteRounds, R27_five_thousand_active_lanes_all_progress_within_one_round) {
  Crowd crowd;
  for (int each = 0; each < 3; ++each) {
    for (std::uint32_t lane = 0; lane < kLanes; ++lane) crowd.publish(lane);
  }
  while (crowd.rounds() < 2) crowd.take();
  for (int each = 0; each < 2'000; ++each) crowd.publish(17);  // a flood, from now on
  std::uint64_t left = 0;
  for (std::uint32_t lane = 0; lane < kLanes; ++lane) left += crowd.queued(lane);
  for (; left > 0 && !testing::Test::HasFailure(); --left) {
    const std::uint32_t lane = crowd.take();
    if (lane != 17 || crowd.rounds() > 4) continue;
    crowd.publish(17);
    ++left;
  }
  EXPECT_GT(crowd.rounds(), 500U) << "the flood was left over";
}

TEST(RouteRounds, R27_who_comes_in_the_middle_of_a_round_waits_for_one_turn_of_each) {
  constexpr std::uint32_t kOthers = 300;
  constexpr std::uint32_t kLate = 4'000;
  Crowd crowd;
  for (int each = 0; each < 30; ++each) {
    for (std::uint32_t lane = 0; lane < kOthers; ++lane) crowd.publish(lane);
  }
  while (crowd.rounds() < 2 || crowd.served(150) == 0) crowd.take();
  crowd.publish(kLate);
  std::vector<std::uint32_t> turns = {150};  // which may not be over
  while (turns.back() != kLate) {
    const std::uint32_t lane = crowd.take();
    if (lane != turns.back()) turns.push_back(lane);
  }
  std::vector<std::uint32_t> expected;
  for (std::uint32_t each = 0; each < kOthers; ++each) expected.push_back((150 + each) % kOthers);
  expected.push_back(kLate);
  EXPECT_EQ(turns, expected);
}

}  // namespace
}  // namespace fairlead::test
