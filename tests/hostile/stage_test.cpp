// The claim, in small: whatever hostile guests write and whenever, the broker keeps its sums and to
// its memory, honest guests get every byte, and the hostile ones harm themselves alone.
#include "stage.hpp"

#include <gtest/gtest.h>

#include <iostream>

namespace fairlead::hostile {
namespace {

TEST(HostileGuests, tampering_with_a_million_loads_harms_nobody_but_themselves) {
  const std::uint64_t wanted = FAIRLEAD_SANITIZED ? 100'000 : 1'000'000;
  const std::uint64_t stages = FAIRLEAD_SANITIZED ? 3 : 30;
  Stage::Tally sum;
  for (std::uint64_t seed = 1; sum.loads < wanted || seed <= stages; ++seed) {
    Choices choices(seed);
    Stage stage(choices);
    try {
      for (int step = 0; step < 5'000; ++step) stage.step();
      stage.finish();
    } catch (const Broken& broken) {
      FAIL() << broken.what() << ", seed " << seed;
    }
    const Stage::Tally tally = stage.tally();
    sum.loads += tally.loads;
    sum.poisoned += tally.poisoned;
    sum.violated += tally.violated;
    sum.evicted += tally.evicted;
    sum.delivered += tally.delivered;
    sum.of_the_hostile += tally.of_the_hostile;
  }
  std::cout << sum.loads << " loads, " << sum.poisoned << " routes poisoned, " << sum.violated
            << " outboxes refused, " << sum.evicted << " evicted from hostile routes, "
            << sum.delivered << " delivered to honest ones, " << sum.of_the_hostile
            << " of them from hostile guests" << std::endl;
  // All of it was there.
  EXPECT_GT(sum.poisoned, stages);
  EXPECT_GT(sum.violated, stages / 2);
  EXPECT_GT(sum.evicted, stages * 100);
  EXPECT_GT(sum.delivered, stages * 1'000);
  EXPECT_GT(sum.of_the_hostile, stages * 10);
}

}  // namespace
}  // namespace fairlead::hostile
