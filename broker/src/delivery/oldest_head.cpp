#include "delivery/oldest_head.hpp"

#include <utility>

namespace fairlead::broker {

bool OldestHead::gone(const Entry& entry) const noexcept {
  // Counts of one slot never restart, and a lane holds far fewer than 2^31 messages.
  const auto head = static_cast<std::uint32_t>(writer_.head(entry.lane));
  return static_cast<std::int32_t>(entry.count_low - head) < 0;
}

void OldestHead::sweep() noexcept {
  std::size_t kept = 0;
  steps_ += queue_.size();
  for (std::size_t each = 0; each < queue_.size(); ++each) {
    if (!gone(queue_[each])) queue_[kept++] = queue_[each];
  }
  queue_.truncate(kept);
}

void OldestHead::prepare(shm::Lane) {
  // Half of it must be gone, so that a sweep is paid for by the pushes since the last one.
  if (queue_.size() == queue_.capacity() && writer_.queued() * 2 <= queue_.size()) sweep();
  queue_.reserve_one();
}

void OldestHead::appended(shm::Lane lane, std::uint64_t count, std::uint64_t sequence) noexcept {
  queue_.put({sequence, lane, static_cast<std::uint32_t>(count)});
  // A fan-out that paused delivers an older message late: it goes where its age belongs.
  for (std::size_t place = queue_.size() - 1;
       place > 0 && queue_[place - 1].sequence > queue_[place].sequence; --place, ++steps_)
    std::swap(queue_[place - 1], queue_[place]);
  ++steps_;
}

std::optional<shm::Lane> OldestHead::victim(const Arrival&) noexcept {
  for (; !queue_.empty() && gone(queue_.front()); ++steps_) queue_.pop_front();
  ++steps_;
  if (queue_.empty()) return std::nullopt;
  return queue_.front().lane;
}

}  // namespace fairlead::broker
