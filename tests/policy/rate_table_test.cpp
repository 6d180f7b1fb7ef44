#include "policy/rate_table.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fairlead::broker {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr RateLimit kTen{.units = 10, .burst = 10};

TEST(RateTable, R31_looking_tells_what_taking_would_answer_and_takes_nothing) {
  RateTable rates;
  EXPECT_EQ(rates.look("k", kTen, 11, 0), RateOutcome::larger_than_burst);
  EXPECT_EQ(rates.look("k", kTen, 10, 0), RateOutcome::within);
  EXPECT_EQ(rates.size(), 0U);
  ASSERT_EQ(rates.take("k", kTen, 4, 0), RateOutcome::within);
  EXPECT_EQ(rates.look("k", kTen, 6, 0), RateOutcome::within);
  EXPECT_EQ(rates.look("k", kTen, 7, 0), RateOutcome::over);
  EXPECT_EQ(rates.look("k", kTen, 7, kSecond), RateOutcome::within);
  const RateLimit slower{.units = 1, .burst = 5};
  EXPECT_EQ(rates.look("k", slower, 5, 0), RateOutcome::within);
  EXPECT_EQ(rates.look("k", slower, 6, 0), RateOutcome::larger_than_burst);
  EXPECT_EQ(rates.take("k", kTen, 6, 0), RateOutcome::within);
}

TEST(RateTable, R31_says_when_waiting_cannot_help) {
  RateTable rates;
  EXPECT_EQ(rates.take("k", kTen, 11, 0), RateOutcome::larger_than_burst);
  EXPECT_EQ(rates.take("k", kTen, 10, 0), RateOutcome::within);
  EXPECT_EQ(rates.take("k", kTen, 10, 0), RateOutcome::over);
  EXPECT_EQ(rates.take("k", kTen, 10, kSecond), RateOutcome::within);
}

TEST(RateTable, R31_no_limit_means_unlimited_and_is_not_recorded) {
  RateTable rates;
  EXPECT_EQ(rates.take("k", RateLimit{}, UINT64_MAX, 0), RateOutcome::within);
  EXPECT_EQ(rates.size(), 0U);
}

TEST(RateTable, R31_a_reloaded_limit_takes_the_place_of_the_old_one) {
  RateTable rates;
  ASSERT_EQ(rates.take("k", kTen, 10, 0), RateOutcome::within);
  const RateLimit faster{.units = 1'000, .burst = 1'000};
  EXPECT_EQ(rates.take("k", faster, 1, 0), RateOutcome::over);
  EXPECT_EQ(rates.take("k", faster, 1'000, kSecond), RateOutcome::within);
}

TEST(RateTable, R31_forgets_only_what_is_full_again) {
  RateTable rates;
  ASSERT_EQ(rates.take("busy", kTen, 10, 50 * kSecond), RateOutcome::within);
  for (std::uint64_t key = 0; key < 10'000; ++key) {
    const std::uint64_t now = 50 * kSecond + key;
    ASSERT_EQ(rates.take(std::to_string(key), kTen, 0, now), RateOutcome::within);
  }
  EXPECT_LE(rates.size(), 128U);
  EXPECT_EQ(rates.take("busy", kTen, 10, 50 * kSecond + 10'000), RateOutcome::over);
}

}  // namespace
}  // namespace fairlead::broker
