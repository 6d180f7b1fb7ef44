// The outbox (guest writes, sealed memfd) and the receipt segment (broker writes, guest reads
// only).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/layout/segment_header.hpp>

namespace fairlead::shm {

// Writer: guest. The ring follows at kOutboxRingOffset; its size (a power of two) is the broker's
// private knowledge and the guest's, not a word in here.
struct OutboxHeader {
  SegmentHeader segment;
  alignas(64)
      std::atomic<std::uint64_t> tail;  // bytes ever written, multiple of 16  // sync: outbox-tail
};
static_assert(offsetof(OutboxHeader, tail) == 256);
inline constexpr std::uint64_t kOutboxRingOffset = 4'096;

// One message in the ring: header, payload, topic, padding to 16. A record never wraps: a filler
// (payload_bytes ignored, kind filler) covers the ring's rest.
enum class OutboxKind : std::uint32_t { none = 0, message = 1, filler = 2 };
struct OutboxRecord {
  std::uint32_t record_bytes;
  OutboxKind kind;
  std::uint32_t payload_bytes;
  std::uint32_t topic_bytes;
  std::uint64_t publish_number;           // 1, 2, 3...
  std::uint64_t block_until_nanoseconds;  // CLOCK_MONOTONIC; 0 = do not block (R21)
};
static_assert(sizeof(OutboxRecord) == 32 && std::is_trivially_copyable_v<OutboxRecord>);

// Outcome of one publish (R11). Writer: broker; valid once `accepted_number` reached its number.
struct Receipt {
  std::atomic<std::uint64_t> publish_number;
  std::atomic<std::uint32_t> matched;
  std::atomic<std::uint32_t> taken;
  std::atomic<std::uint32_t> evicted;
  std::atomic<std::uint32_t> refused;  // routes that refused
  std::atomic<Refusal> first_refusal;  // of a route, or of the publish as a whole
  std::uint32_t reserved;
};
static_assert(sizeof(Receipt) == 32);

struct ReceiptHeader {
  SegmentHeader segment;
  std::uint64_t outbox_id;  // never reused
  std::uint64_t ring_bytes;
  alignas(64) std::atomic<std::uint64_t> accepted_bytes;  // ring position the broker has consumed
                                                          // // sync: accepted-bytes
  std::atomic<std::uint64_t>
      accepted_number;                  // newest publish number acknowledged  // sync: receipt
  std::atomic<std::uint32_t> doorbell;  // futex word: moves with acknowledgements
  std::atomic<std::uint32_t>
      broker_asleep;  // 1: send a kick over the socket  // sync: broker-asleep
  alignas(64) Receipt receipts[kReceiptEntries];  // publish number modulo kReceiptEntries
};
static_assert(std::is_standard_layout_v<ReceiptHeader>);

}  // namespace fairlead::shm
