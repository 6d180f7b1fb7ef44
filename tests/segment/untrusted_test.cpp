#define FAIRLEAD_UNTRUSTED_HOOK
#include <fairlead/shm/untrusted.hpp>

#include <array>

#include <gtest/gtest.h>

namespace fairlead::shm {
namespace {

enum class Colour : std::uint32_t { red = 1, blue = 2 };

TEST(Untrusted, loads_are_the_value_in_memory) {
  const std::atomic<std::uint64_t> word{7};
  EXPECT_EQ(load_untrusted(word), 7u);
  EXPECT_EQ(load_untrusted(word, std::memory_order_relaxed), 7u);
  const std::uint16_t plain = 9;
  EXPECT_EQ(load_untrusted(plain), 9);
  const Colour colour = Colour::blue;
  EXPECT_EQ(load_untrusted(colour), Colour::blue);
}

TEST(Untrusted, a_struct_is_copied_out) {
  struct Pair {
    std::uint32_t first;
    std::uint32_t second;
  };
  Pair shared{1, 2};
  const Pair copy = copy_untrusted(shared);
  shared = {3, 4};
  EXPECT_EQ(copy.first, 1u);
  EXPECT_EQ(copy.second, 2u);
}

TEST(Untrusted, a_hook_replaces_the_copy_and_never_the_memory) {
  untrusted_hook = [](const void*, void* copy, std::size_t bytes) {
    std::memset(copy, 0xff, bytes);
  };
  const std::atomic<std::uint32_t> word{5};
  const std::uint8_t plain = 1;
  const std::array<std::uint16_t, 2> shared{1, 2};
  EXPECT_EQ(load_untrusted(word), UINT32_MAX);
  EXPECT_EQ(load_untrusted(plain), 0xff);
  EXPECT_EQ(copy_untrusted(shared)[1], 0xffff);
  untrusted_hook = nullptr;
  EXPECT_EQ(load_untrusted(word), 5u);
  EXPECT_EQ(shared[1], 2);
}

TEST(Untrusted, a_range_includes_its_ends) {
  EXPECT_EQ(within(5u, 1, 9), 5u);
  EXPECT_EQ(within(1u, 1, 9), 1u);
  EXPECT_EQ(within(9u, 1, 9), 9u);
  EXPECT_FALSE(within(0u, 1, 9));
  EXPECT_FALSE(within(10u, 1, 9));
}

TEST(Untrusted, no_offset_and_length_overflow) {
  EXPECT_TRUE(fits(0, 10, 10));
  EXPECT_TRUE(fits(10, 0, 10));
  EXPECT_FALSE(fits(10, 1, 10));
  EXPECT_FALSE(fits(11, 0, 10));
  EXPECT_FALSE(fits(UINT64_MAX, 2, 10));
  EXPECT_FALSE(fits(2, UINT64_MAX, 10));
}

TEST(Untrusted, a_view_stays_within_its_memory_and_alignment) {
  std::array<std::byte, 64> memory{};
  const std::span<std::byte> whole(memory);
  const auto view = bounded_view(whole, 16, 48, 16);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->data(), memory.data() + 16);
  EXPECT_EQ(view->size(), 48u);
  EXPECT_FALSE(bounded_view(whole, 16, 49, 16));
  EXPECT_FALSE(bounded_view(whole, 8, 8, 16));
  EXPECT_FALSE(bounded_view(whole, UINT64_MAX - 15, 32, 16));
}

}  // namespace
}  // namespace fairlead::shm
