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
        route_(std::make_unique<shm::RouteHeader>()),
        cursors_(std::make_unique<shm::CursorHeader>()),
        arena_(memory_, shm::kRouteArenaOffset, 4 * shm::kSuperblockBytes),
        reclaimer_(*route_, *cursors_, arena_) {
    route_->reclaim_epoch.store(1);
  }
  std::uint64_t retire(std::uint64_t bytes = 256) {
    const std::uint64_t chunk = *arena_.allocate(bytes);
    reclaimer_.retire(chunk, bytes, reclaimer_.stamp_claim());
    return chunk;
  }
  void take_ticket(std::size_t slot) {
    cursors_->tickets[slot].epoch.store(route_->reclaim_epoch.load());
  }
  void release(std::size_t slot) { cursors_->tickets[slot].epoch.store(0); }

  GuardedMemory memory_;
  std::unique_ptr<shm::RouteHeader> route_;
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

TEST_F(Reclaimer, R22_a_batch_keeps_what_was_retired_after_it_was_taken_and_nothing_older) {
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
  const std::uint64_t stamp = reclaimer_.stamp_claim();
  take_ticket(7);
  retire(512);
  reclaimer_.retire(chunk, 256, stamp);
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
  for (auto& slot : cursors_->tickets) slot.epoch.store(~std::uint64_t{0});
  retire();
  EXPECT_EQ(reclaimer_.reclaim(), 256U) << "tickets from the future pin nothing";
  cursors_->tickets[7].epoch.store(1);
  retire();
  EXPECT_EQ(reclaimer_.reclaim(), 0U);
  for (auto& slot : cursors_->tickets) slot.epoch.store(0);
  EXPECT_EQ(reclaimer_.reclaim(), 256U);
}

}  // namespace
}  // namespace fairlead::test
