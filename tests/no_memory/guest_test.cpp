// A guest's process without memory: a drain says so and takes nothing.
#include <gtest/gtest.h>

#include "guest/guest_fixture.hpp"
#include "no_memory/failing_allocation.hpp"

namespace fairlead::guest {
namespace {

TEST(StarvedGuest, a_drain_says_no_memory_and_the_next_one_has_it_all) {
  Subscribed guest;
  for (int number = 0; number < 40; ++number)
    guest.route().publish("alice", "a.b", std::to_string(number));
  std::size_t taken = 0;
  {
    const test::FailingAllocation starved(0);
    const Batch batch = guest.subscription.drain(1'000'000);
    EXPECT_EQ(batch.outcome(), DrainOutcome::no_memory);
    taken = batch.messages().size();
    EXPECT_TRUE(starved.failed());
  }
  EXPECT_EQ(taken, 0U);
  EXPECT_EQ(guest.subscription.drain(1'000'000).messages().size(), 40U);
}

TEST(StarvedGuest, a_drain_that_runs_out_of_memory_has_what_it_took_and_the_rest_stays) {
  Subscribed guest;
  for (int number = 0; number < 40; ++number)
    guest.route().publish("alice", "a.b", std::to_string(number));
  std::vector<std::string> all;
  {
    const test::FailingAllocation starved(1);
    const Batch batch = guest.subscription.drain(1'000'000);
    EXPECT_EQ(batch.outcome(), DrainOutcome::messages);
    EXPECT_TRUE(starved.failed());
    for (const Message& message : batch) all.emplace_back(message.text());
  }
  EXPECT_LT(all.size(), 40U);
  const Batch rest = guest.subscription.drain(1'000'000);
  for (const Message& message : rest) all.emplace_back(message.text());
  ASSERT_EQ(all.size(), 40U);
  for (int number = 0; number < 40; ++number)
    EXPECT_EQ(all[static_cast<std::size_t>(number)], std::to_string(number));
}

}  // namespace
}  // namespace fairlead::guest
