// The route table: one named segment per broker that outlives it. Writer: the broker alone; the
// dump tool reads it with pread, the next broker of that name adopts it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/layout/continuity_layout.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/layout/segment_header.hpp>

namespace fairlead::shm {

inline constexpr std::size_t kMaximumSegmentNameBytes = 128;
inline constexpr std::size_t kSocketPathFieldBytes = 108;

// `interim`: its guest has not come back to this life of the broker; nobody maps the segment but
// us.
enum class TableEntryState : std::uint32_t { free = 0, live = 1, interim = 2 };

// A principal, or a family and whose: "agent.* of uid 4294967295".
inline constexpr std::size_t kMaximumPayerBytes = kMaximumPrincipalBytes + 18;

struct TableEntry {
  std::atomic<std::uint32_t> snapshot;  // odd while the entry changes  // sync: table-entry
  TableEntryState state;
  std::uint32_t sealed;             // 1: memfd, ask the broker for it; 0: named
  SegmentKind kind;                 // route, outbox
  std::uint64_t epoch;              // that made the segment
  std::uint64_t claimed_epoch;      // of the newest segment that the guest certainly has; 0 = none
  std::uint64_t guest;              // who owns it, a number of the epoch in which it attached
  std::atomic<std::uint64_t> gate;  // sequence from which on the route admits; max = staged (R13)
  RouteIdentity identity;           // of an outbox: owner, guest and id only
  FixedText<kMaximumSegmentNameBytes> segment;  // route or receipt; empty when sealed
  FixedText<kMaximumPayerBytes> payer;          // whose quotas it uses up
  std::uint8_t resume_token[16];                // the guest's: the same in all its entries
  // How long brokers had waited for its guest when this life began; 0: the guest was there since.
  std::uint64_t missed_nanoseconds;
};

struct TableHeader {
  SegmentHeader segment;
  ContinuityBlock continuity;           // for the next broker, of whatever layout
  std::atomic<std::uint32_t> snapshot;  // odd while the words below change  // sync: table-header
  std::uint32_t entry_bytes;
  std::atomic<std::uint64_t> entries;            // entries ever used; the file holds at least these
  std::atomic<std::uint64_t> next_sequence;      // as in `continuity`, for the dump tool
  std::atomic<std::uint64_t> next_subscription;  // likewise
  std::atomic<std::uint64_t> clean_stop;         // how the broker ended by itself: kTable...
  // A gate that is being opened or retired, so that the next broker can do the rest (R13).
  std::atomic<std::uint64_t> gate_guest;  // 0 = none
  std::atomic<std::uint64_t> gate_from;
  FixedText<kSocketPathFieldBytes> socket_path;
  // For how long this life has waited for those who are away, as of its last look; in steps.
  std::atomic<std::uint64_t> waited_nanoseconds;
  std::atomic<std::uint64_t> grace_nanoseconds;  // how long brokers wait for a guest, in all
};

inline constexpr std::uint64_t kTableEnded = 1;       // nothing is left
inline constexpr std::uint64_t kTableHandedOver = 2;  // all of it is for the next one

inline constexpr std::uint64_t kTableEntriesOffset = 4'096;
static_assert(offsetof(TableHeader, continuity) == kContinuityOffset);
static_assert(sizeof(TableHeader) <= kTableEntriesOffset);

}  // namespace fairlead::shm
