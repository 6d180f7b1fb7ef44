// The route segment: broker writes, guest maps read-only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/fixed_text.hpp>
#include <fairlead/shm/layout/segment_header.hpp>
#include <fairlead/shm/uuid.hpp>

namespace fairlead::shm {

// `policy_default` is asked for at subscribe and never stands in a route: the broker fills in the
// policy's eviction_default, and the widest admission that the policy allows.
enum class EvictionPolicy : std::uint32_t {
  policy_default = 0,
  oldest_head = 1,
  fair_share = 2,
  reject = 3
};
enum class AdmissionKind : std::uint32_t {
  policy_default = 0,
  all = 1,
  exactly = 2,
  principal_or_system = 3
};
// `filling`: content of the epoch before is still being copied into it, nothing may be taken yet.
enum class RouteState : std::uint32_t { none = 0, open = 1, closed = 2, poisoned = 3, filling = 4 };
enum class Boundary : std::uint32_t { none = 0, cooperative = 1, enforced = 2 };
enum class LossReason : std::uint32_t {
  none = 0,
  budget = 1,
  lane_full = 2,
  lanes_full = 3,
  segment_full = 4
};

// Why a route refused a message (R11) or was poisoned; stable numbers, they cross the boundary.
enum class Refusal : std::uint32_t {
  none = 0,
  not_admitted = 1,        // R12, R13: not counted as a refusal, the route is just not concerned
  larger_than_budget = 2,  // R16
  larger_than_limit = 3,   // R31
  full = 4,                // R21 reject
  segment_full = 5,        // R15 hard cap, nothing left to evict or the guest holds it (R22)
  no_memory = 6,           // tmpfs full
  lanes_full = 7,          // R19 with policy reject
  rate_limited = 8,        // R31
  not_permitted = 9,       // policy
  invalid_topic = 10,      // R04
  route_closed = 11,       // closed or poisoned meanwhile
};

// Fixed at creation. Writer: broker, before `version`.
struct RouteIdentity {
  Uuid capsule;
  std::uint64_t subscription;  // from one monotonic counter per broker, never 0
  std::uint64_t route_id;      // names the segment; unique within the epoch
  EvictionPolicy eviction;
  AdmissionKind admission;
  Boundary boundary;
  std::uint32_t guest_user;  // uid
  std::uint64_t budget_bytes;
  std::uint64_t cap_bytes;
  std::uint32_t lane_capacity;  // multiple of kLanesPerPage
  std::uint32_t guest_process;  // pid as the broker sees it, 0 = unknown
  std::uint64_t arena_offset;
  FixedText<kMaximumTopicBytes + 1> pattern;
  FixedText<kMaximumPrincipalBytes> owner;               // the subscriber
  FixedText<kMaximumPrincipalBytes> admitted_principal;  // for the other admissions than `all`
};
static_assert(std::is_trivially_copyable_v<RouteIdentity>);
static_assert(sizeof(RouteIdentity) == 600);

// Totals of one route (R30). In every consistent snapshot published = delivered + queued + evicted.
// Writer: broker. Guarded by RouteHeader::snapshot.
struct RouteCounters {
  std::atomic<std::uint64_t> published;
  std::atomic<std::uint64_t> delivered;  // as of the guest's last report
  std::atomic<std::uint64_t> queued;
  std::atomic<std::uint64_t> evicted;
  std::atomic<std::uint64_t> refused;
  std::atomic<std::uint64_t> published_bytes;
  std::atomic<std::uint64_t> delivered_bytes;
  std::atomic<std::uint64_t> queued_bytes;
  std::atomic<std::uint64_t> evicted_bytes;
  std::atomic<std::uint64_t> held_messages;       // the guest's own word for it, clamped
  std::atomic<std::uint64_t> duplicates_dropped;  // sent again after a restart (R34)
  std::atomic<std::uint64_t> queued_high_water;
  std::atomic<std::uint64_t> queued_bytes_high_water;
  std::atomic<std::uint64_t> active_lanes;
  std::atomic<std::uint64_t> active_lanes_high_water;
  std::atomic<std::uint64_t> arena_used_bytes;       // chunks and lane pages in use
  std::atomic<std::uint64_t> arena_retired_bytes;    // passed, but still pinned by the guest
  std::atomic<std::uint64_t> uncovered_visits;       // of lanes that ended; the guest's word
  std::atomic<std::uint64_t> wakes;                  // signals sent to the guest
  std::atomic<std::uint64_t> refused_by_reason[12];  // indexed by Refusal
};

// Losses of lanes that ended without a further message (R29). Writer: broker, under `snapshot`.
// Guests read it without: what is between `ending_total` and `messages` is only there while the two
// differ.
struct AggregateLoss {
  std::atomic<std::uint64_t> messages;  // stored last  // sync: ended-loss
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint64_t> last_sequence;
  std::atomic<LossReason> reason;
  // The lane whose loss is being added, and `messages` once all is in: who comes after a broker
  // that was killed here knows whether that lane still has to be counted.
  std::atomic<std::uint32_t> ending_lane;   // as ActivationEntry::pack()
  std::atomic<std::uint64_t> ending_total;  // stored first  // sync: ended-loss
};

// Hot half of a lane: what the draining guest reads. Writer: broker.
struct alignas(64) LaneHead {
  std::atomic<std::uint64_t> tail;  // record count, grows only  // sync: lane-tail
  // LanePosition of the oldest record that was not evicted, at its count modulo 2: while the broker
  // evicts it, and writes where the next one is, this one's place stays.  // sync: lane-floor
  std::atomic<std::uint64_t> floors[2];
  std::atomic<std::uint32_t> generation;  // 0 = never used; changes when the slot changes hands
  std::atomic<std::uint32_t> in_use;      // 1 while a principal owns the slot
  std::atomic<std::uint64_t> base_count;  // tail when this generation began
  std::atomic<std::uint64_t> base_bytes;  // cumulative cost when this generation began
  std::atomic<std::uint64_t>
      activation;  // number of its newest entry in the activation log, from 1
  // LanePosition of the newest record that a guest published, stored before the tail: it was
  // pushed if the tail is beyond it (R34).  // sync: newest-push
  std::atomic<std::uint64_t> newest_push;
};
static_assert(sizeof(LaneHead) == 64);

// Cold half: what the dump tool reads. Writer: broker, under `snapshot`; of this generation only.
struct alignas(64) LaneStatistics {
  std::atomic<std::uint64_t> validated_head;  // the guest's head when last looked at
  std::atomic<std::uint64_t> evicted;
  std::atomic<std::uint64_t> queued_bytes;
  std::atomic<std::uint64_t> queued_bytes_high_water;
  std::atomic<std::uint32_t> queued_high_water;
  std::atomic<std::uint32_t> uncovered_visits;  // R30, the guest's word for it
  std::atomic<std::uint64_t> refused;
  std::atomic<std::uint64_t> oldest_published_nanoseconds;  // of the head record
  std::atomic<std::uint64_t> chunk;  // offset of the newest chunk: names the principal
};
static_assert(sizeof(LaneStatistics) == 64);

// 64 lanes; allocated from the arena when the first of them is needed. All but the first page may
// go again while nobody uses a lane of it.
struct LanePage {
  LaneHead heads[kLanesPerPage];
  LaneStatistics statistics[kLanesPerPage];
};
static_assert(sizeof(LanePage) == 8'192);

struct RouteHeader {
  SegmentHeader segment;
  RouteIdentity identity;

  // Read by the guest in every look; one line, one writer (broker).
  alignas(64) std::atomic<std::uint32_t> doorbell;  // futex word; moves with every publish  //
                                                    // sync: doorbell
  std::atomic<RouteState> state;
  std::atomic<std::uint64_t>
      activations;  // entries ever written to the log  // sync: activation-log
  std::atomic<std::uint64_t> committed_bytes;  // bytes of the segment that may be touched
  std::atomic<Refusal> poison_reason;
  std::atomic<std::uint32_t> snapshot;  // odd while the words below change  // sync: route-snapshot

  // Pushes of earlier epochs that may be sent again (R34): an array of PushMark, made with the
  // route.
  std::atomic<std::uint64_t> carried_pushes;  // offset; 0 = none
  std::atomic<std::uint32_t> carried_push_count;

  alignas(64) RouteCounters counters;
  alignas(64) AggregateLoss loss;
  alignas(64) std::atomic<std::uint32_t> lane_pages[kMaximumLanePages];  // offset / 256; 0 = none
                                                                         // (others may follow)
  // ActivationEntry each.  // sync: activation-entry
  alignas(64) std::atomic<std::uint32_t> activation_log[kActivationLogEntries];
};
static_assert(std::is_standard_layout_v<RouteHeader>);
static_assert(offsetof(RouteHeader, identity) == 256);
static_assert(offsetof(RouteHeader, doorbell) % 64 == 0);
static_assert(offsetof(RouteHeader, counters) % 64 == 0);
static_assert(sizeof(RouteHeader) <= 16 * 1024);

// A route has, or has refused, all that an outbox published up to this number.
struct PushMark {
  std::uint64_t outbox;
  std::uint64_t number;
};
static_assert(sizeof(PushMark) == 16);

// The arena begins here, so an idle route needs 16 KiB.
inline constexpr std::uint64_t kRouteArenaOffset = 16 * 1024;

// What the activation log says of a lane that was empty and is not any more: its number, and the
// low half of the generation that it had, because the slot may have changed hands since.
struct ActivationEntry {
  [[nodiscard]] static constexpr std::uint32_t pack(std::uint32_t lane,
                                                    std::uint32_t generation) noexcept {
    return (generation << 16) | lane;
  }
  [[nodiscard]] static constexpr std::uint32_t lane_of(std::uint32_t packed) noexcept {
    return packed & 0xffffU;
  }
  [[nodiscard]] static constexpr bool is_of(std::uint32_t packed,
                                            std::uint32_t generation) noexcept {
    return (packed >> 16) == (generation & 0xffffU);
  }
};
static_assert(kMaximumLanesPerRoute <= 0x1'0000);

// A place in a lane in one word: low 32 bits of the record count, and offset / 16.
struct LanePosition {
  std::uint32_t count_low;
  std::uint32_t offset_units;

  [[nodiscard]] static constexpr std::uint64_t pack(std::uint64_t count,
                                                    std::uint64_t offset) noexcept {
    return (count << 32) | (offset / kRecordAlignment);
  }
  [[nodiscard]] static constexpr bool is_for(std::uint64_t packed, std::uint64_t count) noexcept {
    return static_cast<std::uint32_t>(packed >> 32) == static_cast<std::uint32_t>(count) &&
           static_cast<std::uint32_t>(packed) != 0;
  }
  [[nodiscard]] static constexpr std::uint64_t offset_of(std::uint64_t packed) noexcept {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(packed)) * kRecordAlignment;
  }
};

}  // namespace fairlead::shm
