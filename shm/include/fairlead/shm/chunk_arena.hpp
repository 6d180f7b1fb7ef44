// Hands out pieces ("chunks") of a route segment. All book-keeping is private to the broker:
// nothing in the segment says what is free, so no guest can mislead it.
//
// Two levels: superblocks of 64 KiB, first fit from the low end so that the file can shrink from
// its high end; inside a superblock a binary buddy system (Knowlton 1965) of blocks from 256 B to
// 32 KiB.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/growable_memory.hpp>

namespace fairlead::shm {

class ChunkArena {
 public:
  enum class Failure { none, capacity, no_memory };

  // Manages [begin, begin + capacity) of `memory`; `begin` and `capacity` are multiples of 64 KiB
  // or, for `begin`, of kRecordAlignment. `memory` must outlive the arena. Not thread-safe.
  ChunkArena(GrowableMemory& memory, std::uint64_t begin, std::uint64_t capacity);

  // Offset of a free chunk of block_bytes(bytes) bytes, aligned to kMinimumChunkBytes; nothing and
  // last_failure() when there is none. The content is whatever was there before.
  [[nodiscard]] std::optional<std::uint64_t> allocate(std::uint64_t bytes) noexcept;
  // `bytes` as at allocate().
  void free(std::uint64_t offset, std::uint64_t bytes) noexcept;
  // Gives unused memory at the high end back to the system, keeping `spare` superblocks.
  void trim(std::uint32_t spare) noexcept;
  // What committed_bytes() would be after it.
  [[nodiscard]] std::uint64_t committed_after_trim(std::uint32_t spare) const noexcept;

  // What a request really takes: a power of two up to 32 KiB, whole superblocks above.
  [[nodiscard]] static std::uint64_t block_bytes(std::uint64_t bytes) noexcept;

  [[nodiscard]] Failure last_failure() const noexcept { return failure_; }
  [[nodiscard]] std::uint64_t used_bytes() const noexcept { return used_bytes_; }
  [[nodiscard]] std::uint64_t committed_bytes() const noexcept;  // from the segment's start
  [[nodiscard]] std::uint64_t capacity_bytes() const noexcept {
    return std::uint64_t{superblocks_} * kSuperblockBytes;
  }

 private:
  static constexpr std::uint32_t kOrders = 8;  // 256 B << 0 .. 256 B << 7
  static constexpr std::uint32_t kUnits = kSuperblockBytes / kMinimumChunkBytes;

  // One bit per block of each order: set = free.
  struct Superblock {
    std::array<std::array<std::uint64_t, kUnits / 64>, kOrders> free{};
  };
  using Bitmap = std::vector<std::uint64_t>;

  [[nodiscard]] static std::uint32_t order_of(std::uint64_t block) noexcept;
  [[nodiscard]] std::optional<std::uint32_t> take_superblocks(std::uint32_t run) noexcept;
  void give_superblocks(std::uint32_t first, std::uint32_t run) noexcept;
  [[nodiscard]] std::optional<std::uint64_t> allocate_block(std::uint32_t order) noexcept;
  void free_block(std::uint32_t superblock, std::uint32_t index, std::uint32_t order) noexcept;
  void set_free(std::uint32_t superblock, std::uint32_t order, std::uint32_t index,
                bool is_free) noexcept;
  [[nodiscard]] bool is_free(std::uint32_t superblock, std::uint32_t order,
                             std::uint32_t index) const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> first_with_free(std::uint32_t order) const noexcept;

  [[nodiscard]] std::uint32_t superblocks_after_trim(std::uint32_t spare) const noexcept;

  GrowableMemory& memory_;
  std::uint64_t begin_;
  std::uint32_t superblocks_;
  std::uint32_t committed_ = 0;  // superblocks
  std::uint64_t used_bytes_ = 0;
  Failure failure_ = Failure::none;
  std::vector<Superblock> blocks_;        // of committed superblocks
  Bitmap taken_;                          // superblocks that are whole or split
  std::array<Bitmap, kOrders> has_free_;  // superblocks with a free block of that order
};

}  // namespace fairlead::shm
