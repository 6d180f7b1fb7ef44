// One number for the whole layout: two builds whose structs differ refuse each other at attach.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/outbox_layout.hpp>
#include <fairlead/shm/layout/record_layout.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/layout/table_layout.hpp>

namespace fairlead::shm {

// FNV-1a (Fowler, Noll, Vo) over sizes and offsets.
[[nodiscard]] constexpr std::uint64_t hash_numbers(
    std::initializer_list<std::uint64_t> numbers) noexcept {
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
  for (std::uint64_t number : numbers) {
    for (int byte = 0; byte < 8; ++byte) {
      hash ^= (number >> (8 * byte)) & 0xff;
      hash *= 0x0000'0100'0000'01b3;
    }
  }
  return hash;
}

inline constexpr std::uint64_t kLayoutHash = hash_numbers({
    kLayoutVersion,
    sizeof(SegmentHeader),
    sizeof(RecordHeader),
    sizeof(JumpRecord),
    sizeof(ChunkHeader),
    sizeof(RouteIdentity),
    offsetof(RouteHeader, doorbell),
    offsetof(RouteHeader, counters),
    offsetof(RouteHeader, loss),
    offsetof(RouteHeader, lane_pages),
    offsetof(RouteHeader, activation_log),
    sizeof(RouteHeader),
    kRouteArenaOffset,
    sizeof(LanePage),
    kLanesPerPage,
    kActivationLogEntries,
    sizeof(LaneCursor),
    offsetof(LaneCursor, rotation),
    offsetof(CursorHeader, mutex),
    offsetof(CursorHeader, rotation),
    offsetof(CursorHeader, wait_count),
    offsetof(CursorHeader, mappings),
    offsetof(CursorHeader, reports),
    offsetof(CursorHeader, tickets),
    offsetof(CursorHeader, holds),
    offsetof(CursorHeader, hold_owners),
    offsetof(CursorHeader, report_log),
    kDrainReportEntries,
    kCursorLanesOffset,
    kTicketSlots,
    kHoldSlots,
    sizeof(OutboxHeader),
    kOutboxRingOffset,
    sizeof(OutboxRecord),
    offsetof(ReceiptHeader, accepted_bytes),
    offsetof(ReceiptHeader, receipts),
    sizeof(Receipt),
    kReceiptEntries,
    sizeof(TableEntry),
    offsetof(TableHeader, entries),
    offsetof(TableHeader, socket_path),
    kTableEntriesOffset,
});

}  // namespace fairlead::shm
