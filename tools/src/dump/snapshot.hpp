// Reads words that their writer guards by a sequence counter (shm/snapshot_guard.hpp), out of a
// file instead of a mapping.
#pragma once

#include <time.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "dump/segment_bytes.hpp"

namespace fairlead::tools::dump {

enum class Snapshot : std::uint8_t {
  consistent,  // one state of the writer
  busy,        // the writer changed something during every attempt
  torn,        // the writer stands (or died) in the middle of a change
  unreadable,  // the file is too short
};

// How often to try. A dead writer changes nothing any more: asking twice is enough.
struct Patience {
  int attempts = 200;
  bool writer_lives = true;
};

// Runs `read` (which says false when the file is too short) until it saw one state. Unless the
// result is `consistent`, what the last run of `read` got may be mixed.
template <class Read>
[[nodiscard]] Snapshot read_snapshot(const SegmentBytes& bytes, std::uint64_t counter_offset,
                                     Patience patience, Read&& read) {
  const auto load = [&](std::uint32_t& value) {
    return bytes.read(counter_offset, &value, sizeof value);
  };
  // A writer that was preempted in the middle of a change deserves up to 0.2 s; one that works on
  // is given up after `attempts`.
  constexpr int kPauses = 2'000;
  int attempts = patience.writer_lives ? patience.attempts : 2;
  int pauses = patience.writer_lives ? kPauses : 0;
  bool moved = false;
  std::uint32_t before = 0;
  std::uint32_t after = 0;
  if (!load(before)) return Snapshot::unreadable;
  for (;;) {
    if ((before & 1U) == 0 || attempts <= 1 || pauses == 0) {
      std::atomic_thread_fence(std::memory_order_acquire);
      if (!read()) return Snapshot::unreadable;
      std::atomic_thread_fence(std::memory_order_acquire);
      --attempts;
    } else {
      --pauses;
      const timespec pause{0, 100'000};
      ::nanosleep(&pause, nullptr);
    }
    if (!load(after)) return Snapshot::unreadable;
    if ((before & 1U) == 0 && before == after) return Snapshot::consistent;
    moved = moved || before != after;
    if (attempts <= 0) break;
    before = after;
  }
  return (after & 1U) != 0 && !moved ? Snapshot::torn : Snapshot::busy;
}

}  // namespace fairlead::tools::dump
