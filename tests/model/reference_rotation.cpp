#include "reference_rotation.hpp"

#include <algorithm>

#include <fairlead/shm/constants.hpp>

namespace fairlead::test {

void ReferenceRotation::activated(const LanePointer& lane) {
  lane->activation = ++activations_;
  activated_.push_back(lane);
}

void ReferenceRotation::join(const LanePointer& lane) {
  if (lane->queue.empty()) return;
  const auto here = std::find_if(turns_.begin(), turns_.end(),
                                 [&](const Turn& turn) { return turn.lane->slot == lane->slot; });
  if (here != turns_.end()) {
    if (here->lane == lane) return;
    turns_.erase(here);
  }
  turns_.push_back({lane, 0, round_ + 1});
}

ReferenceLane* ReferenceRotation::next(std::uint64_t drain_budget) {
  while (!turns_.empty()) {
    Turn& turn = turns_.front();
    if (!turn.granted) {
      if (turn.next_round > round_) {
        round_ = turn.next_round;
        quantum_ = std::max<std::uint64_t>(4096, drain_budget / turns_.size());
      }
      turn.granted = true;
      turn.emitted = false;
      turn.deficit += quantum_;
    }
    if (turn.lane->queue.empty()) {
      turns_.pop_front();
      continue;
    }
    if (covered(turn)) return turn.lane.get();
    if (!turn.emitted) ++uncovered_visits_;
    pass();
  }
  return nullptr;
}

bool ReferenceRotation::covered(const Turn& turn) {
  return turn.lane->queue.front().cost <= turn.deficit;
}

void ReferenceRotation::pass() {
  turns_.front().granted = false;
  turns_.front().next_round = round_ + 1;
  turns_.splice(turns_.end(), turns_, turns_.begin());
}

void ReferenceRotation::emitted(std::uint64_t cost) {
  Turn& turn = turns_.front();
  turn.deficit -= cost;
  turn.emitted = true;
  if (turn.lane->queue.empty()) {
    turns_.pop_front();
  } else if (!covered(turn)) {
    pass();
  }
}

}  // namespace fairlead::test
