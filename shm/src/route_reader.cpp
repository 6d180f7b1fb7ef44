#include <fairlead/shm/route_reader.hpp>

#include <algorithm>
#include <utility>

#include <fairlead/shm/route_remains.hpp>
#include <fairlead/shm/untrusted.hpp>

namespace fairlead::shm {

RouteReader::RouteReader(std::span<const std::byte> route, std::span<std::byte> cursors,
                         std::uint32_t lane_capacity) noexcept
    : route_(reinterpret_cast<const RouteHeader*>(route.data())),
      base_(route.data()),
      route_bytes_(route.size()),
      cursors_(reinterpret_cast<CursorHeader*>(cursors.data())),
      lanes_(reinterpret_cast<LaneCursor*>(cursors.data() + kCursorLanesOffset)),
      capacity_(lane_capacity),
      usable_(route.size() >= kRouteArenaOffset && lane_capacity > 0 &&
              lane_capacity <= kMaximumLanesPerRoute &&
              cursors.size() >= cursor_segment_bytes(lane_capacity)) {}

// ---- finding things in the segment
// ---------------------------------------------------------------

const LaneHead* RouteReader::lane_head(std::uint32_t lane) const noexcept {
  if (lane >= capacity_) return nullptr;
  const std::uint64_t offset =
      std::uint64_t{route_->lane_pages[lane / kLanesPerPage].load(std::memory_order_acquire)} *
      kMinimumChunkBytes;
  if (offset < kRouteArenaOffset || !fits(offset, sizeof(LanePage), route_bytes_)) return nullptr;
  return &reinterpret_cast<const LanePage*>(base_ + offset)->heads[lane % kLanesPerPage];
}

std::optional<FoundRecord> RouteReader::record_at(std::uint64_t offset, std::uint32_t lane,
                                                  std::uint64_t count) noexcept {
  // Beyond the committed bytes there is no file, only SIGBUS.
  const std::uint64_t limit =
      std::min(route_bytes_, route_->committed_bytes.load(std::memory_order_relaxed));
  return find_record(base_, limit, offset, lane, count);
}

// A word that is 2^32 records old looks as if it were for this count: only the record itself tells.
std::optional<FoundRecord> RouteReader::locate(const LaneHead& head, const LaneCursor& cursor,
                                               std::uint32_t lane, std::uint64_t count) noexcept {
  // The broker's word first: it is of the lane's present life.  // sync: lane-floor
  const std::uint64_t floor = head.floors[count % 2].load(std::memory_order_acquire);
  for (const std::uint64_t place : {floor, cursor.positions[0].load(std::memory_order_relaxed),
                                    cursor.positions[1].load(std::memory_order_relaxed)}) {
    if (!LanePosition::is_for(place, count)) continue;
    if (const auto found = record_at(LanePosition::offset_of(place), lane, count)) return found;
  }
  return std::nullopt;
}

// ---- the rotation
// --------------------------------------------------------------------------------

void RouteReader::adopt_generation(LaneCursor& cursor, const LaneHead& head,
                                   std::uint32_t generation) noexcept {
  if (cursor.generation == generation) return;
  cursor.expected_count =
      static_cast<std::uint32_t>(head.base_count.load(std::memory_order_relaxed));
  cursor.expected_bytes = head.base_bytes.load(std::memory_order_relaxed);
  cursor.positions[0].store(0, std::memory_order_relaxed);
  cursor.positions[1].store(0, std::memory_order_relaxed);
  cursor.rotation.uncovered_visits = 0;
  // Last: a worker that dies before it leaves a lane that the next one adopts anew.
  std::atomic_ref(cursor.generation).store(generation, std::memory_order_release);
}

void RouteReader::join_one(Rotation& rotation, std::uint32_t lane) noexcept {
  const LaneHead* head = lane_head(lane);
  if (head == nullptr) return;
  const std::uint32_t generation = head->generation.load(std::memory_order_acquire);
  const std::uint32_t joined = rotation.joined_as(lane);
  if (generation == 0 || joined == generation) return;  // activating twice is harmless
  if (joined != 0) rotation.leave(lane);  // the slot changed hands: turn and deficit are gone
  adopt_generation(lanes_[lane], *head, generation);
  rotation.join(lane, generation);
}

// The head first: with the tail first, the writer may append and evict in between, and a head that
// has come as far as that old tail makes a lane look empty which nobody will activate again.
bool RouteReader::has_messages(const LaneHead& head, const LaneCursor& cursor) noexcept {
  const std::uint64_t count = cursor.head.load(std::memory_order_acquire);  // sync: lane-head
  return head.tail.load(std::memory_order_acquire) != count;                // sync: lane-tail
}

// The entry may be old: a lane that is empty again is left alone (whoever fills it activates it
// again), and a slot that changed hands joins where its new owner's own entry stands (R27).
void RouteReader::join_logged(Rotation& rotation, std::uint32_t entry) noexcept {
  const std::uint32_t lane = ActivationEntry::lane_of(entry);
  const LaneHead* head = lane_head(lane);
  if (head == nullptr) return;
  if (!ActivationEntry::is_of(entry, head->generation.load(std::memory_order_acquire))) return;
  if (has_messages(*head, lanes_[lane])) join_one(rotation, lane);
}

void RouteReader::join_activated(Rotation& rotation) noexcept {
  const std::uint64_t written =
      route_->activations.load(std::memory_order_acquire);  // sync: activation-log
  std::uint64_t& seen = cursors_->activations_seen;
  if (written == seen) return;
  // Exactly that many are too many: the writer may be replacing the oldest entry already.
  if (written - seen >= kActivationLogEntries) {
    rebuild(rotation, false);
    return;
  }
  const std::uint64_t oldest_read = seen;
  while (seen != written) {
    join_logged(rotation, route_->activation_log[seen % kActivationLogEntries].load(
                              std::memory_order_relaxed));
    ++seen;
  }
  // Entries that were overwritten while we read them belong to lanes that the log no longer tells
  // of.
  std::atomic_thread_fence(std::memory_order_acquire);  // sync: activation-entry
  if (route_->activations.load(std::memory_order_relaxed) - oldest_read >= kActivationLogEntries)
    rebuild(rotation, false);
}

// Joins every lane that has messages, in the order in which they became active: after the
// activation log was lapped, or after a worker died in the middle of a change (`from_nothing`).
void RouteReader::rebuild(Rotation& rotation, bool from_nothing) noexcept {
  if (from_nothing) {
    rotation.reset();
    for (std::uint32_t lane = 0; lane < capacity_; ++lane) {
      if (lanes_[lane].rotation.joined != 0) rotation.forget(lane);
    }
  }
  cursors_->activations_seen =
      route_->activations.load(std::memory_order_acquire);  // sync: activation-log
  std::vector<std::pair<std::uint64_t, std::uint32_t>> found;
  try {
    for (std::uint32_t lane = 0; lane < capacity_; ++lane) {
      const LaneHead* head = lane_head(lane);
      if (head == nullptr) {  // nor is there one of its page's other lanes
        lane |= kLanesPerPage - 1;
        continue;
      }
      if (has_messages(*head, lanes_[lane]))
        found.emplace_back(head->activation.load(std::memory_order_relaxed), lane);
    }
    std::sort(found.begin(), found.end());
  } catch (...) {
    // Out of memory: what was found joins, the rest with the next call, which finds the log lapped.
    cursors_->activations_seen -= kActivationLogEntries;
  }
  for (const auto& [activation, lane] : found) join_one(rotation, lane);
}

// ---- the end of an epoch -----------------------------------------------------------------------

void RouteReader::join_all() noexcept {
  if (!usable_) return;
  DrainMutex& mutex = cursors_->mutex;
  const LockOutcome locked = mutex.lock_reporting();
  if (locked == LockOutcome::failed || locked == LockOutcome::busy) return;
  Rotation rotation(cursors_->rotation, Entries{lanes_}, capacity_);
  rebuild(rotation, mutex.needs_repair());
  if (mutex.needs_repair()) mutex.mark_repaired();
  mutex.unlock();
}

RouteReader::EndedLoss RouteReader::final_loss() noexcept {
  EndedLoss loss;
  if (!usable_) return loss;
  DrainMutex& mutex = cursors_->mutex;
  const LockOutcome locked = mutex.lock_reporting();
  if (locked == LockOutcome::failed || locked == LockOutcome::busy) return loss;
  // Its writer may have died inside of the guard that read_ended_loss() waits for.
  const std::uint64_t told = route_->loss.messages.load(std::memory_order_acquire);
  if (told != cursors_->reported_loss_messages) {
    loss = {told - cursors_->reported_loss_messages,
            route_->loss.bytes.load(std::memory_order_relaxed) - cursors_->reported_loss_bytes,
            route_->loss.last_sequence.load(std::memory_order_relaxed),
            route_->loss.reason.load(std::memory_order_relaxed)};
    cursors_->reported_loss_messages += loss.messages;
    cursors_->reported_loss_bytes += loss.bytes;
  }
  const RouteRemains remains({base_, route_bytes_}, capacity_);
  for (std::uint32_t lane = 0; lane < capacity_; ++lane) {
    const LaneHead* head = lane_head(lane);
    if (head == nullptr) {
      lane |= kLanesPerPage - 1;
      continue;
    }
    const std::uint32_t generation = head->generation.load(std::memory_order_acquire);
    LaneCursor& cursor = lanes_[lane];
    if (generation == 0 || head->in_use.load(std::memory_order_relaxed) == 0 ||
        has_messages(*head, cursor) || remains.counted_as_ended(lane, generation))
      continue;
    adopt_generation(cursor, *head, generation);
    const auto missing = static_cast<std::uint32_t>(head->tail.load(std::memory_order_acquire)) -
                         cursor.expected_count;
    if (missing == 0) continue;
    const std::uint64_t cost = remains.cost_up_to_tail(lane).value_or(cursor.expected_bytes);
    loss.messages += missing;
    loss.bytes += cost - std::min(cost, cursor.expected_bytes);
    if (loss.reason == LossReason::none) loss.reason = LossReason::budget;
    cursor.expected_count += missing;
    cursor.expected_bytes = cost;
  }
  mutex.unlock();
  return loss;
}

}  // namespace fairlead::shm
