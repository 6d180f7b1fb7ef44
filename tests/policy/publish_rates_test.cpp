#include "policy/publish_rates.hpp"

#include <string>

#include <gtest/gtest.h>

namespace fairlead::broker {
namespace {

PrincipalRule ten_per_second(std::uint64_t capsules) {
  PrincipalRule rule;
  rule.publish_rate_bytes_per_second = 10;
  rule.publish_burst_bytes = 10;
  rule.publish_rate_capsules = capsules;
  return rule;
}

shm::Uuid capsule(std::uint8_t number) { return shm::Uuid{{number}}; }

TEST(PublishRates, R31_all_capsules_of_a_principal_share_its_rate) {
  PublishRates rates;
  const PrincipalRule rule = ten_per_second(1);
  EXPECT_EQ(rates.take(capsule(1), "alice", rule, 6, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(2), "alice", rule, 6, 0), RateOutcome::over);
  EXPECT_EQ(rates.take(capsule(2), "alice", rule, 4, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(1), "bob", rule, 10, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(1), "", rule, 10, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(3), "alice", rule, 10, 1'000'000'000), RateOutcome::within);
}

TEST(PublishRates, R31_every_capsule_has_the_rate_for_itself_as_far_as_the_policy_says) {
  PublishRates rates;
  const PrincipalRule rule = ten_per_second(2);
  EXPECT_EQ(rates.take(capsule(1), "alice", rule, 11, 0), RateOutcome::larger_than_burst);
  EXPECT_EQ(rates.take(capsule(1), "alice", rule, 10, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(1), "alice", rule, 1, 0), RateOutcome::over);
  EXPECT_EQ(rates.take(capsule(2), "alice", rule, 9, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(3), "alice", rule, 2, 0), RateOutcome::over);
  EXPECT_EQ(rates.take(capsule(3), "alice", rule, 1, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(3), "bob", rule, 10, 0), RateOutcome::within);
}

// What is refused costs neither the capsule nor the principal anything.
TEST(PublishRates, R31_a_refusal_takes_nothing) {
  PublishRates rates;
  const PrincipalRule rule = ten_per_second(2);
  ASSERT_EQ(rates.take(capsule(1), "alice", rule, 8, 0), RateOutcome::within);
  for (int count = 0; count < 5; ++count)
    ASSERT_EQ(rates.take(capsule(1), "alice", rule, 3, 0), RateOutcome::over);
  ASSERT_EQ(rates.take(capsule(2), "alice", rule, 10, 0), RateOutcome::within);
  for (int count = 0; count < 5; ++count)
    ASSERT_EQ(rates.take(capsule(3), "alice", rule, 3, 0), RateOutcome::over);
  EXPECT_EQ(rates.take(capsule(3), "alice", rule, 2, 0), RateOutcome::within);
}

TEST(PublishRates, R31_fresh_capsules_in_a_loop_get_the_rate_and_one_burst) {
  for (const std::uint64_t capsules : {1U, 3U}) {
    PublishRates rates;
    const PrincipalRule rule = ten_per_second(capsules);
    std::uint64_t taken = 0;
    for (std::uint64_t step = 0; step < 1'000; ++step) {
      const shm::Uuid fresh{
          {static_cast<std::uint8_t>(step % 256), static_cast<std::uint8_t>(step / 256), 1}};
      if (rates.take(fresh, "alice", rule, 5, step * 10'000'000) == RateOutcome::within) taken += 5;
    }
    EXPECT_LE(taken, capsules * (10 + 10 * 10));
    EXPECT_GE(taken, capsules * 10 * 10 - 5);
  }
}

TEST(PublishRates, R31_no_rate_is_no_limit) {
  PublishRates rates;
  EXPECT_EQ(rates.take(capsule(1), "alice", PrincipalRule{}, UINT64_MAX, 0), RateOutcome::within);
}

// Families of long names, told apart by what follows the name.
TEST(PublishRates, R31_keys_of_the_longest_names_do_not_meet) {
  PublishRates rates;
  const PrincipalRule rule = ten_per_second(2);
  const std::string family = std::string(shm::kMaximumPrincipalBytes, 'a') + "* of uid ";
  EXPECT_EQ(rates.take(capsule(1), family + "4294967293", rule, 10, 0), RateOutcome::within);
  EXPECT_EQ(rates.take(capsule(1), family + "4294967294", rule, 10, 0), RateOutcome::within);
}

}  // namespace
}  // namespace fairlead::broker
