// The account that the random kills trust.
#include "support/stream_account.hpp"

#include <gtest/gtest.h>

namespace fairlead::test {
namespace {

constexpr std::uint64_t kManyAttempted = 1'000;

TEST(StreamAccount, what_came_in_order_and_whole_is_fine) {
  StreamAccount account;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    EXPECT_EQ(account.take(7, number, 0, kManyAttempted), "");
  }
  account.close_stream(7, {3, 3}, {3, 3});
  EXPECT_EQ(account.check_closed(), "");
}

TEST(StreamAccount, a_message_that_comes_twice_is_found) {
  StreamAccount account;
  EXPECT_EQ(account.take(7, 1, 0, kManyAttempted), "");
  EXPECT_NE(account.take(7, 1, 0, kManyAttempted), "");
}

TEST(StreamAccount, a_message_out_of_order_is_found) {
  StreamAccount account;
  EXPECT_EQ(account.take(7, 2, 1, kManyAttempted), "");
  EXPECT_NE(account.take(7, 1, 0, kManyAttempted), "");
}

TEST(StreamAccount, a_gap_that_nobody_reported_is_found_at_once) {
  StreamAccount account;
  EXPECT_EQ(account.take(7, 1, 0, kManyAttempted), "");
  EXPECT_EQ(account.take(7, 3, 0, kManyAttempted), "");
  EXPECT_NE(account.check(), "");
}

TEST(StreamAccount, a_gap_may_be_reported_by_another_stream_of_its_lane_or_by_a_lane_that_ended) {
  StreamAccount account;
  EXPECT_EQ(account.take(7, 1, 0, kManyAttempted), "");
  EXPECT_EQ(account.take(8, 1, 1, kManyAttempted), "");
  EXPECT_EQ(account.take(7, 4, 0, kManyAttempted), "");
  EXPECT_NE(account.check(), "");
  account.take_ended_loss(1);
  EXPECT_EQ(account.check(), "");
}

TEST(StreamAccount, a_message_that_was_never_published_is_found) {
  StreamAccount account;
  EXPECT_NE(account.take(7, 2, 1, 1), "");
}

TEST(StreamAccount, an_acknowledged_message_that_is_missing_at_the_end_is_found) {
  StreamAccount account;
  EXPECT_EQ(account.take(7, 1, 0, kManyAttempted), "");
  account.close_stream(7, {2, 2}, {2, 2});
  EXPECT_NE(account.check_closed(), "");
}

TEST(StreamAccount, what_a_killed_publisher_had_begun_may_be_missing_or_not) {
  StreamAccount without;
  EXPECT_EQ(without.take(7, 1, 0, kManyAttempted), "");
  without.close_stream(7, {1, 3}, {1, 3});
  EXPECT_EQ(without.check_closed(), "");
  StreamAccount with;
  EXPECT_EQ(with.take(7, 1, 0, kManyAttempted), "");
  EXPECT_EQ(with.take(7, 2, 0, kManyAttempted), "");
  with.close_stream(7, {1, 3}, {1, 3});
  EXPECT_EQ(with.check_closed(), "");
}

TEST(StreamAccount, more_losses_reported_than_there_can_be_are_found) {
  StreamAccount account;
  EXPECT_EQ(account.take(7, 1, 3, kManyAttempted), "");
  account.close_stream(7, {1, 3}, {1, 3});
  EXPECT_NE(account.check_closed(), "");
}

TEST(StreamAccount, an_older_stream_begins_between_what_was_acknowledged_and_what_was_attempted) {
  const Progress before{.acknowledged = 4, .attempted = 5};
  const Progress after{.acknowledged = 6, .attempted = 8};
  for (std::uint64_t first = 1; first <= 12; ++first) {
    StreamAccount account;
    account.add_older_stream(7, before, after);
    account.set_newest_older_stream(7);
    const bool fine = account.take(7, first, 0, kManyAttempted).empty() && account.check().empty();
    EXPECT_EQ(fine, first >= 5 && first <= 9) << first;
  }
}

TEST(StreamAccount, an_old_stream_that_nobody_named_is_a_mistake) {
  StreamAccount account;
  account.set_newest_older_stream(9);
  EXPECT_NE(account.take(7, 1, 0, kManyAttempted), "");
  EXPECT_EQ(account.take(10, 1, 0, kManyAttempted), "");
}

}  // namespace
}  // namespace fairlead::test
