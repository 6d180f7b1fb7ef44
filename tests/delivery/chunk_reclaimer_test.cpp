// When a chunk that the guest has claimed from may be used again (R22).
#include <fairlead/shm/chunk_reclaimer.hpp>

#include <gtest/gtest.h>

#include <memory>

#include "support/guarded_memory.hpp"

namespace fairlead::test {
namespace {

class Reclaimer : public testing::Test {
 protected:
  Reclaimer()
      : memory_(shm::kRouteArenaOffset + 4 * shm::kSuperblockBytes),
        cursors_(std::make_unique<shm::CursorHeader>()),
        arena_(memory_, shm::kRouteArenaOffset, 4 * shm::kSuperblockBytes),
        reclaimer_(*cursors_, arena_) {}
  std::uint64_t retire(std::uint64_t bytes = 256) {
    const std::uint64_t chunk = *arena_.allocate(bytes);
    reclaimer_.retire(chunk, bytes, stamp());
    return chunk;
  }
  // What the broker makes of a claim of the newest batch.
  std::uint64_t stamp() {
    return reclaimer_.stamp_of_claim(static_cast<std::uint16_t>(cursors_->batches.load()));
  }
  // A batch that takes something, with the ticket in that slot.
  void take_ticket(std::size_t slot) { cursors_->tickets[slot].batch.store(++cursors_->batches); }
  void release(std::size_t slot) { cursors_->tickets[slot].batch.store(0); }

  GuardedMemory memory_;
  std::unique_ptr<shm::CursorHeader> cursors_;
  shm::ChunkArena arena_;
  shm::ChunkReclaimer reclaimer_;
};

TEST_F(Reclaimer, frees_at_once_when_no_batch_is_out) {
  retire();
  EXPECT_EQ(reclaimer_.retired_bytes(), 256U);
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
  EXPECT_EQ(arena_.used_bytes(), 0U);
}

TEST_F(Reclaimer, R22_a_batch_keeps_what_it_claimed_and_nothing_older) {
  retire();
  take_ticket(5);
  retire(512);
  EXPECT_EQ(reclaimer_.reclaim(), 256U) << "the older one";
  EXPECT_EQ(reclaimer_.reclaim(), 0U);
  EXPECT_EQ(reclaimer_.retired_bytes(), 512U);
  release(5);
  EXPECT_EQ(reclaimer_.reclaim(), 512U);
}

TEST_F(Reclaimer, R22_a_batch_keeps_nothing_that_was_claimed_before_it_and_passed_later) {
  const std::uint64_t chunk = *arena_.allocate(256);
  const std::uint64_t earlier = stamp();
  take_ticket(7);
  retire(512);
  reclaimer_.retire(chunk, 256, earlier);
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
  EXPECT_EQ(reclaimer_.retired_bytes(), 512U);
}

TEST_F(Reclaimer, R22_the_oldest_of_several_batches_decides) {
  take_ticket(0);
  retire(256);
  take_ticket(63);
  retire(512);
  release(0);
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
  take_ticket(0);
  EXPECT_EQ(reclaimer_.reclaim(), 0U);
  release(63);
  EXPECT_EQ(reclaimer_.reclaim(), 512U) << "the newest ticket is younger than both";
}

TEST_F(Reclaimer, R22_a_kept_message_keeps_its_chunk_and_no_other) {
  take_ticket(1);
  const std::uint64_t kept = retire(256);
  retire(512);
  cursors_->holds[255].store(kept);
  cursors_->holds[3].store(kept);
  release(1);
  EXPECT_EQ(reclaimer_.reclaim(), 512U);
  cursors_->holds[255].store(0);
  EXPECT_EQ(reclaimer_.reclaim(), 0U) << "two messages of one chunk were kept";
  cursors_->holds[3].store(0);
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
  EXPECT_EQ(reclaimer_.retired_bytes(), 0U);
}

TEST_F(Reclaimer, nonsense_in_tickets_and_holds_pins_memory_and_does_nothing_else) {
  for (auto& slot : cursors_->holds) slot.store(0xdead'beef);
  for (auto& slot : cursors_->tickets) slot.batch.store(~std::uint64_t{0});
  retire();
  EXPECT_EQ(reclaimer_.reclaim(), 256U) << "tickets from the future pin nothing";
  take_ticket(7);
  retire();
  EXPECT_EQ(reclaimer_.reclaim(), 0U);
  EXPECT_EQ(reclaimer_.retired_bytes(), 256U);
  for (auto& slot : cursors_->tickets) slot.batch.store(0);
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
}

// The broker may not run for a while, and then finds the claims of many batches at once.
TEST_F(Reclaimer, R22_a_claim_waits_for_its_own_batch_however_late_it_is_seen) {
  take_ticket(0);
  const auto first = static_cast<std::uint16_t>(cursors_->batches.load());
  release(0);
  take_ticket(1);
  EXPECT_EQ(reclaimer_.stamp_of_claim(first), 1U);
  const std::uint64_t chunk = *arena_.allocate(256);
  reclaimer_.retire(chunk, 256, reclaimer_.stamp_of_claim(first));
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
}

TEST_F(Reclaimer, R22_the_low_bits_of_a_number_stand_for_no_earlier_batch) {
  for (const std::uint64_t counted : {0ULL, 1ULL, 65'534ULL, 65'535ULL, 65'536ULL, 1'000'000ULL}) {
    cursors_->batches.store(counted);
    for (const std::uint64_t age : {0ULL, 1ULL, 2ULL, 65'535ULL, 65'536ULL, 200'000ULL}) {
      if (age > counted) continue;
      const std::uint64_t claimed = counted + 1 - age;  // the one that is being taken, or older
      const std::uint64_t stamp = reclaimer_.stamp_of_claim(static_cast<std::uint16_t>(claimed));
      EXPECT_GE(stamp, claimed) << counted << ' ' << age;
      EXPECT_LE(stamp, counted + 1) << counted << ' ' << age;
      if (age < 65'536) {
        EXPECT_EQ(stamp, claimed) << counted << ' ' << age;
      }
    }
  }
}

}  // namespace
}  // namespace fairlead::test
