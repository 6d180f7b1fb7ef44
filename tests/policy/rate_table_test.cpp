#include "policy/rate_table.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fairlead::broker {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr RateLimit kTen{.units = 10, .burst = 10};

TEST(RateTable, R31_every_capsule_and_principal_has_a_rate_of_its_own) {
  RateTable rates;
  const shm::Uuid one{{1}};
  const shm::Uuid two{{2}};
  const auto take = [&rates](const shm::Uuid& capsule, std::string_view principal) {
    return rates.take(PublishRateKey(capsule, principal).view(), kTen, 10, 0);
  };
  EXPECT_EQ(take(one, "alice"), RateOutcome::within);
  EXPECT_EQ(take(one, "alice"), RateOutcome::over);
  EXPECT_EQ(take(one, "bob"), RateOutcome::within);
  EXPECT_EQ(take(two, "alice"), RateOutcome::within);
  EXPECT_EQ(take(one, ""), RateOutcome::within);
  EXPECT_EQ(take(one, ""), RateOutcome::over);
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
