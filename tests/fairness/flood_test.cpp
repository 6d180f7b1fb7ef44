// What a flooder costs 99 quiet principals: no message and no more than two rounds of waiting.
#include "flood.hpp"

namespace fairlead::test {
namespace {

using shm::EvictionPolicy;

const auto kNobody = [] {};

// How often the flooder publishes for each message of a quiet principal: 100 times as often as each
// of them, and as all of them.
class Flooded : public testing::TestWithParam<std::uint32_t> {
 protected:
  [[nodiscard]] FloodOptions options() const { return {.times = GetParam()}; }
  [[nodiscard]] static int scaled(int ticks) { return FAIRLEAD_SANITIZED ? ticks / 4 : ticks; }
};
INSTANTIATE_TEST_SUITE_P(Times, Flooded, testing::Values(100U, 100U * Flood::kQuiet));

TEST_P(Flooded, R21_R29_fair_share_keeps_the_quiet_whole_while_there_is_no_guest) {
  Flood flood(options());
  while (flood.quiet_stay_within_share()) flood.tick(kNobody);
  flood.take_all();
  EXPECT_EQ(flood.quiet_lost(), 0U);
  EXPECT_GT(flood.flooders_lost(), 0U);
  flood.expect_flooders_loss_told();
}

TEST_P(Flooded, R21_R29_fair_share_keeps_the_quiet_whole_while_the_guest_is_stopped) {
  Flood flood(options());
  for (int stop = 0; stop < scaled(4); ++stop) {
    flood.tick([&] { flood.take(); });
    flood.tick(kNobody);
    // Stopped in the middle of things: nobody gives this back for a while.
    flood.take_and_keep(20);
    while (flood.quiet_stay_within_share()) flood.tick(kNobody);
    flood.give_back();
    flood.take_all();
  }
  EXPECT_EQ(flood.quiet_lost(), 0U);
  EXPECT_GT(flood.flooders_lost(), 0U);
  flood.expect_flooders_loss_told();
}

// It takes 6 messages while 5 of the quiet come, however many come of the flooder.
TEST_P(Flooded, R21_R23_R29_fair_share_keeps_the_quiet_whole_and_quick_while_the_guest_is_slow) {
  Flood flood(options());
  const std::uint64_t publishes = Flood::kQuiet + GetParam();  // per tick
  const std::uint64_t takes = Flood::kQuiet * 6 / 5;
  std::uint64_t credit = 0;
  for (int tick = 0; tick < scaled(GetParam() > 1'000 ? 100 : 1'000); ++tick) {
    flood.tick([&] {
      for (credit += takes; credit >= publishes; credit -= publishes) flood.take();
    });
  }
  flood.expect_quiet_wait_two_rounds_at_most();
  flood.take_all();
  EXPECT_EQ(flood.quiet_lost(), 0U);
  EXPECT_GT(flood.flooders_lost(), 0U);
  flood.expect_flooders_loss_told();
}

// It keeps up when it drains everything before the budget is full. The budget is no larger than
// that.
TEST_P(Flooded, R17_R23_R29_oldest_head_keeps_the_quiet_whole_while_the_guest_keeps_up) {
  constexpr std::uint64_t kMessagesBetween = 400;
  FloodOptions options{EvictionPolicy::oldest_head, kMessagesBetween * Flood::kMostCost,
                       GetParam()};
  Flood flood(options);
  std::uint64_t published = 0;
  for (int tick = 0; tick < scaled(GetParam() > 1'000 ? 100 : 1'000); ++tick) {
    flood.tick([&] {
      if (++published % kMessagesBetween == 0) flood.take_all();
    });
  }
  flood.expect_quiet_wait_two_rounds_at_most();
  flood.take_all();
  EXPECT_EQ(flood.quiet_lost(), 0U);
  EXPECT_EQ(flood.flooders_lost(), 0U);
  flood.expect_flooders_loss_told();
}

// The floods above are floods: age alone, without a guest, costs the quiet messages.
TEST(FloodedWithoutShares, R17_oldest_head_takes_from_the_quiet_as_well_when_nobody_drains) {
  Flood flood({.policy = EvictionPolicy::oldest_head, .times = 100 * Flood::kQuiet});
  while (flood.quiet_stay_within_share()) flood.tick(kNobody);
  flood.take_all();
  EXPECT_GT(flood.quiet_lost(), Flood::kQuiet * 40U);
  EXPECT_EQ(flood.quiet_lost() + flood.flooders_lost(), flood.route().counters().evicted.load());
}

}  // namespace
}  // namespace fairlead::test
