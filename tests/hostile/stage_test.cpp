// The claim, in small: whatever hostile guests write and whenever, the broker keeps its sums and to
// its memory, honest guests get every byte, and the hostile ones harm themselves alone.
#include <gtest/gtest.h>

#include <iostream>

#include "fed_loads.hpp"

namespace fairlead::hostile {
namespace {

TEST(HostileGuests, tampering_with_a_million_loads_harms_nobody_but_themselves) {
  const std::uint64_t wanted = FAIRLEAD_SANITIZED ? 100'000 : 1'000'000;
  const std::uint64_t stages = FAIRLEAD_SANITIZED ? 3 : 30;
  const FedLoads sum = feed_loads(1, [&](const FedLoads& so_far) {
    return so_far.loads < wanted || so_far.operations < wanted || so_far.next_seed <= stages;
  });
  EXPECT_EQ(sum.failure, "");
  std::cout << sum.text() << std::endl;
  // Every word that the broker looks at was fed, and it looks at no others.
  for (std::size_t word = 0; word < kWords; ++word) {
    const std::string_view name = to_string(static_cast<Word>(word));
    if (static_cast<Word>(word) == Word::any_other) {
      EXPECT_EQ(sum.by_word[word], 0U);
    } else {
      EXPECT_GT(sum.by_word[word], wanted / 1'000) << name;
    }
  }
  // All of it was there.
  EXPECT_GT(sum.stages.poisoned, stages);
  EXPECT_GT(sum.stages.violated, stages / 2);
  EXPECT_GT(sum.stages.evicted, stages * 100);
  EXPECT_GT(sum.stages.delivered, stages * 1'000);
  EXPECT_GT(sum.stages.of_the_hostile, stages * 10);
  EXPECT_GT(sum.poisoned, stages);
  EXPECT_GT(sum.violated, stages);
}

}  // namespace
}  // namespace fairlead::hostile
