#include <fairlead/shm/route_writer.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <fairlead/shm/word_copy.hpp>

#include "route_writer_detail.hpp"

namespace fairlead::shm {

using detail::align_up;
using detail::record_size;
using detail::show;

namespace {

std::uint64_t arena_capacity(const RouteIdentity& identity) noexcept {
  const std::uint64_t cap = std::max<std::uint64_t>(identity.cap_bytes, kSuperblockBytes);
  return cap / kSuperblockBytes * kSuperblockBytes;
}

}  // namespace

RouteWriter::RouteWriter(GrowableMemory& segment, std::byte* cursors)
    : base_(segment.data()),
      route_(*reinterpret_cast<RouteHeader*>(segment.data())),
      cursors_(*reinterpret_cast<CursorHeader*>(cursors)),
      lane_cursors_(reinterpret_cast<LaneCursor*>(cursors + kCursorLanesOffset)),
      capacity_(route_.identity.lane_capacity),
      arena_(segment, route_.identity.arena_offset, arena_capacity(route_.identity)),
      reclaimer_(cursors_, arena_) {
  pages_.reserve(capacity_ / kLanesPerPage);
}

LaneHead& RouteWriter::lane_head(Lane lane) noexcept {
  return pages_[lane / kLanesPerPage].words->heads[lane % kLanesPerPage];
}

LaneStatistics& RouteWriter::lane_statistics(Lane lane) noexcept {
  return pages_[lane / kLanesPerPage].words->statistics[lane % kLanesPerPage];
}

// ---- chunks ------------------------------------------------------------------------------------

std::uint64_t RouteWriter::first_record(std::string_view principal) noexcept {
  return align_up(sizeof(ChunkHeader) + principal.size(), kRecordAlignment);
}

void RouteWriter::write_chunk_header(std::uint64_t offset, std::uint64_t bytes, Lane lane,
                                     std::uint32_t generation, std::string_view principal) {
  const ChunkHeader header{.chunk_bytes = static_cast<std::uint32_t>(bytes),
                           .generation = generation,
                           .lane = static_cast<std::uint16_t>(lane),
                           .principal_bytes = static_cast<std::uint16_t>(principal.size()),
                           .first_record = static_cast<std::uint32_t>(first_record(principal))};
  store_words(at(offset), header);
  std::memcpy(at(offset) + sizeof header, principal.data(), principal.size());
}

void RouteWriter::link(LaneState& state, Lane lane, std::uint64_t target) {
  if (state.chunks.empty()) {
    // First place of this generation.  // sync: lane-floor
    lane_head(lane).floors[state.tail % 2].store(LanePosition::pack(state.tail, target),
                                                 std::memory_order_release);
    return;
  }
  state.chunks.back().end_count = state.tail;
  const JumpRecord jump{.record_bytes = sizeof(JumpRecord),
                        .kind = RecordKind::jump,
                        .reserved = 0,
                        .lane = static_cast<std::uint16_t>(lane),
                        .target = target};
  store_words(at(state.write_offset), jump);
}

void RouteWriter::start_chunk(LaneState& state, Lane lane, std::uint64_t offset,
                              std::uint64_t bytes) {
  const std::uint64_t record = offset + first_record(state.principal);
  link(state, lane, record);
  state.chunks.put({offset, bytes, state.tail, state.tail, 0});
  state.write_offset = record;
  state.write_end = offset + bytes - sizeof(JumpRecord);
  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  show(lane_statistics(lane).chunk, offset);
  // The look for room may have given others back.
  show(route_.counters.arena_used_bytes, arena_.used_bytes());
  show(route_.counters.arena_retired_bytes, reclaimer_.retired_bytes());
}

bool RouteWriter::add_chunk(LaneState& state, Lane lane, std::uint64_t record_bytes) {
  reclaimer_.reclaim();
  const std::uint64_t needed = first_record(state.principal) + record_bytes + sizeof(JumpRecord);
  // Chunks grow with their lane, as long as half-filled ones of all lanes stay below 1/8 of the
  // cap.
  const std::uint64_t share = std::bit_floor(arena_.capacity_bytes() / 8 / open_lanes_);
  std::uint64_t bytes =
      ChunkArena::block_bytes(std::max(needed, std::min(state.next_chunk_bytes, share)));
  auto offset = arena_.allocate(bytes);
  if (!offset && bytes > ChunkArena::block_bytes(needed)) {
    bytes = ChunkArena::block_bytes(needed);
    offset = arena_.allocate(bytes);
  }
  if (!offset) return false;
  show(route_.committed_bytes, arena_.committed_bytes());
  state.next_chunk_bytes = std::min<std::uint64_t>(state.next_chunk_bytes * 2, kSuperblockBytes);
  write_chunk_header(*offset, bytes, lane, state.generation, state.principal);
  start_chunk(state, lane, *offset, bytes);
  return true;
}

void RouteWriter::retire(const Chunk& chunk) {
  if (chunk.claimed != 0) {
    reclaimer_.retire(chunk.offset, chunk.bytes, chunk.claimed);
  } else {
    arena_.free(chunk.offset, chunk.bytes);
  }
}

void RouteWriter::retire_passed(LaneState& state) {
  // Strictly behind the head: a reader that stands at a chunk's end still needs its jump.
  while (state.chunks.size() > 1 && state.chunks.front().end_count < state.head) {
    const Chunk& front = state.chunks.front();
    // The next broker reads there who published it.
    const bool holds_push = state.pushed_sequence != 0 && state.pushed_count >= front.first_count &&
                            state.pushed_count < front.end_count;
    if (holds_push) {
      state.kept = front;
    } else {
      retire(front);
    }
    state.chunks.pop_front();
  }
}

// Before the tail: who finds a tail that is beyond it knows that the message is in (R34).
void RouteWriter::note_push(LaneState& state, Lane lane, std::uint64_t offset,
                            const MessageStamp& stamp) {
  if (stamp.publisher == 0) return;
  state.pushed_count = state.tail;
  state.pushed_sequence = stamp.sequence;
  lane_head(lane).newest_push.store(LanePosition::pack(state.tail, offset),
                                    std::memory_order_release);  // sync: newest-push
  if (state.kept) retire(*std::exchange(state.kept, std::nullopt));
}

bool RouteWriter::carry(std::span<const PushMark> pushes) {
  if (pushes.empty()) return true;
  const auto offset = arena_.allocate(ChunkArena::block_bytes(pushes.size_bytes()));
  if (!offset) return false;
  show(route_.committed_bytes, arena_.committed_bytes());
  for (std::size_t each = 0; each < pushes.size(); ++each)
    store_words(at(*offset) + each * sizeof(PushMark), pushes[each]);
  show(route_.carried_push_count, static_cast<std::uint32_t>(pushes.size()));
  route_.carried_pushes.store(*offset, std::memory_order_release);
  return true;
}

// ---- appending ---------------------------------------------------------------------------------

bool RouteWriter::needs_chunk(Lane lane, std::uint64_t payload_bytes,
                              std::uint64_t topic_bytes) const noexcept {
  const LaneState& state = lanes_[lane];
  return state.chunks.empty() ||
         state.write_offset + record_size(payload_bytes, topic_bytes) > state.write_end;
}

bool RouteWriter::fits_alone(Lane lane, std::uint64_t payload_bytes,
                             std::uint64_t topic_bytes) const noexcept {
  const std::uint64_t needed = first_record(lanes_[lane].principal) +
                               record_size(payload_bytes, topic_bytes) + sizeof(JumpRecord);
  return ChunkArena::block_bytes(needed) + ChunkArena::block_bytes(sizeof(LanePage)) <=
         arena_.capacity_bytes();
}

RouteWriter::Append RouteWriter::append(Lane lane, const MessageStamp& stamp,
                                        std::string_view topic,
                                        std::span<const std::byte> payload) {
  LaneState& state = lanes_[lane];
  state.places.reserve_one();
  state.chunks.reserve_one();
  const std::uint64_t bytes = record_size(payload.size(), topic.size());
  if (needs_chunk(lane, payload.size(), topic.size()) && !add_chunk(state, lane, bytes))
    return out_of_memory() ? Append::no_memory : Append::segment_full;
  const std::uint64_t offset = state.write_offset;
  if (!payload.empty())
    std::memcpy(at(offset) + sizeof(RecordHeader), payload.data(), payload.size());
  state.write_offset = offset + bytes;
  publish_record(state, lane, offset, stamp, topic, payload.size());
  return Append::ok;
}

void RouteWriter::publish_record(LaneState& state, Lane lane, std::uint64_t offset,
                                 const MessageStamp& stamp, std::string_view topic,
                                 std::uint64_t payload_bytes) {
  state.places.put({state.bytes, offset});
  const RecordHeader record{
      .record_bytes = static_cast<std::uint32_t>(record_size(payload_bytes, topic.size())),
      .kind = RecordKind::message,
      .topic_bytes = static_cast<std::uint8_t>(topic.size()),
      .lane = static_cast<std::uint16_t>(lane),
      .payload_bytes = static_cast<std::uint32_t>(payload_bytes),
      .chunk_distance = static_cast<std::uint32_t>(offset - state.chunks.back().offset),
      .count = state.tail,
      .lane_bytes = state.bytes,
      .sequence = stamp.sequence,
      .published_nanoseconds = stamp.published_nanoseconds,
      .publisher = stamp.publisher,
      .publish_number = stamp.publish_number};
  store_words(at(offset), record);
  std::memcpy(at(offset) + sizeof record + payload_bytes, topic.data(), topic.size());
  note_push(state, lane, offset, stamp);

  const std::uint64_t cost = payload_bytes + topic.size();
  const bool was_empty = state.head == state.tail;
  const std::uint64_t old_tail = state.tail++;
  state.bytes += cost;
  ++totals_.published;
  ++totals_.queued;
  totals_.published_bytes += cost;
  totals_.queued_bytes += cost;
  {
    const SnapshotGuard guard(route_.snapshot);                         // sync: route-snapshot
    lane_head(lane).tail.store(state.tail, std::memory_order_release);  // sync: lane-tail
    show(route_.counters.published, totals_.published);
    show(route_.counters.published_bytes, totals_.published_bytes);
    if (was_empty)
      show(lane_statistics(lane).oldest_published_nanoseconds, stamp.published_nanoseconds);
    count_queued(state, lane);
  }
  if (was_empty) {
    activate(state, lane);
  } else {
    touched_.push_back({lane, old_tail});
  }
}

void RouteWriter::count_queued(LaneState& state, Lane lane) noexcept {
  LaneStatistics& statistics = lane_statistics(lane);
  const std::uint64_t lane_bytes = state.bytes - state.head_bytes;
  const auto lane_depth = static_cast<std::uint32_t>(state.tail - state.head);
  show(statistics.queued_bytes, lane_bytes);
  if (lane_bytes > statistics.queued_bytes_high_water.load(std::memory_order_relaxed))
    show(statistics.queued_bytes_high_water, lane_bytes);
  if (lane_depth > statistics.queued_high_water.load(std::memory_order_relaxed))
    show(statistics.queued_high_water, lane_depth);
  totals_.queued_high = std::max(totals_.queued_high, totals_.queued);
  totals_.queued_bytes_high = std::max(totals_.queued_bytes_high, totals_.queued_bytes);
  RouteCounters& counters = route_.counters;
  show(counters.queued, totals_.queued);
  show(counters.queued_bytes, totals_.queued_bytes);
  show(counters.queued_high_water, totals_.queued_high);
  show(counters.queued_bytes_high_water, totals_.queued_bytes_high);
}

void RouteWriter::activate(LaneState& state, Lane lane) noexcept {
  // Released, so that whoever reads this entry for the one that it replaces finds out.
  route_.activation_log[activations_ % kActivationLogEntries].store(
      ActivationEntry::pack(lane, state.generation),
      std::memory_order_release);  // sync: activation-entry
  ++activations_;
  state.activations = activations_;
  show(lane_head(lane).activation, activations_);
  route_.activations.store(activations_, std::memory_order_release);  // sync: activation-log
}

// ---- loans -------------------------------------------------------------------------------------

std::optional<RouteWriter::Reservation> RouteWriter::reserve(std::string_view principal,
                                                             std::uint64_t payload_bytes,
                                                             std::uint64_t topic_bytes) {
  reclaimer_.reclaim();
  const std::uint64_t start = first_record(principal);
  const std::uint64_t bytes =
      ChunkArena::block_bytes(start + record_size(payload_bytes, topic_bytes) + sizeof(JumpRecord));
  const auto offset = arena_.allocate(bytes);
  if (!offset) return std::nullopt;
  show(route_.committed_bytes, arena_.committed_bytes());
  return Reservation{*offset, bytes, {at(*offset) + start + sizeof(RecordHeader), payload_bytes}};
}

void RouteWriter::cancel(const Reservation& reservation) noexcept {
  arena_.free(reservation.chunk, reservation.chunk_bytes);  // no reader ever knew of it
}

void RouteWriter::commit(Lane lane, const Reservation& reservation, const MessageStamp& stamp,
                         std::string_view topic) {
  LaneState& state = lanes_[lane];
  state.places.reserve_one();
  state.chunks.reserve_one();
  write_chunk_header(reservation.chunk, reservation.chunk_bytes, lane, state.generation,
                     state.principal);
  start_chunk(state, lane, reservation.chunk, reservation.chunk_bytes);
  const std::uint64_t offset = state.write_offset;
  state.write_offset += record_size(reservation.payload.size(), topic.size());
  publish_record(state, lane, offset, stamp, topic, reservation.payload.size());
}

}  // namespace fairlead::shm
