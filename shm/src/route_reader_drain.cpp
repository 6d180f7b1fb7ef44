// Claiming messages: the scheduler's walk over the lanes, and what pins the memory of a batch.
#include <algorithm>
#include <limits>

#include <fairlead/shm/route_reader.hpp>

#include "worker_slots.hpp"

namespace fairlead::shm {
namespace {

// Looks in which the broker was faster each time: in each it evicted a message. As each next look
// is shorter, down to one record, an honest lane never needs so many.
constexpr std::uint32_t kMostRetries = kMaximumLaneMessages;

}  // namespace

// What one drain call is filling.
struct RouteReader::Claim {
  std::uint64_t batch;  // its number
  std::uint64_t byte_budget;
  std::size_t most;
  std::vector<MessageView>& messages;
  std::size_t first;        // index of this call's first message
  std::uint64_t bytes = 0;  // claimed so far

  // Most messages in one claim: halved when the broker evicts faster than we read, or a lane that
  // is long and flooded could never be claimed from.
  std::uint64_t most_at_once = std::numeric_limits<std::uint64_t>::max();

  // Of the lane that is being looked at, not claimed yet.
  std::uint64_t lane_messages = 0;
  std::uint64_t lane_bytes = 0;
  std::uint64_t next_offset = 0;      // where the record behind them is, or a jump to it
  std::uint64_t next_lane_bytes = 0;  // lane_bytes that it will show
  bool uncovered = false;             // the deficit does not cover the next record
  bool full = false;                  // the caller's budget or count is reached

  [[nodiscard]] std::size_t taken() const noexcept { return messages.size() - first; }
  void drop_lane() noexcept {
    messages.erase(messages.end() - static_cast<std::ptrdiff_t>(lane_messages), messages.end());
    most_at_once = std::max<std::uint64_t>(lane_messages / 2, 1);
    lane_messages = lane_bytes = 0;
  }
  void keep_lane() noexcept {
    bytes += lane_bytes;
    lane_messages = lane_bytes = 0;
    if (most_at_once <= kMaximumLaneMessages) most_at_once *= 2;
  }
};

// ---- one lane -----------------------------------------------------------------------------------

RouteReader::Visit RouteReader::read_records(const LaneHead& head, std::uint32_t lane,
                                             std::uint64_t first, std::uint64_t tail,
                                             std::uint64_t deficit, Claim& claim) noexcept {
  const LaneCursor& cursor = lanes_[lane];
  claim.lane_messages = claim.lane_bytes = 0;
  claim.uncovered = claim.full = false;
  auto found = locate(head, cursor, lane, first);
  std::uint64_t offset = 0;
  for (std::uint64_t count = first; count != tail && claim.lane_messages < claim.most_at_once;
       ++count) {
    if (count != first) found = record_at(offset, lane, count);
    if (!found) return Visit::corrupt;  // unless the head has moved since
    const RecordHeader& record = found->record;
    const std::uint64_t cost = found->cost();
    claim.uncovered = claim.lane_bytes + cost > deficit;
    if (claim.uncovered) break;
    claim.full = claim.taken() == claim.most ||
                 (claim.taken() > 0 && claim.bytes + claim.lane_bytes + cost > claim.byte_budget);
    if (claim.full) break;
    std::uint64_t lost_messages = 0;
    std::uint64_t lost_bytes = 0;
    if (count == first) {  // R29: what is missing between the last record taken and this one
      lost_messages = static_cast<std::uint32_t>(count) - cursor.expected_count;
      lost_bytes = record.lane_bytes - cursor.expected_bytes;
    }
    try {
      const std::byte* where = base_ + found->offset;
      claim.messages.emplace_back(
          *reinterpret_cast<const RecordHeader*>(where),
          *reinterpret_cast<const ChunkHeader*>(where - record.chunk_distance), lost_messages,
          lost_bytes);
    } catch (...) {
      claim.full = true;
      if (claim.taken() == 0) return Visit::no_memory;
      break;
    }
    ++claim.lane_messages;
    claim.lane_bytes += cost;
    claim.next_lane_bytes = record.lane_bytes + cost;
    offset = found->offset + record.record_bytes;
  }
  claim.next_offset = offset;
  return Visit::next;
}

RouteReader::Visit RouteReader::visit_lane(Rotation& rotation, std::uint32_t lane,
                                           Claim& claim) noexcept {
  const LaneHead* words = lane_head(lane);
  if (words == nullptr) {  // the page is gone: so is the lane
    rotation.leave(lane);
    return Visit::next;
  }
  LaneCursor& cursor = lanes_[lane];
  const std::uint64_t head = cursor.head.load(std::memory_order_acquire);  // sync: lane-head
  const std::uint64_t tail = words->tail.load(std::memory_order_acquire);  // sync: lane-tail
  // After the tail: a tail of the slot's next life shows that life's generation.
  const std::uint32_t generation = words->generation.load(std::memory_order_acquire);
  if (head == tail || generation != rotation.joined_as(lane)) {
    rotation.leave(lane);  // emptied by eviction, or another principal's by now, who is in the log
    return Visit::next;
  }
  const Visit read =
      tail - head > kMaximumLaneMessages  // a full lane, evicted from and appended to in between?
          ? Visit::corrupt
          : read_records(*words, lane, head, tail, rotation.deficit(lane), claim);
  if (read != Visit::next) {
    claim.drop_lane();
    // Evicted under our eyes? Whoever read memory of a later use sees the head that moved before.
    std::atomic_thread_fence(std::memory_order_acquire);
    const bool moved = cursor.head.load(std::memory_order_acquire) != head;
    return moved ? Visit::again : read;
  }
  if (claim.lane_messages > 0) {
    // The new place is written before the head moves and the old one stays: whoever comes after a
    // worker that died in between finds one that fits the head.
    auto& spare = cursor.positions[LanePosition::is_for(
        cursor.positions[0].load(std::memory_order_relaxed), head)];
    const std::uint64_t next = head + claim.lane_messages;
    spare.store(LanePosition::pack(next, claim.next_offset), std::memory_order_relaxed);
    // Before the head moves, too: who sees the claim must see whose it is.
    std::atomic_ref(cursor.rotation.newest_batch)
        .store(static_cast<std::uint16_t>(claim.batch),
               std::memory_order_release);  // sync: newest-batch
    std::uint64_t expected = head;
    if (!cursor.head.compare_exchange_strong(expected, next,
                                             std::memory_order_seq_cst)) {  // sync: lane-head
      claim.drop_lane();
      return Visit::again;
    }
    cursor.expected_count = static_cast<std::uint32_t>(next);
    cursor.expected_bytes = claim.next_lane_bytes;
    rotation.charge(lane, claim.lane_bytes);
    claim.keep_lane();
    report(lane);
    // Either we see a message that is just being appended, or its writer sees that the lane was
    // empty and activates it again.  // sync: lane-tail
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (words->tail.load(std::memory_order_acquire) == next) {
      rotation.leave(lane);
      return Visit::next;
    }
  }
  if (claim.full) return Visit::stop;  // the lane keeps turn and deficit (R25)
  if (claim.uncovered && rotation.pass(lane))
    cursors_->uncovered_visits.fetch_add(1, std::memory_order_relaxed);
  return Visit::next;
}

void RouteReader::report(std::uint32_t lane) noexcept {
  const std::uint64_t reports = cursors_->reports.load(std::memory_order_relaxed);
  // Released, so that a broker which reads it for the entry that it replaces finds out.
  cursors_->report_log[reports % kDrainReportEntries].store(
      lane, std::memory_order_release);                             // sync: report-entry
  cursors_->reports.store(reports + 1, std::memory_order_release);  // sync: drain-report
}

// ---- one call -----------------------------------------------------------------------------------

RouteReader::Outcome RouteReader::drain_locked(Claim& claim) noexcept {
  Rotation rotation(cursors_->rotation, Entries{lanes_}, capacity_);
  if (cursors_->mutex.needs_repair()) {
    free_slots_of_dead_workers();
    rebuild(rotation, true);
    cursors_->mutex.mark_repaired();
  }
  join_activated(rotation);
  std::uint32_t retries = 0;
  while (claim.taken() < claim.most) {
    const auto lane = rotation.visit(claim.byte_budget);
    if (!lane) break;
    const Visit visit = visit_lane(rotation, *lane, claim);
    if (visit == Visit::stop) break;
    if (visit == Visit::again) {
      if (++retries > kMostRetries) return claim.taken() > 0 ? Outcome::ok : Outcome::corrupt;
      continue;
    }
    retries = 0;
    if (visit == Visit::next) continue;
    if (claim.taken() > 0)
      break;  // what was claimed is good; the next call meets the trouble again
    return visit == Visit::no_memory ? Outcome::no_memory : Outcome::corrupt;
  }
  if (rotation.was_broken())
    rebuild(rotation, true);  // some worker scribbled; the next call goes on
  if (claim.taken() > 0) return Outcome::ok;
  switch (state()) {
    case RouteState::open:
      return Outcome::empty;
    case RouteState::closed:
      return Outcome::closed;
    case RouteState::poisoned:
      return Outcome::poisoned;
    case RouteState::filling:  // whoever drains asks before
      return Outcome::empty;
    case RouteState::none:
      break;
  }
  return Outcome::corrupt;
}

RouteReader::Outcome RouteReader::drain(std::uint64_t byte_budget, std::size_t most,
                                        std::vector<MessageView>& messages, Ticket& ticket,
                                        EndedLoss& ended) noexcept {
  ended = {};
  if (!usable_) return Outcome::corrupt;
  DrainMutex& mutex = cursors_->mutex;
  const LockOutcome locked = mutex.lock_reporting();
  if (locked == LockOutcome::failed || locked == LockOutcome::busy) return Outcome::corrupt;
  Outcome outcome = Outcome::too_many_batches;
  if (const auto taken = take_ticket()) {
    ticket = taken->slot;
    Claim claim{.batch = taken->number,
                .byte_budget = byte_budget,
                .most = most,
                .messages = messages,
                .first = messages.size()};
    outcome = drain_locked(claim);
    if (outcome == Outcome::ok) {
      // Numbers are for batches that took something: a worker that polls does not use them up.
      cursors_->batches.store(taken->number, std::memory_order_release);  // sync: newest-batch
      cursors_->messages_held.fetch_add(claim.taken(), std::memory_order_relaxed);
    } else {
      release(ticket, 0);
    }
    ended = read_ended_loss();
    cursors_->draining.store(0, std::memory_order_release);  // sync: ticket
  }
  mutex.unlock();
  return outcome;
}

// Not by the route's snapshot: a writer that died in a guard over something else would keep back
// what it had told before.
RouteReader::EndedLoss RouteReader::read_ended_loss() noexcept {
  const AggregateLoss& loss = route_->loss;
  EndedLoss seen;
  seen.messages = loss.messages.load(std::memory_order_acquire);  // sync: ended-loss
  if (seen.messages == cursors_->reported_loss_messages) return {};
  seen.bytes = loss.bytes.load(std::memory_order_relaxed);
  seen.last_sequence = loss.last_sequence.load(std::memory_order_relaxed);
  seen.reason = loss.reason.load(std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_acquire);  // sync: ended-loss
  // Otherwise the next loss is just being added: the next call reports both.
  if (loss.ending_total.load(std::memory_order_relaxed) != seen.messages) return {};
  EndedLoss news = seen;
  news.messages -= cursors_->reported_loss_messages;
  news.bytes -= cursors_->reported_loss_bytes;
  cursors_->reported_loss_messages = seen.messages;
  cursors_->reported_loss_bytes = seen.bytes;
  return news;
}

bool RouteReader::ready() noexcept {
  return !usable_ || cursors_->mutex.needs_repair() || cursors_->rotation.active > 0 ||
         route_->activations.load(std::memory_order_acquire) !=
             cursors_->activations_seen ||  // sync: activation-log
         has_ended_loss() ||
         state() != RouteState::open;
}

// ---- tickets and holds --------------------------------------------------------------------------

namespace {

WorkerSlots<TicketSlot> tickets_of(CursorHeader& cursors) noexcept {
  return {cursors.tickets, cursors.ticket_owners};
}

WorkerSlots<std::atomic<std::uint64_t>> holds_of(CursorHeader& cursors) noexcept {
  return {cursors.holds, cursors.hold_owners};
}

}  // namespace

std::optional<RouteReader::Batch> RouteReader::take_ticket() noexcept {
  const auto slot = tickets_of(*cursors_).claim();
  if (!slot) return std::nullopt;
  // One after the last that took something; a dead worker's, which was not counted, may have had
  // the same: the older one then pins what the younger one pins, no less.
  const std::uint64_t batch =
      std::max<std::uint64_t>(cursors_->batches.load(std::memory_order_relaxed) + 1, 1);
  cursors_->tickets[*slot].batch.store(batch, std::memory_order_release);  // sync: ticket
  cursors_->draining.store(1, std::memory_order_release);
  // Both before any look at a lane or its page: see ChunkReclaimer::stamp_of_now,
  // RouteWriter::trim.  // sync: ticket
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return Batch{*slot, batch};
}

void RouteReader::release(Ticket ticket, std::uint64_t messages) noexcept {
  if (!tickets_of(*cursors_).give_back(ticket)) return;
  cursors_->messages_held.fetch_sub(messages, std::memory_order_relaxed);
}

std::optional<RouteReader::Hold> RouteReader::hold(const MessageView& message) noexcept {
  const auto slot = holds_of(*cursors_).claim();
  if (!slot) return std::nullopt;
  const auto chunk =
      static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(&message.chunk()) - base_);
  cursors_->holds[*slot].store(chunk, std::memory_order_release);
  cursors_->messages_held.fetch_add(1, std::memory_order_relaxed);
  return slot;
}

void RouteReader::release_hold(Hold hold) noexcept {
  if (!holds_of(*cursors_).give_back(hold)) return;
  cursors_->messages_held.fetch_sub(1, std::memory_order_relaxed);
}

void RouteReader::free_slots_of_dead_workers() noexcept {
  if (!usable_) return;
  tickets_of(*cursors_).sweep(is_dead);
  holds_of(*cursors_).sweep(is_dead);
}

}  // namespace fairlead::shm
