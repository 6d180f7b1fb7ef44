// Lanes of a route: their pages, and who owns which slot.
#include <fairlead/shm/route_writer.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include "route_writer_detail.hpp"

namespace fairlead::shm {

using detail::show;

namespace {

// Entries of the private index that a lane without an owner keeps: a burst must not stay in memory.
constexpr std::size_t kPlacesKept = 64;

}  // namespace

bool RouteWriter::ensure_page(Lane lane) {
  const std::size_t number = lane / kLanesPerPage;
  if (number < pages_.size() && pages_[number].words != nullptr) return true;
  if (number >= pages_.size()) pages_.resize(number + 1);
  const auto offset = arena_.allocate(sizeof(LanePage));
  if (!offset) return false;
  std::memset(at(*offset), 0, sizeof(LanePage));
  pages_[number] = {reinterpret_cast<LanePage*>(at(*offset)), *offset, 0};
  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  // Slots that were used before the page was freed go on where they stopped.
  const auto first = static_cast<Lane>(number * kLanesPerPage);
  for (Lane each = first; each < first + kLanesPerPage && each < lanes_.size(); ++each) {
    show(lane_head(each).tail, lanes_[each].tail);
    show(lane_head(each).generation, lanes_[each].generation);
  }
  show(route_.committed_bytes, arena_.committed_bytes());
  route_.lane_pages[number].store(static_cast<std::uint32_t>(*offset / kMinimumChunkBytes),
                                  std::memory_order_release);
  return true;
}

// Pages lie anywhere in the segment and would keep large messages out of it for ever. The first one
// stays: a route with few principals opens and closes lanes all the time.
void RouteWriter::free_idle_pages() {
  for (std::size_t number = 1; number < pages_.size(); ++number) {
    Page& page = pages_[number];
    if (page.words == nullptr || page.open_lanes != 0) continue;
    {
      const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
      // For a reader that stands here: none of its lanes lives.
      for (LaneHead& head : page.words->heads) head.generation.store(0, std::memory_order_release);
      route_.lane_pages[number].store(0, std::memory_order_release);
    }
    page.words = nullptr;
    reclaimer_.retire(page.offset, sizeof(LanePage), reclaimer_.stamp_of_now());
  }
}

void RouteWriter::reclaim() {
  if (poisoned_) return;
  free_idle_pages();
  reclaimer_.reclaim();
}

std::optional<Lane> RouteWriter::open_lane(std::string_view principal) {
  return open_lane_after(principal, {});
}

std::optional<Lane> RouteWriter::open_lane_after(std::string_view principal, const Loss& lost) {
  Lane lane = 0;
  if (!free_lanes_.empty()) {
    lane = free_lanes_.back();
    if (!ensure_page(lane)) return std::nullopt;
    free_lanes_.pop_back();
  } else {
    lane = static_cast<Lane>(lanes_.size());
    if (lane >= capacity_ || !ensure_page(lane)) return std::nullopt;
    lanes_.emplace_back();
  }
  LaneState& state = lanes_[lane];
  state.principal.assign(principal);
  state.in_use = true;
  state.next_chunk_bytes = kMinimumChunkBytes;
  const std::uint64_t base_count = state.tail;
  const std::uint64_t base_bytes = state.bytes;
  state.tail = state.head = base_count + lost.messages;
  state.bytes = state.head_bytes = base_bytes + lost.bytes;
  if (lost.messages > 0) cursor(lane).head.store(state.head, std::memory_order_relaxed);
  state.lost_from = base_count;
  state.lost_to = state.tail;
  state.lost_bytes = lost.bytes;
  state.lost_sequence = lost.last_sequence;
  state.pushed_sequence = 0;
  totals_.published += lost.messages;
  totals_.published_bytes += lost.bytes;
  totals_.evicted += lost.messages;
  totals_.evicted_bytes += lost.bytes;
  if (++state.generation == 0) state.generation = 1;  // 0 means never used
  ++pages_[lane / kLanesPerPage].open_lanes;
  ++open_lanes_;
  totals_.lanes_high = std::max<std::uint64_t>(totals_.lanes_high, open_lanes_);

  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  LaneHead& head = lane_head(lane);
  show(head.tail, state.tail);
  show(head.base_count, base_count);
  show(head.base_bytes, base_bytes);
  show(head.newest_push, 0);
  show(head.in_use, 1);
  head.generation.store(state.generation, std::memory_order_release);
  LaneStatistics& statistics = lane_statistics(lane);
  show(statistics.validated_head, state.head);
  show(statistics.evicted, lost.messages);
  show(statistics.queued_bytes, 0);
  show(statistics.queued_bytes_high_water, 0);
  show(statistics.queued_high_water, 0);
  show(statistics.uncovered_visits, 0);
  show(statistics.refused, 0);
  show(statistics.chunk, 0);
  show(route_.counters.active_lanes, open_lanes_);
  show(route_.counters.active_lanes_high_water, totals_.lanes_high);
  if (lost.messages > 0) {
    show(route_.counters.published, totals_.published);
    show(route_.counters.published_bytes, totals_.published_bytes);
    show(route_.counters.evicted, totals_.evicted);
    show(route_.counters.evicted_bytes, totals_.evicted_bytes);
  }
  return lane;
}

RouteWriter::Loss RouteWriter::close_lane(Lane lane, LossReason reason) {
  LaneState& state = lanes_[lane];
  Loss loss;
  if (state.lost_to == state.tail && state.lost_from != state.lost_to)
    loss = {state.lost_to - state.lost_from, state.lost_bytes, state.lost_sequence};
  // In before the lane goes: see RouteRemains::counted_as_ended.
  if (loss.messages > 0) {
    show(route_.loss.ending_total, totals_.lost_messages + loss.messages);
    route_.loss.ending_lane.store(ActivationEntry::pack(lane, state.generation),
                                  std::memory_order_release);
    add_aggregate_loss(loss, reason);
  }
  for (std::size_t each = 0; each < state.chunks.size(); ++each) retire(state.chunks[each]);
  state.chunks.clear();
  if (state.kept) retire(*std::exchange(state.kept, std::nullopt));
  state.places.clear(kPlacesKept);
  state.write_offset = state.write_end = 0;
  state.in_use = false;
  state.principal.clear();
  --pages_[lane / kLanesPerPage].open_lanes;
  --open_lanes_;
  free_lanes_.push_back(lane);

  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  totals_.uncovered += lane_statistics(lane).uncovered_visits.load(std::memory_order_relaxed);
  show(route_.counters.uncovered_visits, totals_.uncovered);
  show(lane_head(lane).in_use, 0);
  show(route_.counters.active_lanes, open_lanes_);
  publish_arena_counters();
  return loss;
}

}  // namespace fairlead::shm
