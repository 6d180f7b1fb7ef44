// The arena against a map of what is taken: no overlap, no leak, no byte outside.
#include <fairlead/shm/chunk_arena.hpp>

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "support/guarded_memory.hpp"

namespace fairlead::test {
namespace {

using shm::ChunkArena;

constexpr std::uint64_t kBegin = 16 * 1024;
constexpr std::uint64_t kSuperblock = shm::kSuperblockBytes;

TEST(ChunkArena, blocks_are_powers_of_two_up_to_32_KiB_and_whole_superblocks_above) {
  EXPECT_EQ(ChunkArena::block_bytes(1), 256U);
  EXPECT_EQ(ChunkArena::block_bytes(256), 256U);
  EXPECT_EQ(ChunkArena::block_bytes(257), 512U);
  EXPECT_EQ(ChunkArena::block_bytes(32'768), 32'768U);
  EXPECT_EQ(ChunkArena::block_bytes(32'769), kSuperblock);
  EXPECT_EQ(ChunkArena::block_bytes(kSuperblock + 1), 2 * kSuperblock);
}

class ArenaModel {
 public:
  explicit ArenaModel(std::uint64_t superblocks)
      : memory_(kBegin + superblocks * kSuperblock),
        arena_(memory_, kBegin, superblocks * kSuperblock) {}

  bool allocate(std::uint64_t bytes) {
    const auto offset = arena_.allocate(bytes);
    if (!offset) return false;
    const std::uint64_t block = ChunkArena::block_bytes(bytes);
    EXPECT_GE(*offset, kBegin);
    EXPECT_LE(*offset + block, arena_.committed_bytes());
    EXPECT_LE(arena_.committed_bytes(), memory_.granted());
    EXPECT_EQ((*offset - kBegin) % std::min(block, kSuperblock), 0U) << "aligned to its size";
    const auto after = taken_.upper_bound(*offset);
    if (after != taken_.end()) {
      EXPECT_LE(*offset + block, after->first);
    }
    if (after != taken_.begin()) {
      const auto before = std::prev(after);
      EXPECT_LE(before->first + ChunkArena::block_bytes(before->second), *offset);
    }
    taken_.emplace(*offset, bytes);
    used_ += block;
    // Faults if it is not all there.
    memory_.data()[*offset] = std::byte{1};
    memory_.data()[*offset + block - 1] = std::byte{1};
    return true;
  }
  void free_at(std::size_t which) {
    const auto chosen = std::next(taken_.begin(), static_cast<std::ptrdiff_t>(which));
    arena_.free(chosen->first, chosen->second);
    used_ -= ChunkArena::block_bytes(chosen->second);
    taken_.erase(chosen);
  }
  void free_last() { free_at(taken_.size() - 1); }
  void trim(std::uint32_t spare) {
    const std::uint64_t promised = arena_.committed_after_trim(spare);
    arena_.trim(spare);
    EXPECT_EQ(arena_.committed_bytes(), promised);
    const std::uint64_t end = taken_.empty()
                                  ? kBegin
                                  : std::prev(taken_.end())->first +
                                        ChunkArena::block_bytes(std::prev(taken_.end())->second);
    EXPECT_LE(arena_.committed_bytes(), end + (spare + 1) * kSuperblock);
  }
  [[nodiscard]] std::size_t size() const { return taken_.size(); }
  [[nodiscard]] std::uint64_t used() const { return used_; }
  ChunkArena& arena() { return arena_; }
  GuardedMemory& memory() { return memory_; }

 private:
  GuardedMemory memory_;
  ChunkArena arena_;
  std::map<std::uint64_t, std::uint64_t> taken_;
  std::uint64_t used_ = 0;
};

TEST(ChunkArena, chunks_never_overlap_whatever_the_order_of_taking_and_freeing) {
  for (const std::uint64_t superblocks : {1U, 7U, 64U, 130U}) {
    ArenaModel model(superblocks);
    std::mt19937 random(static_cast<unsigned>(superblocks));
    std::uint64_t refused = 0;
    for (int each = 0; each < 20'000; ++each) {
      const auto dice = random() % 100;
      if (dice < 55) {
        const std::uint64_t most = random() % 8 == 0 ? 5 * kSuperblock : 4'096;
        if (!model.allocate(1 + random() % most)) ++refused;
      } else if (dice < 99 && model.size() > 0) {
        model.free_at(random() % model.size());
      } else {
        model.trim(static_cast<std::uint32_t>(random() % 3));
      }
      ASSERT_EQ(model.arena().used_bytes(), model.used());
      ASSERT_FALSE(testing::Test::HasFailure());
    }
    while (model.size() > 0) model.free_last();
    EXPECT_EQ(model.arena().used_bytes(), 0U);
    // Everything has grown together again.
    EXPECT_TRUE(model.allocate(superblocks * kSuperblock)) << superblocks;
    model.free_last();
    model.trim(0);
    EXPECT_EQ(model.memory().granted(), kBegin);
    EXPECT_GT(refused, 0U);
  }
}

TEST(ChunkArena, a_superblock_holds_256_of_the_smallest_chunks) {
  ArenaModel model(1);
  for (int each = 0; each < 256; ++each) ASSERT_TRUE(model.allocate(256));
  EXPECT_FALSE(model.allocate(1));
  EXPECT_EQ(model.arena().last_failure(), ChunkArena::Failure::capacity);
  model.free_at(17);
  EXPECT_TRUE(model.allocate(256));
}

TEST(ChunkArena, takes_from_the_low_end_so_that_the_high_end_can_be_trimmed) {
  ArenaModel model(10);
  for (int each = 0; each < 10; ++each) ASSERT_TRUE(model.allocate(kSuperblock));
  for (int each = 0; each < 9; ++each) model.free_last();
  model.trim(2);
  EXPECT_EQ(model.arena().committed_bytes(), kBegin + 3 * kSuperblock);
  ASSERT_TRUE(model.allocate(kSuperblock));
  EXPECT_EQ(model.arena().committed_bytes(), kBegin + 3 * kSuperblock);
}

TEST(ChunkArena, says_whether_the_segment_or_the_system_is_full) {
  ArenaModel model(4);
  ASSERT_TRUE(model.allocate(kSuperblock));
  model.memory().set_limit(kBegin + 2 * kSuperblock);
  EXPECT_FALSE(model.allocate(2 * kSuperblock));
  EXPECT_EQ(model.arena().last_failure(), ChunkArena::Failure::no_memory);
  EXPECT_TRUE(model.allocate(kSuperblock)) << "what is there may be used";
  EXPECT_FALSE(model.allocate(5 * kSuperblock));
  EXPECT_EQ(model.arena().last_failure(), ChunkArena::Failure::capacity);
  EXPECT_FALSE(model.allocate(~std::uint64_t{0}));
  EXPECT_EQ(model.arena().used_bytes(), 2 * kSuperblock);
}

}  // namespace
}  // namespace fairlead::test
