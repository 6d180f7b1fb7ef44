// R23 to R27 on a plain list.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>

#include "support/guest_end.hpp"

namespace fairlead::test {

struct QueuedMessage {
  TakenMessage message;
  std::uint64_t cost = 0;          // R15
  std::uint64_t count = 0;         // of the lane's messages before it
  std::uint64_t bytes_before = 0;  // what they cost
};

/// The FIFO of one principal from the moment it has a message until it has none (R10).
struct ReferenceLane {
  std::string principal;
  std::uint32_t slot = 0;  // breaks ties
  std::deque<QueuedMessage> queue;
  std::uint64_t bytes = 0;  // queued
  std::uint64_t next_count = 0;
  std::uint64_t next_bytes = 0;
  std::uint64_t told_count = 0;  // what the guest knows of: all messages before this count
  std::uint64_t told_bytes = 0;
  std::uint64_t last_lost_sequence = 0;
  std::uint64_t activation = 0;  // the newest
};
using LanePointer = std::shared_ptr<ReferenceLane>;

/// The guest's scheduler. Rules in prose where semantics.md leaves them open:
/// - a lane joins when the guest next looks, in the order in which the lanes became active; one
/// that
///   has lost all its messages by then does not join;
/// - a lane that loses all its messages later keeps its place until its turn comes (it still counts
/// as
///   active), unless its slot is given to another principal before: that one joins at the end;
/// - when more than 2,048 activations came between two looks, lanes join by their newest
/// activation.
class ReferenceRotation {
 public:
  /// The lane had no message and has one now.
  void activated(const LanePointer& lane);
  /// First thing in every call. `lanes`: those with messages, only asked when the log overflowed.
  template <class Lanes>
  void join_activated(const Lanes& lanes);

  /// The lane that may emit its head now; nothing when no lane has messages.
  [[nodiscard]] ReferenceLane* next(std::uint64_t drain_budget);
  /// Its head was taken.
  void emitted(std::uint64_t cost);

  [[nodiscard]] std::uint64_t uncovered_visits() const noexcept { return uncovered_visits_; }

 private:
  struct Turn {
    LanePointer lane;
    std::uint64_t deficit = 0;
    std::uint64_t next_round = 0;
    bool granted = false;  // has had its quantum in this visit
    bool emitted = false;  // and has used some of it
  };
  void join(const LanePointer& lane);
  [[nodiscard]] static bool covered(const Turn& turn);
  void pass();

  std::list<Turn> turns_;
  std::deque<LanePointer> activated_;
  std::uint64_t activations_ = 0;
  std::uint64_t round_ = 0;
  std::uint64_t quantum_ = 0;
  std::uint64_t uncovered_visits_ = 0;
};

template <class Lanes>
void ReferenceRotation::join_activated(const Lanes& lanes) {
  if (activated_.size() > shm::kActivationLogEntries) {
    activated_.clear();
    std::list<LanePointer> sorted;
    for (const auto& [principal, lane] : lanes) sorted.push_back(lane);
    sorted.sort([](const auto& a, const auto& b) { return a->activation < b->activation; });
    for (const LanePointer& lane : sorted) join(lane);
  }
  for (; !activated_.empty(); activated_.pop_front()) join(activated_.front());
}

}  // namespace fairlead::test
