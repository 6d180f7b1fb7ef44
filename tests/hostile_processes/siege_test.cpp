// The claim with real processes: intruders do what they like with all that they were given, and are
// replaced when they are thrown out. Nobody else notices, and the broker has nothing left of them.
#include "siege.hpp"

#include <gtest/gtest.h>

#include <iostream>

namespace fairlead::hostile_processes {
namespace {

TEST(Siege, intruders_harm_nobody_but_themselves) {
  const SiegeResult result = besiege({.seed = 1, .seconds = HOSTILE_SECONDS});
  std::cout << result.summary << std::endl;
  EXPECT_EQ(result.failure, "");
  // All of it was there.
  EXPECT_GT(result.lives, 10U);
  EXPECT_GT(result.ejected, 3U);
  EXPECT_GT(result.poisoned, 0U);
  EXPECT_GT(result.forbidden, 100U);
  EXPECT_GT(result.delivered, 10U * HOSTILE_SECONDS);
  EXPECT_GT(result.of_intruders, 0U);
}

}  // namespace
}  // namespace fairlead::hostile_processes
