// The first 256 bytes of every segment, whatever its kind.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/fixed_text.hpp>

namespace fairlead::shm {

inline constexpr std::uint64_t kSegmentMagic = 0x4441'454C'5249'4146;  // "FAIRLEAD" in memory order
inline constexpr std::uint32_t kLayoutVersion = 1;

enum class SegmentKind : std::uint32_t { none = 0, table, route, cursor, outbox, receipt, pool };

// Writer: whoever creates the segment (always the broker), before `version` is published; nothing
// here changes afterwards. In a guest-writable segment these words are for the dump tool only: the
// broker never reads them back.
struct SegmentHeader {
  std::uint64_t magic;
  std::atomic<std::uint32_t>
      version;  // published last, release; 0 = not ready  // sync: segment-ready
  SegmentKind kind;
  std::uint64_t layout_hash;    // of all sizes and offsets in this folder, see layout_hash.hpp
  std::uint64_t maximum_bytes;  // the mapping's size; the file may be shorter
  std::uint64_t epoch;          // the broker's life that made it
  std::uint64_t created_realtime_nanoseconds;
  std::uint32_t broker_process;            // pid as the broker sees itself
  std::uint32_t owner_user;                // uid of the broker
  std::uint64_t broker_start_clock_ticks;  // starttime of /proc/PID/stat, against reused pids
  FixedText<kMaximumBrokerNameBytes> broker;
  std::uint8_t reserved[142];
};
static_assert(sizeof(SegmentHeader) == 256);
static_assert(offsetof(SegmentHeader, version) == 8);
static_assert(offsetof(SegmentHeader, layout_hash) == 16);
static_assert(offsetof(SegmentHeader, broker) == 64);
static_assert(std::is_standard_layout_v<SegmentHeader>);
static_assert(std::atomic<std::uint32_t>::is_always_lock_free);
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace fairlead::shm
