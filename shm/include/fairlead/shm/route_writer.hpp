// The writing side of a route segment: lanes, records, eviction, activation, doorbell. Mechanism
// only; which message to evict and whom to admit is decided above (broker/src/delivery).
//
// The only words of another process that it reads are the cursors' heads, drain reports, tickets,
// holds and wait counts, each once per operation and checked. A head that goes backwards or beyond
// the tail poisons the route: every later call says so and nothing is read any more.
//
// Not thread-safe: one writer per route. Nothing here waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fairlead/shm/chunk_arena.hpp>
#include <fairlead/shm/chunk_reclaimer.hpp>
#include <fairlead/shm/growable_memory.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/record_layout.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/ring_queue.hpp>
#include <fairlead/shm/snapshot_guard.hpp>

namespace fairlead::shm {

using Lane = std::uint32_t;  // slot number, below the route's lane capacity

// What a message carries beside its bytes (R08).
struct MessageStamp {
  std::uint64_t sequence;
  std::uint64_t published_nanoseconds;
  std::uint64_t publisher;
  std::uint64_t publish_number;
};

class RouteWriter {
 public:
  enum class Append { ok, segment_full, no_memory };
  enum class Evict { evicted, nothing, poisoned };

  struct Observation {
    std::uint64_t messages = 0;  // taken by the guest since the last look
    std::uint64_t bytes = 0;
    bool poisoned = false;
  };
  struct Loss {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t last_sequence = 0;
  };
  // A chunk of its own, filled in place by an embedding host before its message is published.
  struct Reservation {
    std::uint64_t chunk = 0;
    std::uint64_t chunk_bytes = 0;
    std::span<std::byte> payload;
  };

  // `segment` and `cursors` are zero-filled and outlive the writer; the route header is written by
  // format_route() beforehand. `cursors` holds cursor_segment_bytes(lane capacity) bytes.
  RouteWriter(GrowableMemory& segment, std::byte* cursors);

  // Gives `principal` a free lane; nothing when all are taken (lanes_full) or memory is: then
  // out_of_memory() tells a full file system from a full segment.
  [[nodiscard]] std::optional<Lane> open_lane(std::string_view principal);
  // The same with `lost` before its first message, which is then told with it (R29): of a lane that
  // goes on from an earlier epoch. Before any guest takes from this segment.
  [[nodiscard]] std::optional<Lane> open_lane_after(std::string_view principal, const Loss& lost);
  // Takes back an empty lane. What it lost since its last delivered message goes to the aggregate,
  // with that reason, and to the caller.
  Loss close_lane(Lane lane, LossReason reason);
  [[nodiscard]] bool lanes_full() const noexcept {
    return free_lanes_.empty() && lanes_.size() >= capacity_;
  }
  [[nodiscard]] std::uint32_t open_lanes() const noexcept { return open_lanes_; }

  // Appends one message; visible to the guest at once, but it is not woken before ring().
  [[nodiscard]] Append append(Lane lane, const MessageStamp& stamp, std::string_view topic,
                              std::span<const std::byte> payload);
  // True when append() would have to take a new chunk.
  [[nodiscard]] bool needs_chunk(Lane lane, std::uint64_t payload_bytes,
                                 std::uint64_t topic_bytes) const noexcept;

  [[nodiscard]] std::optional<Reservation> reserve(std::string_view principal,
                                                   std::uint64_t payload_bytes,
                                                   std::uint64_t topic_bytes);
  void cancel(const Reservation& reservation) noexcept;
  // As append(), with the payload where it is.
  void commit(Lane lane, const Reservation& reservation, const MessageStamp& stamp,
              std::string_view topic);

  // Writes down what earlier epochs pushed and may be sent again (R34). Once, before the table's
  // entry names this segment. False without memory for it.
  [[nodiscard]] bool carry(std::span<const PushMark> pushes);
  // Sequence of the newest message that a guest published into this lane; 0 = none.
  [[nodiscard]] std::uint64_t newest_push(Lane lane) const noexcept {
    return lanes_[lane].pushed_sequence;
  }

  // Takes the lane's oldest message away unless the guest is faster.
  Evict evict_head(Lane lane);
  // Looks at the lane's head.
  Observation observe(Lane lane);
  // The next lane that the guest says it took from; nothing when there are no more. Numbers that
  // make no sense are skipped, one call looks at one entry at most.
  enum class Report { none, lane, useless };
  Report next_report(Lane& lane) noexcept;

  // First half of waking the guest: call after a group of appends, before the caller's fence.
  void move_doorbell() noexcept;
  // Second half, after std::atomic_thread_fence(seq_cst): true when the guest has workers asleep
  // that nobody woke yet. `armed` likewise for its pollable descriptor.
  [[nodiscard]] bool settle(bool& armed) noexcept;
  void wake() noexcept;

  // Frees what the guest gave back, and pages of lanes that nobody uses. May throw std::bad_alloc.
  void reclaim();
  // See ChunkReclaimer.
  void limit_holds(std::uint32_t slots) noexcept { reclaimer_.limit_holds(slots); }
  // Bytes of chunks and pages; what reclaim() and eviction make smaller.
  [[nodiscard]] std::uint64_t used_bytes() const noexcept { return arena_.used_bytes(); }
  // Why open_lane() or append() found no memory.
  [[nodiscard]] bool out_of_memory() const noexcept {
    return arena_.last_failure() == ChunkArena::Failure::no_memory;
  }
  // Whether the message would fit beside its lane's page if nothing else were there.
  [[nodiscard]] bool fits_alone(Lane lane, std::uint64_t payload_bytes,
                                std::uint64_t topic_bytes) const noexcept;
  void trim(std::uint32_t spare_superblocks) noexcept;
  // Whether evicting more is a fair way to memory: not when the guest itself holds half of the
  // segment, then its route refuses (R22).
  [[nodiscard]] bool eviction_frees_memory() const noexcept {
    return reclaimer_.retired_bytes() < arena_.capacity_bytes() / 2;
  }
  void poison(Refusal reason) noexcept;
  [[nodiscard]] bool poisoned() const noexcept { return poisoned_; }

  [[nodiscard]] std::uint64_t depth(Lane lane) const noexcept {
    return lanes_[lane].tail - lanes_[lane].head;
  }
  [[nodiscard]] std::uint64_t queued_bytes(Lane lane) const noexcept {
    return lanes_[lane].bytes - lanes_[lane].head_bytes;
  }
  [[nodiscard]] std::uint64_t head(Lane lane) const noexcept { return lanes_[lane].head; }
  [[nodiscard]] std::uint64_t tail(Lane lane) const noexcept { return lanes_[lane].tail; }
  [[nodiscard]] bool in_use(Lane lane) const noexcept {
    return lane < lanes_.size() && lanes_[lane].in_use;
  }
  [[nodiscard]] const std::string& principal(Lane lane) const noexcept {
    return lanes_[lane].principal;
  }
  [[nodiscard]] std::uint64_t queued_bytes() const noexcept { return totals_.queued_bytes; }
  [[nodiscard]] std::uint64_t queued() const noexcept { return totals_.queued; }
  [[nodiscard]] RouteHeader& header() noexcept { return route_; }
  [[nodiscard]] const CursorHeader& cursors() const noexcept { return cursors_; }

  // Counts a refusal of this route (R30); `lane` if the principal has one.
  void count_refusal(Refusal reason, std::optional<Lane> lane) noexcept;
  void count_duplicate() noexcept;
  void add_aggregate_loss(const Loss& loss, LossReason reason) noexcept;

 private:
  struct Chunk {
    std::uint64_t offset;
    std::uint64_t bytes;
    std::uint64_t first_count;
    std::uint64_t end_count;  // one past its last record, once it has a successor
    std::uint64_t claimed;    // ChunkReclaimer's stamp of the guest's last claim in it; 0 = none
  };
  // Where a queued record is and what all before it cost: a head that a guest reports becomes bytes
  // and a place in O(1), without reading a record.
  struct Place {
    std::uint64_t bytes_before;
    std::uint64_t offset;
  };
  struct LaneState {
    std::uint64_t tail = 0;
    std::uint64_t head = 0;          // validated
    std::uint64_t bytes = 0;         // cumulative cost of all records
    std::uint64_t head_bytes = 0;    // of those before head
    std::uint64_t write_offset = 0;  // where the next record or jump goes
    std::uint64_t write_end = 0;     // end of the chunk, room for a jump already taken off
    std::uint64_t next_chunk_bytes = 0;
    std::uint64_t lost_from = 0;  // first count of the newest run of evictions; run is empty if
    std::uint64_t lost_to = 0;    //   lost_from == lost_to
    std::uint64_t lost_bytes = 0;
    std::uint64_t lost_sequence = 0;
    std::uint64_t activations = 0;
    std::uint64_t pushed_count = 0;     // of the newest message that a guest published,
    std::uint64_t pushed_sequence = 0;  //   and its sequence; 0 = none in this generation
    std::uint32_t generation = 0;
    bool in_use = false;
    std::string principal;
    RingQueue<Chunk> chunks;
    std::optional<Chunk> kept;  // passed, but holds the newest message that a guest published
    RingQueue<Place> places;    // of the records from head to tail
  };
  struct Page {
    LanePage* words = nullptr;  // none: nobody uses a lane of it
    std::uint64_t offset = 0;
    std::uint32_t open_lanes = 0;
  };
  struct Touched {
    Lane lane;
    std::uint64_t old_tail;
  };

  [[nodiscard]] LaneHead& lane_head(Lane lane) noexcept;
  [[nodiscard]] LaneStatistics& lane_statistics(Lane lane) noexcept;
  [[nodiscard]] LaneCursor& cursor(Lane lane) noexcept { return lane_cursors_[lane]; }
  [[nodiscard]] std::byte* at(std::uint64_t offset) noexcept { return base_ + offset; }
  [[nodiscard]] bool ensure_page(Lane lane);
  void free_idle_pages();
  Observation accept_head(Lane lane, std::uint64_t head);
  void start_chunk(LaneState& state, Lane lane, std::uint64_t offset, std::uint64_t bytes);
  [[nodiscard]] bool add_chunk(LaneState& state, Lane lane, std::uint64_t record_bytes);
  void link(LaneState& state, Lane lane, std::uint64_t target);
  [[nodiscard]] static std::uint64_t first_record(std::string_view principal) noexcept;
  void write_chunk_header(std::uint64_t offset, std::uint64_t bytes, Lane lane,
                          std::uint32_t generation, std::string_view principal);
  void publish_record(LaneState& state, Lane lane, std::uint64_t offset, const MessageStamp& stamp,
                      std::string_view topic, std::uint64_t payload_bytes);
  void activate(LaneState& state, Lane lane) noexcept;
  void advance(LaneState& state, Lane lane, std::uint64_t head);
  void retire_passed(LaneState& state);
  void retire(const Chunk& chunk);
  void note_push(LaneState& state, Lane lane, std::uint64_t offset, const MessageStamp& stamp);
  void mark_claimed(LaneState& state, Lane lane, std::uint64_t head) noexcept;
  void count_queued(LaneState& state, Lane lane) noexcept;
  void publish_arena_counters() noexcept;

  std::byte* base_;
  RouteHeader& route_;
  CursorHeader& cursors_;
  LaneCursor* lane_cursors_;
  std::uint32_t capacity_;
  ChunkArena arena_;
  ChunkReclaimer reclaimer_;
  std::deque<LaneState> lanes_;  // grows as slots are first used; addresses stay
  std::vector<Lane> free_lanes_;
  std::vector<Touched> touched_;  // appended to since move_doorbell()
  std::vector<Page> pages_;       // by lane number / kLanesPerPage
  std::uint32_t open_lanes_ = 0;
  std::uint32_t doorbell_ = 0;
  std::uint32_t waits_before_ = 0;   // wait count as of the last settle()
  std::uint32_t waits_settled_ = 0;  // and as of the one before that
  std::uint32_t arms_seen_ = 0;
  std::uint64_t activations_ = 0;
  std::uint64_t reports_seen_ = 0;
  Lane sweep_at_ = 0;
  bool sweeping_ = false;
  bool poisoned_ = false;
  // Private copies of what RouteCounters shows: never read back from the segment.
  struct Totals {
    std::uint64_t published = 0, delivered = 0, queued = 0, evicted = 0, refused = 0;
    std::uint64_t published_bytes = 0, delivered_bytes = 0, queued_bytes = 0, evicted_bytes = 0;
    std::uint64_t queued_high = 0, queued_bytes_high = 0, lanes_high = 0, wakes = 0, uncovered = 0;
    std::uint64_t lost_messages = 0, lost_bytes = 0, duplicates = 0;
    std::uint64_t by_reason[12] = {};
  } totals_;
};

// Writes the header of a new route segment (all zero before) and publishes its version word.
// `segment_bytes` must hold at least kRouteArenaOffset, already allocated.
void format_route(std::byte* segment, const RouteIdentity& identity, const SegmentHeader& stamp);
// Likewise a cursor segment: the header and the drain mutex.
void format_cursors(std::byte* segment, const SegmentHeader& stamp);

}  // namespace fairlead::shm
