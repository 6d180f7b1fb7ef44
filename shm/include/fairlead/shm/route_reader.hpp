// The draining side of a route: claims messages in DRR order (R22 to R29) and pins what it claimed.
// Guest's side; needs the route segment read-only and the cursor segment read-write.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <fairlead/shm/deficit_round_robin.hpp>
#include <fairlead/shm/found_record.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>
#include <fairlead/shm/layout/route_layout.hpp>
#include <fairlead/shm/message_view.hpp>

namespace fairlead::shm {

// Thread-safe and process-safe among the workers of one guest: drain() takes the drain mutex, and
// who asks ready() holds it; all else works without. Tickets and holds belong to the process that
// got them: releasing them in a forked child does nothing. Nothing here throws or blocks on the
// broker.
class RouteReader {
 public:
  using Ticket = std::uint32_t;
  using Hold = std::uint32_t;

  enum class Outcome {
    ok,                // at least one message
    empty,             // nothing there now
    closed,            // nothing there and the broker closed the route
    poisoned,          // the broker closed this route because its cursors made no sense
    too_many_batches,  // kTicketSlots batches are out; release one
    corrupt,           // the segment breaks its own format
    no_memory,         // this process has none for the views
  };

  // Losses of lanes that ended without a further message, since the last drain call (R29).
  struct EndedLoss {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t last_sequence = 0;
    LossReason reason = LossReason::none;
  };

  // Both mappings outlive the reader. `lane_capacity` as told at attach, never read from the
  // segment. The sizes are those of the mappings; throws nothing, a mapping too small is `corrupt`
  // at drain.
  RouteReader(std::span<const std::byte> route, std::span<std::byte> cursors,
              std::uint32_t lane_capacity) noexcept;

  // Appends to `messages` what the caller's budget allows: at least one if there is any (R25), at
  // most `most`. On `ok` everything appended stays readable until release(ticket, number appended).
  // `ended` is filled whatever the outcome. `byte_budget` counts payload and topic bytes.
  [[nodiscard]] Outcome drain(std::uint64_t byte_budget, std::size_t most,
                              std::vector<MessageView>& messages, Ticket& ticket,
                              EndedLoss& ended) noexcept;
  void release(Ticket ticket, std::uint64_t messages) noexcept;

  // Keeps one message beyond its batch; nothing when all kHoldSlots are taken. The batch must still
  // be held while this runs.
  [[nodiscard]] std::optional<Hold> hold(const MessageView& message) noexcept;
  void release_hold(Hold hold) noexcept;

  // Gives back what workers held when they died, or it would pin memory for ever (R28). Its count
  // in messages_held stays: that figure is for people. No lock is needed; no system call as long as
  // only this process holds anything. drain() and hold() do it when slots run out.
  void free_slots_of_dead_workers() noexcept;

  // For a route whose broker is dead, before it is drained to its end: joins every lane that has
  // messages, whatever the activation log says. Its broker may have died between tail and log.
  void join_all() noexcept;
  // Of such a route once it is empty: losses that nothing else tells (R29). A second call adds
  // nothing.
  [[nodiscard]] EndedLoss final_loss() noexcept;

  // Whether drain() has something to do (messages, or the news that the route ended). The caller
  // holds the drain mutex.
  [[nodiscard]] bool ready() noexcept;
  // Whether drain() would report ended lanes' losses now. Not while they change: their writer rings
  // later, or it died over that, and then there is only final_loss().
  [[nodiscard]] bool has_ended_loss() const noexcept {
    return route_->loss.messages.load(std::memory_order_relaxed) !=
               cursors_->reported_loss_messages &&
           route_->loss.messages.load(std::memory_order_relaxed) ==
               route_->loss.ending_total.load(std::memory_order_relaxed);
  }

  [[nodiscard]] DrainMutex& mutex() noexcept { return cursors_->mutex; }
  [[nodiscard]] const std::atomic<std::uint32_t>& doorbell() const noexcept {
    return route_->doorbell;
  }
  [[nodiscard]] std::atomic<std::uint32_t>& wait_count() noexcept { return cursors_->wait_count; }
  [[nodiscard]] std::atomic<std::uint32_t>& arm_count() noexcept { return cursors_->arm_count; }
  [[nodiscard]] RouteState state() const noexcept {
    return route_->state.load(std::memory_order_acquire);
  }
  [[nodiscard]] Refusal poison_reason() const noexcept {
    return route_->poison_reason.load(std::memory_order_relaxed);
  }
  [[nodiscard]] const RouteIdentity& identity() const noexcept { return route_->identity; }

 private:
  struct Entries {
    LaneCursor* lanes;
    RotationEntry& operator[](std::uint32_t lane) const noexcept { return lanes[lane].rotation; }
  };
  using Rotation = DeficitRoundRobin<Entries>;

  enum class Visit { next, again, stop, corrupt, no_memory };
  struct Claim;

  [[nodiscard]] const LaneHead* lane_head(std::uint32_t lane) const noexcept;
  [[nodiscard]] std::optional<FoundRecord> record_at(std::uint64_t offset, std::uint32_t lane,
                                                     std::uint64_t count) noexcept;
  [[nodiscard]] std::optional<FoundRecord> locate(const LaneHead& head, const LaneCursor& cursor,
                                                  std::uint32_t lane, std::uint64_t count) noexcept;
  [[nodiscard]] Visit visit_lane(Rotation& rotation, std::uint32_t lane, Claim& claim) noexcept;
  [[nodiscard]] Visit read_records(const LaneHead& head, std::uint32_t lane, std::uint64_t first,
                                   std::uint64_t tail, std::uint64_t deficit,
                                   Claim& claim) noexcept;
  void adopt_generation(LaneCursor& cursor, const LaneHead& head,
                        std::uint32_t generation) noexcept;
  void join_activated(Rotation& rotation) noexcept;
  void join_one(Rotation& rotation, std::uint32_t lane) noexcept;
  [[nodiscard]] static bool has_messages(const LaneHead& head, const LaneCursor& cursor) noexcept;
  void join_logged(Rotation& rotation, std::uint32_t entry) noexcept;
  void rebuild(Rotation& rotation, bool from_nothing) noexcept;
  void report(std::uint32_t lane) noexcept;
  [[nodiscard]] EndedLoss read_ended_loss() noexcept;
  struct Batch {
    Ticket slot;
    std::uint64_t number;
  };
  [[nodiscard]] std::optional<Batch> take_ticket() noexcept;
  Outcome drain_locked(Claim& claim) noexcept;

  const RouteHeader* route_;
  const std::byte* base_;
  std::uint64_t route_bytes_;
  CursorHeader* cursors_;
  LaneCursor* lanes_;
  std::uint32_t capacity_;
  bool usable_;
};

}  // namespace fairlead::shm
