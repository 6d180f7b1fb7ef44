// R08 across releases and kills: the numbers of a route table outlive its layout.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include <gtest/gtest.h>

#include <fairlead/shm/segment_name.hpp>

#include "support/test_broker.hpp"
#include "table/continuity.hpp"
#include "table/route_table.hpp"

namespace fairlead::test {
namespace {

using broker::ContinuityNumbers;
using broker::read_continuity;
using broker::RouteTable;
using broker::write_continuity;
using shm::ContinuityBlock;
using shm::TableHeader;

class Continuity : public testing::Test {
 protected:
  ~Continuity() override { ::unlink(path().c_str()); }
  std::string path() const { return shm::segment_path(shm::table_segment_name(name_)); }
  void leave_table() {
    RouteTable dies(name_, "");
    subscription_ = dies.take_subscription();
    sequence_ = dies.first_sequence() + 5'000'000'000;
    dies.reserve_sequences(sequence_);
    for (int count = 0; count < 20; ++count) ASSERT_TRUE(dies.add({}));
  }
  void patch(std::size_t offset, const std::string& bytes) const {
    const shm::UniqueFd file(::open(path().c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)),
              static_cast<ssize_t>(bytes.size()));
  }
  void expect_numbers_go_on() const {
    RouteTable next(name_, "");
    EXPECT_TRUE(next.legacy().found);
    EXPECT_FALSE(next.legacy().replaced);
    EXPECT_EQ(next.epoch(), 2U);
    EXPECT_GT(next.take_subscription(), subscription_);
    EXPECT_GT(next.first_sequence(), sequence_);
    EXPECT_TRUE(next.add({}));
  }

  std::string name_ = unique_broker_name();
  std::uint64_t subscription_ = 0;
  std::uint64_t sequence_ = 0;
};

constexpr std::size_t kBehind = shm::kContinuityOffset + sizeof(ContinuityBlock);

TEST_F(Continuity, R08_numbers_go_on_after_a_broker_of_another_layout) {
  leave_table();
  patch(offsetof(shm::SegmentHeader, layout_hash), "another!");
  patch(kBehind, std::string(8'000, 'x'));
  expect_numbers_go_on();
  RouteTable third(name_, "");  // the second one left a sound table
  EXPECT_TRUE(third.legacy().same_layout);
  EXPECT_EQ(third.legacy().routes, 1U);
  EXPECT_EQ(third.epoch(), 3U);
}

TEST_F(Continuity, R08_numbers_go_on_after_a_kill_while_the_table_was_made_anew) {
  leave_table();
  patch(offsetof(shm::SegmentHeader, version), std::string(4, '\0'));
  expect_numbers_go_on();
}

TEST_F(Continuity, numbers_that_cannot_be_trusted_restart_and_the_log_says_so) {
  leave_table();
  patch(kBehind - sizeof(shm::ContinuityCopy[2]), std::string(sizeof(shm::ContinuityCopy[2]), 'x'));
  TestBroker first;
  broker::BrokerOptions options = first.options();
  options.name = name_;
  options.socket_path += "2";
  const broker::Broker second(options);
  EXPECT_TRUE(first.logged("sequence and subscription numbers restart at 1"));
}

TEST_F(Continuity, a_block_of_another_magic_version_or_size_is_not_taken) {
  for (const std::size_t offset :
       {offsetof(ContinuityBlock, magic), offsetof(ContinuityBlock, version),
        offsetof(ContinuityBlock, block_bytes)}) {
    leave_table();
    patch(shm::kContinuityOffset + offset, "x");
    RouteTable next(name_, "");
    EXPECT_TRUE(next.legacy().replaced);
    EXPECT_EQ(next.epoch(), 1U);
    next.remove();
  }
}

using Words = std::array<std::uint64_t, sizeof(ContinuityBlock) / 8>;

Words words_of(const ContinuityBlock& block) {
  Words words;
  std::memcpy(words.data(), static_cast<const void*>(&block), sizeof words);
  return words;
}

// Whichever stores were made: all subsets, so in whatever order they are.
TEST(ContinuityBlock, R08_holds_the_old_or_the_new_numbers_whichever_store_was_the_last) {
  const auto block = std::make_unique<ContinuityBlock>();
  ContinuityNumbers numbers{1, 10, 20};
  write_continuity(*block, numbers);
  for (std::uint64_t round = 1; round < 6; ++round) {
    const ContinuityNumbers next{1 + round, 10 + 3 * round, 20 + 7 * round};
    const Words before = words_of(*block);
    write_continuity(*block, next);
    const Words after = words_of(*block);
    std::vector<std::size_t> changed;
    for (std::size_t word = 0; word < before.size(); ++word)
      if (before[word] != after[word]) changed.push_back(word);
    ASSERT_EQ(changed.size(), 5U);
    for (unsigned made = 0; made < 1U << changed.size(); ++made) {
      Words torn = before;
      for (std::size_t which = 0; which < changed.size(); ++which)
        if ((made >> which & 1U) != 0) torn[changed[which]] = after[changed[which]];
      const auto image = std::make_unique<ContinuityBlock>();
      std::memcpy(static_cast<void*>(image.get()), torn.data(), sizeof torn);
      const auto read = read_continuity(*image);
      ASSERT_TRUE(read) << made;
      EXPECT_TRUE(*read == numbers || *read == next) << made;
      write_continuity(*image, next);  // and the next life can go on from there
      EXPECT_EQ(read_continuity(*image), next);
    }
    EXPECT_EQ(read_continuity(*block), next);
    numbers = next;
  }
}

TEST(ContinuityBlock, of_zeros_or_of_impossible_numbers_holds_nothing) {
  const auto block = std::make_unique<ContinuityBlock>();
  EXPECT_FALSE(read_continuity(*block));
  write_continuity(*block, {1, UINT64_MAX, 1});
  EXPECT_FALSE(read_continuity(*block));
  write_continuity(*block, {0, 1, 1});
  EXPECT_FALSE(read_continuity(*block));
}

}  // namespace
}  // namespace fairlead::test
