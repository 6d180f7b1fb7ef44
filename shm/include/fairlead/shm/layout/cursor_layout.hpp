// The cursor segment: one per route, a sealed memfd that the guest writes. To the broker every word
// here is a hint from a stranger: loaded once through load_untrusted, bounded, then used as a copy.
// All zero is a safe value of everything (the guest may punch holes into it at any time).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/drain_mutex.hpp>
#include <fairlead/shm/layout/segment_header.hpp>
#include <fairlead/shm/process_identity.hpp>

namespace fairlead::shm {

// State of the DRR over lanes (deficit_round_robin.hpp). Writer: guest, under the drain mutex.
struct RotationState {
  std::uint64_t quantum;  // of the current round, bytes
  std::uint32_t round;    // number of the current round
  std::uint32_t active;   // lanes in the rotation
  std::uint32_t front;    // lane + 1; 0 = empty
  std::uint32_t back;
  std::uint32_t visit_open;  // 1: the front lane has had its quantum for this visit
  std::uint32_t reserved;
};
static_assert(sizeof(RotationState) == 32 && std::is_trivially_copyable_v<RotationState>);

// One lane's place in a rotation. Writer: as above.
struct RotationEntry {
  std::uint64_t deficit;  // bytes
  std::uint16_t next;     // lane + 1; 0 = none
  std::uint16_t previous;
  std::uint16_t next_round;    // low half of the first round in which the lane is visited again
  std::uint16_t newest_batch;  // that claimed from the lane, low bits; not the rotation's word  //
                               // sync: newest-batch
  std::uint32_t uncovered_visits;  // quantum given, head still too large (R30)
  std::uint32_t joined;            // generation it joined as; 0 = not in the rotation
};
static_assert(sizeof(RotationEntry) == 24 && std::is_trivially_copyable_v<RotationEntry>);

struct alignas(64) LaneCursor {
  // The one word with two writers: the guest claims and the broker evicts by compare-and-swap.
  std::atomic<std::uint64_t> head;          // record count  // sync: lane-head
  std::atomic<std::uint64_t> positions[2];  // LanePosition before and after the newest claim
  std::uint64_t expected_bytes;             // lane_bytes that the next record shows if none is lost
  std::uint32_t expected_count;             // low half of the count, likewise
  std::uint32_t generation;                 // that the fields above belong to
  RotationEntry rotation;
};
static_assert(sizeof(LaneCursor) == 64 && offsetof(LaneCursor, head) == 0);

// One batch that is out. Writer: guest.
struct TicketSlot {
  std::atomic<std::uint64_t> batch;  // its number, from 1; 0 = free  // sync: ticket
};

struct CursorHeader {
  SegmentHeader segment;
  alignas(64) DrainMutex mutex;
  alignas(64) RotationState rotation;
  std::uint64_t activations_seen;        // entries of the log that were consumed
  std::uint64_t reported_loss_messages;  // of AggregateLoss, told to the caller so far
  std::uint64_t reported_loss_bytes;

  alignas(
      64) std::atomic<std::uint32_t> wait_count;  // registrations, grows only  // sync: wait-count
  std::atomic<std::uint32_t> arm_count;           // of the pollable descriptor, likewise
  std::atomic<std::uint64_t> messages_held;       // in batches and hold slots
  std::atomic<std::uint64_t> uncovered_visits;    // over all lanes
  std::atomic<std::uint32_t>
      draining;  // 1 while a drain call runs: the file must not shrink now  // sync: ticket
  std::atomic<std::uint32_t> mappings;  // of this route among the workers  // sync: mappings
  alignas(
      64) std::atomic<std::uint64_t> reports;  // entries ever written below  // sync: drain-report
  std::atomic<std::uint64_t> batches;          // that were ever taken  // sync: newest-batch
  alignas(64) TicketSlot tickets[kTicketSlots];
  alignas(64) std::atomic<std::uint64_t> holds[kHoldSlots];  // chunk offset; 0 = free
  std::atomic<ProcessIdentity> ticket_owners[kTicketSlots];  // 0 = free; see worker_slots.hpp
  std::atomic<ProcessIdentity> hold_owners[kHoldSlots];
  std::atomic<std::uint32_t>
      report_log[kDrainReportEntries];  // lanes claimed from  // sync: report-entry
};
static_assert(std::is_standard_layout_v<CursorHeader>);
static_assert(sizeof(CursorHeader) <= 40 * 1024);

inline constexpr std::uint64_t kCursorLanesOffset = 40 * 1024;

[[nodiscard]] constexpr std::uint64_t cursor_segment_bytes(std::uint32_t lane_capacity) noexcept {
  return kCursorLanesOffset + std::uint64_t{lane_capacity} * sizeof(LaneCursor);
}

}  // namespace fairlead::shm
