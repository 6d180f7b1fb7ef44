#include "support/numbered_message.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace fairlead::test {
namespace {

TEST(NumberedMessages, tell_which_one_they_are) {
  NumberedMessages writer(5, 8'192);
  NumberedMessages reader(5, 8'192);
  std::size_t largest = 0;
  for (std::uint64_t number = 1; number <= 500; ++number) {
    const auto payload = writer.make({3, number});
    largest = std::max(largest, payload.size());
    const auto found = reader.read(payload);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->stream, 3U);
    EXPECT_EQ(found->number, number);
  }
  EXPECT_GT(largest, 1'024U);
}

TEST(NumberedMessages, one_changed_byte_anywhere_is_found) {
  NumberedMessages writer(5, 8'192);
  NumberedMessages reader(5, 8'192);
  const auto made = writer.make({3, 4});
  std::vector<std::byte> payload(made.begin(), made.end());
  for (std::byte& byte : payload) {
    byte ^= std::byte{0x10};
    EXPECT_FALSE(reader.read(payload));
    byte ^= std::byte{0x10};
  }
  EXPECT_TRUE(reader.read(payload));
}

TEST(NumberedMessages, a_missing_or_surplus_byte_is_found) {
  NumberedMessages writer(5, 8'192);
  NumberedMessages reader(5, 8'192);
  const auto made = writer.make({3, 4});
  std::vector<std::byte> payload(made.begin(), made.end());
  payload.pop_back();
  EXPECT_FALSE(reader.read(payload));
  payload.push_back(made.back());
  payload.push_back(std::byte{});
  EXPECT_FALSE(reader.read(payload));
}

TEST(NumberedMessages, of_another_run_are_none_of_ours) {
  EXPECT_FALSE(NumberedMessages(6, 8'192).read(NumberedMessages(5, 8'192).make({3, 4})));
}

}  // namespace
}  // namespace fairlead::test
