// What of a route table outlives a change of the layout (R08): the numbers that must never be used
// again. Its place and its form never change, whatever else does; see docs/decisions/0036.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace fairlead::shm {

inline constexpr std::uint64_t kContinuityOffset = 256;  // in the table's file
inline constexpr std::uint64_t kContinuityMagic =
    0x5352'4542'4D55'4E46;  // "FNUMBERS" in memory order
inline constexpr std::uint32_t kContinuityVersion = 1;

// Written as a whole; the checksum is 0 meanwhile.
struct ContinuityCopy {
  std::atomic<std::uint64_t> generation;  // the greater one of two is valid
  std::atomic<std::uint64_t> epoch;
  std::atomic<std::uint64_t> next_sequence;
  std::atomic<std::uint64_t> next_subscription;
  std::uint64_t reserved[3];
  std::atomic<std::uint64_t> checksum;  // FNV-1a over all of the above and the block's head
};

// Two copies, written in turn: a broker that is killed while it writes one leaves the other.
struct ContinuityBlock {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t block_bytes;
  ContinuityCopy copies[2];
};
static_assert(sizeof(ContinuityCopy) == 64 && sizeof(ContinuityBlock) == 144);
static_assert(offsetof(ContinuityBlock, copies) == 16);
static_assert(offsetof(ContinuityCopy, generation) == 0 && offsetof(ContinuityCopy, epoch) == 8 &&
              offsetof(ContinuityCopy, next_sequence) == 16 &&
              offsetof(ContinuityCopy, next_subscription) == 24 &&
              offsetof(ContinuityCopy, checksum) == 56);

}  // namespace fairlead::shm
