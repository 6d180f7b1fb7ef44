// Looking at the guest's progress, evicting, waking.
#include <fairlead/shm/route_writer.hpp>

#include <algorithm>
#include <cstring>

#include <fairlead/shm/futex.hpp>
#include <fairlead/shm/untrusted.hpp>

#include "route_writer_detail.hpp"

namespace fairlead::shm {

using detail::show;

// ---- the guest's progress ----------------------------------------------------------------------

RouteWriter::Observation RouteWriter::observe(Lane lane) {
  if (poisoned_) return {.poisoned = true};
  return accept_head(lane, load_untrusted(cursor(lane).head));  // sync: lane-head
}

// `head` is what the guest's word was, once.
RouteWriter::Observation RouteWriter::accept_head(Lane lane, std::uint64_t head) {
  LaneState& state = lanes_[lane];
  if (head == state.head) return {};
  if (head < state.head || head > state.tail) {
    poison(Refusal::route_closed);
    return {.poisoned = true};
  }
  const std::uint64_t head_bytes =
      head == state.tail ? state.bytes : state.places[head - state.head].bytes_before;
  const Observation seen{head - state.head, head_bytes - state.head_bytes, false};
  totals_.delivered += seen.messages;
  totals_.delivered_bytes += seen.bytes;
  state.lost_from = state.lost_to;  // whatever was lost before, the record just taken has told
  state.lost_bytes = 0;
  mark_claimed(state, lane, head);
  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  show(route_.counters.delivered, totals_.delivered);
  show(route_.counters.delivered_bytes, totals_.delivered_bytes);
  show(lane_statistics(lane).uncovered_visits,
       load_untrusted(cursor(lane).rotation.uncovered_visits));
  advance(state, lane, head);
  return seen;
}

void RouteWriter::mark_claimed(LaneState& state, Lane lane, std::uint64_t head) noexcept {
  const std::uint64_t stamp = reclaimer_.stamp_of_claim(load_untrusted(
      cursor(lane).rotation.newest_batch, std::memory_order_acquire));  // sync: newest-batch
  for (std::size_t each = 0; each < state.chunks.size(); ++each) {
    Chunk& chunk = state.chunks[each];
    if (chunk.first_count >= head) break;
    const bool last = each + 1 == state.chunks.size();
    if (last || chunk.end_count > state.head) chunk.claimed = stamp;
  }
}

// Moves the validated head, inside a snapshot guard.
void RouteWriter::advance(LaneState& state, Lane lane, std::uint64_t head) {
  const std::uint64_t head_bytes =
      head == state.tail ? state.bytes : state.places[head - state.head].bytes_before;
  totals_.queued -= head - state.head;
  totals_.queued_bytes -= head_bytes - state.head_bytes;
  state.places.drop_front(head - state.head);
  state.head = head;
  state.head_bytes = head_bytes;
  LaneStatistics& statistics = lane_statistics(lane);
  show(statistics.validated_head, head);
  if (head != state.tail) {
    const auto* record = reinterpret_cast<const RecordHeader*>(at(state.places.front().offset));
    show(statistics.oldest_published_nanoseconds, record->published_nanoseconds);
  }
  count_queued(state, lane);
  retire_passed(state);
  publish_arena_counters();
}

RouteWriter::Evict RouteWriter::evict_head(Lane lane) {
  if (observe(lane).poisoned) return Evict::poisoned;
  LaneState& state = lanes_[lane];
  while (state.head != state.tail) {
    const std::uint64_t victim = state.head;
    const auto* record = reinterpret_cast<const RecordHeader*>(at(state.places.front().offset));
    const std::uint64_t next =
        victim + 1 == state.tail ? state.write_offset : state.places[1].offset;
    // Before the head moves: whoever sees the new head must find its place.  // sync: lane-floor
    lane_head(lane).floors[(victim + 1) % 2].store(LanePosition::pack(victim + 1, next),
                                                   std::memory_order_release);
    std::uint64_t expected = victim;
    if (cursor(lane).head.compare_exchange_strong(expected, victim + 1,
                                                  std::memory_order_seq_cst)) {  // sync: lane-head
      const std::uint64_t cost = record->payload_bytes + record->topic_bytes;
      if (state.lost_to != victim) {
        state.lost_from = victim;
        state.lost_bytes = 0;
      }
      state.lost_to = victim + 1;
      state.lost_bytes += cost;
      state.lost_sequence = record->sequence;
      ++totals_.evicted;
      totals_.evicted_bytes += cost;
      const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
      LaneStatistics& statistics = lane_statistics(lane);
      show(statistics.evicted, statistics.evicted.load(std::memory_order_relaxed) + 1);
      show(route_.counters.evicted, totals_.evicted);
      show(route_.counters.evicted_bytes, totals_.evicted_bytes);
      advance(state, lane, victim + 1);
      return Evict::evicted;
    }
    // The guest was faster. What the failed exchange saw is not the validated head, so it moves
    // that on or poisons the route: this ends, however the word is made to flicker.
    if (accept_head(lane, expected).poisoned) return Evict::poisoned;
  }
  return Evict::nothing;
}

RouteWriter::Report RouteWriter::next_report(Lane& lane) noexcept {
  if (poisoned_) return Report::none;
  if (sweeping_) {
    if (sweep_at_ < lanes_.size()) {
      lane = sweep_at_++;
      return lanes_[lane].in_use ? Report::lane : Report::useless;
    }
    sweeping_ = false;
  }
  const std::uint64_t written = load_untrusted(cursors_.reports);  // sync: drain-report
  if (written == reports_seen_) return Report::none;
  // Lapped, or nonsense: look at every lane once. One entry early, since a worker may be replacing
  // the oldest entry already, and the entry read last time may have been a replaced one.
  if (written - reports_seen_ >= kDrainReportEntries - 1) {
    reports_seen_ = written;
    sweeping_ = true;
    sweep_at_ = 0;
    return Report::useless;
  }
  lane = load_untrusted(cursors_.report_log[reports_seen_ % kDrainReportEntries],
                        std::memory_order_acquire);  // sync: report-entry
  ++reports_seen_;
  return in_use(lane) ? Report::lane : Report::useless;
}

// ---- waking ------------------------------------------------------------------------------------

void RouteWriter::move_doorbell() noexcept {
  ++doorbell_;
  route_.doorbell.store(doorbell_, std::memory_order_release);  // sync: doorbell
}

bool RouteWriter::settle(bool& armed) noexcept {
  bool late = false;
  for (const Touched& touched : touched_) {
    // The guest may have emptied the lane just before the tail moved and dropped it: then it saw
    // the old tail, and we see its claim. Either it sees our tail or we see its head.  // sync:
    // lane-tail
    const std::uint64_t head = load_untrusted(cursor(touched.lane).head);  // sync: lane-head
    if (head != touched.old_tail) continue;
    activate(lanes_[touched.lane], touched.lane);
    late = true;
  }
  touched_.clear();
  if (late) {
    move_doorbell();
    std::atomic_thread_fence(std::memory_order_seq_cst);
  }
  const std::uint32_t arms = load_untrusted(cursors_.arm_count);
  armed = arms != arms_seen_;
  arms_seen_ = arms;
  const std::uint32_t waits = load_untrusted(cursors_.wait_count);  // sync: wait-count
  // A worker may have registered after it saw this very ring, and be about to sleep on it: the
  // signal that follows now comes too early for it. So a registration counts at the next ring, too.
  const bool waiting = waits != waits_settled_;
  waits_settled_ = waits_before_;
  waits_before_ = waits;
  return waiting;
}

// ---- the rest ----------------------------------------------------------------------------------

void RouteWriter::trim(std::uint32_t spare_superblocks) noexcept {
  if (poisoned_) return;
  reclaimer_.reclaim();
  // A drain call that is running may look at memory it will not get, and must find memory there.
  // Its flag goes up before it looks.  // sync: ticket
  show(route_.committed_bytes, arena_.committed_after_trim(spare_superblocks));
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (load_untrusted(cursors_.draining) == 0) arena_.trim(spare_superblocks);
  show(route_.committed_bytes, arena_.committed_bytes());
  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  publish_arena_counters();
}

void RouteWriter::publish_arena_counters() noexcept {
  show(route_.counters.arena_used_bytes, arena_.used_bytes());
  show(route_.counters.arena_retired_bytes, reclaimer_.retired_bytes());
  if (poisoned_) return;
  show(route_.counters.held_messages,
       std::min(load_untrusted(cursors_.messages_held), totals_.delivered));
}

void RouteWriter::count_refusal(Refusal reason, std::optional<Lane> lane) noexcept {
  ++totals_.refused;
  const auto index = static_cast<std::size_t>(reason);
  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  if (index < std::size(totals_.by_reason))
    show(route_.counters.refused_by_reason[index], ++totals_.by_reason[index]);
  show(route_.counters.refused, totals_.refused);
  if (!lane) return;
  LaneStatistics& statistics = lane_statistics(*lane);
  show(statistics.refused, statistics.refused.load(std::memory_order_relaxed) + 1);
}

void RouteWriter::count_duplicate() noexcept {
  show(route_.counters.duplicates_dropped, ++totals_.duplicates);
}

void RouteWriter::add_aggregate_loss(const Loss& loss, LossReason reason) noexcept {
  if (loss.messages == 0) return;
  totals_.lost_messages += loss.messages;
  totals_.lost_bytes += loss.bytes;
  const SnapshotGuard guard(route_.snapshot);  // sync: route-snapshot
  // Announced before anything moves: whoever sees one of the new words sees this one, too.
  show(route_.loss.ending_total, totals_.lost_messages);
  std::atomic_thread_fence(std::memory_order_release);  // sync: ended-loss
  show(route_.loss.bytes, totals_.lost_bytes);
  show(route_.loss.last_sequence, loss.last_sequence);
  show(route_.loss.reason, reason);
  route_.loss.messages.store(totals_.lost_messages,
                             std::memory_order_release);  // sync: ended-loss
}

void RouteWriter::poison(Refusal reason) noexcept {
  poisoned_ = true;
  route_.poison_reason.store(reason, std::memory_order_relaxed);
  route_.state.store(RouteState::poisoned, std::memory_order_release);
  move_doorbell();
  wake();
}

void RouteWriter::wake() noexcept {
  show(route_.counters.wakes, ++totals_.wakes);
  futex_wake(route_.doorbell, static_cast<int>(kMaximumWakesPerSignal));
}

}  // namespace fairlead::shm
