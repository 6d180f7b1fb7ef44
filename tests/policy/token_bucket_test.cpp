#include "policy/token_bucket.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace fairlead::broker {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

TEST(TokenBucket, R31_a_full_bucket_gives_its_burst_and_no_more) {
  TokenBucket bucket({.units = 10, .burst = 100}, 5);
  EXPECT_FALSE(bucket.take(101, 5));
  EXPECT_TRUE(bucket.take(60, 5));
  EXPECT_TRUE(bucket.take(40, 5));
  EXPECT_FALSE(bucket.take(1, 5));
  EXPECT_TRUE(bucket.take(0, 5));
}

TEST(TokenBucket, R31_refills_at_its_rate_and_up_to_its_burst) {
  TokenBucket bucket({.units = 10, .burst = 100}, 0);
  ASSERT_TRUE(bucket.take(100, 0));
  EXPECT_EQ(bucket.available(kSecond / 10 - 1), 0U);
  EXPECT_EQ(bucket.available(kSecond / 10), 1U);
  EXPECT_EQ(bucket.available(5 * kSecond), 50U);
  EXPECT_FALSE(bucket.full(10 * kSecond - 1));
  EXPECT_TRUE(bucket.full(10 * kSecond));
  EXPECT_EQ(bucket.available(1'000 * kSecond), 100U);
}

// Looking often must not lose the fractions: 7 per second over odd steps for 1,000 seconds.
TEST(TokenBucket, R31_does_not_drift_however_often_it_is_asked) {
  TokenBucket bucket({.units = 7, .burst = 1'000'000}, 0);
  ASSERT_TRUE(bucket.take(1'000'000, 0));
  std::uint64_t taken = 0;
  std::uint64_t now = 0;
  while (now < 1'000 * kSecond) {
    now += 999'983;
    if (bucket.take(1, now)) ++taken;
  }
  EXPECT_EQ(taken + bucket.available(now), 7 * now / kSecond);
}

TEST(TokenBucket, R31_a_full_bucket_keeps_no_fraction) {
  TokenBucket bucket({.units = 1, .burst = 2}, 0);
  ASSERT_TRUE(bucket.take(2, 0));
  ASSERT_TRUE(bucket.take(0, kSecond / 2));
  ASSERT_TRUE(bucket.take(2, 10 * kSecond));
  EXPECT_EQ(bucket.available(11 * kSecond - 1), 0U);
  EXPECT_EQ(bucket.available(11 * kSecond), 1U);
}

TEST(TokenBucket, R31_a_clock_that_goes_back_neither_gives_nor_takes) {
  TokenBucket bucket({.units = 10, .burst = 100}, 100 * kSecond);
  ASSERT_TRUE(bucket.take(100, 100 * kSecond));
  EXPECT_EQ(bucket.available(0), 0U);
  EXPECT_FALSE(bucket.take(1, 50 * kSecond));
  EXPECT_EQ(bucket.available(101 * kSecond), 10U);
}

TEST(TokenBucket, R31_extreme_numbers_do_not_overflow) {
  constexpr std::uint64_t kMost = UINT64_MAX;
  TokenBucket greatest({.units = kMost, .period_nanoseconds = kSecond, .burst = kMost}, 0);
  EXPECT_TRUE(greatest.take(kMost, 0));
  EXPECT_EQ(greatest.available(kSecond), kMost / kSecond - 1);
  EXPECT_TRUE(greatest.full(kMost));
  TokenBucket coarse({.units = 3, .period_nanoseconds = kMost, .burst = 10}, 0);
  EXPECT_TRUE(coarse.take(10, 0));
  EXPECT_EQ(coarse.available(kMost - 1), 0U);
  TokenBucket no_period({.units = 1, .period_nanoseconds = 0, .burst = 10}, 0);
  EXPECT_TRUE(no_period.take(10, 0));
  EXPECT_EQ(no_period.available(3), 3U);
  TokenBucket nothing({.units = 0, .burst = 5}, 0);
  EXPECT_TRUE(nothing.take(5, 0));
  EXPECT_FALSE(nothing.take(1, kMost));
}

TEST(TokenBucket, R31_waiting_as_long_as_it_says_is_enough_and_no_longer_than_needed) {
  std::mt19937_64 random(31);
  for (int round = 0; round < 20'000; ++round) {
    const RateLimit limit{.units = 1 + random() % (1ULL << (random() % 34)),
                          .period_nanoseconds = 1 + random() % (60 * kSecond),
                          .burst = 1 + random() % (1ULL << (random() % 25))};
    TokenBucket bucket(limit, 0);
    const std::uint64_t start = random() % kSecond;
    ASSERT_TRUE(bucket.take(random() % (limit.burst + 1), start));
    const std::uint64_t units = random() % (limit.burst + 1);
    const std::uint64_t now = start + random() % kSecond;
    const std::uint64_t wait = bucket.wait_for(units, now);
    ASSERT_NE(wait, kNever);
    ASSERT_TRUE(wait == 0 || bucket.available(now + wait - 1) < units) << round;
    ASSERT_GE(bucket.available(now + wait), units) << round;
  }
  TokenBucket bucket({.units = 1, .burst = 10}, 0);
  EXPECT_EQ(bucket.wait_for(11, 0), kNever);
  TokenBucket dry({.units = 0, .burst = 10}, 0);
  ASSERT_TRUE(dry.take(1, 0));
  EXPECT_EQ(dry.wait_for(10, 0), kNever);
}

TEST(TokenBucket, R31_agrees_with_128_bit_arithmetic) {
  __extension__ using Wide = unsigned __int128;
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    const RateLimit limit{.units = 1 + random() % (1ULL << (random() % 34)),
                          .burst = 1 + random() % (1ULL << (random() % 64))};
    TokenBucket bucket(limit, 0);
    Wide level = static_cast<Wide>(limit.burst) * kSecond;
    std::uint64_t now = 0;
    for (int step = 0; step < 200; ++step) {
      const std::uint64_t elapsed = random() % (1ULL << (random() % 45));
      now += elapsed;
      level += static_cast<Wide>(elapsed) * limit.units;
      level = std::min(level, static_cast<Wide>(limit.burst) * kSecond);
      const auto expected = static_cast<std::uint64_t>(level / kSecond);
      ASSERT_EQ(bucket.available(now), expected);
      const std::uint64_t units = expected == UINT64_MAX ? random() : random() % (expected + 2);
      ASSERT_EQ(bucket.take(units, now), units <= expected);
      if (units <= expected) level -= static_cast<Wide>(units) * kSecond;
    }
  }
}

TEST(TokenBucket, R31_a_changed_limit_keeps_what_was_left_as_far_as_it_fits) {
  TokenBucket bucket({.units = 10, .burst = 100}, 0);
  ASSERT_TRUE(bucket.take(40, 0));
  bucket.change({.units = 1, .burst = 1'000}, 0);
  EXPECT_EQ(bucket.available(0), 60U);
  EXPECT_EQ(bucket.available(kSecond), 61U);
  bucket.change({.units = 1, .burst = 5}, 0);
  EXPECT_EQ(bucket.available(0), 5U);
}

}  // namespace
}  // namespace fairlead::broker
