// R34: what the next broker looks at stays until the message has its receipt.
#include <gtest/gtest.h>

#include "delivery/in_flight.hpp"
#include "delivery/known_pushes.hpp"

namespace fairlead::broker {
namespace {

TEST(InFlight, is_what_has_begun_and_not_ended) {
  InFlight messages;
  messages.begin(3);
  messages.begin(7);
  EXPECT_TRUE(messages.contains(3));
  EXPECT_FALSE(messages.contains(0));
  messages.end(3);
  messages.end(5);
  EXPECT_FALSE(messages.contains(3));
  EXPECT_TRUE(messages.contains(7));
}

TEST(KnownPushes, cover_all_up_to_the_newest_number_of_an_outbox) {
  KnownPushes known;
  EXPECT_FALSE(known.cover(1, 1));
  known.add({1, 5});
  known.add({1, 3});
  EXPECT_TRUE(known.cover(1, 5));
  EXPECT_TRUE(known.cover(1, 1));
  EXPECT_FALSE(known.cover(1, 6));
  EXPECT_FALSE(known.cover(2, 1));
  EXPECT_FALSE(known.cover(0, 0)) << "the embedding host sends nothing again";
}

}  // namespace
}  // namespace fairlead::broker
