// Deficit round robin over numbered lanes (Shreedhar and Varghese 1995; R23 to R27): pure policy on
// state that somebody else stores. A guest keeps it in its cursor segment, the broker (which serves
// outboxes by the same rule, R33) on its heap.
//
// Every operation is O(1). Not thread-safe: the caller holds the lock that guards the state. The
// state may have been scribbled on by another worker of the same guest: links are bounds-checked,
// and what makes no sense empties the rotation (rebuild it then); nothing outside `entries` is ever
// touched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include <fairlead/shm/constants.hpp>
#include <fairlead/shm/layout/cursor_layout.hpp>

namespace fairlead::shm {

// `Entries`: entries[lane] is a RotationEntry&, for lane < capacity <= kMaximumLanesPerRoute.
template <class Entries>
class DeficitRoundRobin {
 public:
  DeficitRoundRobin(RotationState& state, Entries entries, std::uint32_t capacity) noexcept
      : state_(state), entries_(entries), capacity_(capacity) {}

  // Appends the lane at the end (R27). `as` is any number but 0, see joined_as().
  void join(std::uint32_t lane, std::uint32_t as) noexcept {
    RotationEntry& entry = entries_[lane];
    entry.deficit = 0;
    entry.joined = as;
    entry.next_round = next_round();
    append(lane);
    ++state_.active;
  }

  // Drops lane and deficit (R23).
  void leave(std::uint32_t lane) noexcept {
    RotationEntry& entry = entries_[lane];
    if (entry.joined == 0) return;
    if (state_.front == lane + 1) state_.visit_open = kNoVisit;
    unlink(lane);
    entry.deficit = 0;
    entry.joined = 0;
    if (state_.active > 0) --state_.active;
  }

  // What the lane joined as; 0 when it is not in the rotation.
  [[nodiscard]] std::uint32_t joined_as(std::uint32_t lane) noexcept {
    return entries_[lane].joined;
  }

  // The lane whose turn it is, with its quantum granted if the visit is new. `drain_budget` matters
  // only when a round begins: quantum = max(4 KiB, budget / active lanes).
  [[nodiscard]] std::optional<std::uint32_t> visit(std::uint64_t drain_budget) noexcept {
    const std::uint32_t front = state_.front;
    if (front == 0) return std::nullopt;
    if (front > capacity_) return broken();
    RotationEntry& entry = entries_[front - 1];
    if (entry.joined == 0) return broken();
    if (state_.visit_open == kNoVisit) {
      // Nobody is more than one round ahead: 16 bits tell.
      if (static_cast<std::int16_t>(entry.next_round - state_.round) > 0) {
        ++state_.round;
        state_.quantum = std::max(kMinimumQuantumBytes,
                                  drain_budget / std::max<std::uint32_t>(state_.active, 1));
      }
      entry.deficit += state_.quantum;
      state_.visit_open = kGranted;
    }
    return front - 1;
  }

  [[nodiscard]] std::uint64_t deficit(std::uint32_t lane) noexcept {
    return entries_[lane].deficit;
  }

  // The lane that is visited has emitted messages of that cost (at most its deficit).
  void charge(std::uint32_t lane, std::uint64_t cost) noexcept {
    RotationEntry& entry = entries_[lane];
    entry.deficit -= std::min(entry.deficit, cost);
    state_.visit_open = kEmitted;
  }

  // Ends the visit of a lane whose head its deficit does not cover: to the end, deficit kept.
  // True when the quantum did not even cover the first head (R30).
  bool pass(std::uint32_t lane) noexcept {
    RotationEntry& entry = entries_[lane];
    const bool uncovered = state_.visit_open == kGranted;
    if (uncovered) ++entry.uncovered_visits;
    entry.next_round = next_round();
    state_.visit_open = kNoVisit;
    if (state_.front != state_.back) {
      unlink(lane);
      append(lane);
    }
    return uncovered;
  }

  [[nodiscard]] std::uint32_t active() const noexcept { return state_.active; }

  // Empties the rotation. Entries still say that they joined: forget() them or join them anew.
  void reset() noexcept {
    const std::uint32_t round = state_.round;
    state_ = RotationState{};
    state_.round = round;
  }
  void forget(std::uint32_t lane) noexcept {
    entries_[lane].deficit = 0;
    entries_[lane].joined = 0;
  }
  // True when visit() met a link or an entry that makes no sense and emptied the rotation.
  [[nodiscard]] bool was_broken() const noexcept { return was_broken_; }

 private:
  static constexpr std::uint32_t kNoVisit = 0;
  static constexpr std::uint32_t kGranted = 1;
  static constexpr std::uint32_t kEmitted = 2;

  std::nullopt_t broken() noexcept {
    was_broken_ = true;
    reset();
    return std::nullopt;
  }

  [[nodiscard]] std::uint16_t next_round() const noexcept {
    return static_cast<std::uint16_t>(state_.round + 1);
  }

  void append(std::uint32_t lane) noexcept {
    RotationEntry& entry = entries_[lane];
    entry.next = 0;
    entry.previous = static_cast<std::uint16_t>(std::min(state_.back, capacity_));
    if (entry.previous == 0) {
      state_.front = lane + 1;
    } else {
      entries_[entry.previous - 1U].next = static_cast<std::uint16_t>(lane + 1);
    }
    state_.back = lane + 1;
  }

  void unlink(std::uint32_t lane) noexcept {
    const std::uint32_t next = std::min<std::uint32_t>(entries_[lane].next, capacity_);
    const std::uint32_t previous = std::min<std::uint32_t>(entries_[lane].previous, capacity_);
    if (previous != 0) {
      entries_[previous - 1].next = static_cast<std::uint16_t>(next);
    } else {
      state_.front = next;
    }
    if (next != 0) {
      entries_[next - 1].previous = static_cast<std::uint16_t>(previous);
    } else {
      state_.back = previous;
    }
  }

  RotationState& state_;
  Entries entries_;
  std::uint32_t capacity_;
  bool was_broken_ = false;
};

}  // namespace fairlead::shm
