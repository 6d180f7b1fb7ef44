#include <fairlead/shm/chunk_reclaimer.hpp>

#include <algorithm>
#include <limits>

#include <fairlead/shm/untrusted.hpp>

namespace fairlead::shm {

std::uint64_t ChunkReclaimer::stamp_of_claim(std::uint16_t newest_batch) const noexcept {
  // A batch is counted when its drain call ends, so it may be the one after the last counted.
  const std::uint64_t newest = load_untrusted(cursors_.batches) + 1;  // sync: newest-batch
  return newest - static_cast<std::uint16_t>(newest - newest_batch);
}

std::uint64_t ChunkReclaimer::stamp_of_now() const noexcept {
  // Either a drain call that is running is seen here, or it sees what was unlinked.
  std::atomic_thread_fence(std::memory_order_seq_cst);  // sync: ticket
  if (load_untrusted(cursors_.draining) == 0) return 0;
  return load_untrusted(cursors_.batches) + 1;  // sync: newest-batch
}

void ChunkReclaimer::retire(std::uint64_t offset, std::uint64_t bytes, std::uint64_t stamp) {
  waiting_.push({offset, bytes, stamp});
  retired_bytes_ += bytes;
}

std::uint64_t ChunkReclaimer::oldest_ticket() const noexcept {
  std::uint64_t oldest = std::numeric_limits<std::uint64_t>::max();
  for (const TicketSlot& slot : cursors_.tickets) {
    const std::uint64_t batch = load_untrusted(slot.batch);  // sync: ticket
    if (batch != 0) oldest = std::min(oldest, batch);
  }
  return oldest;
}

// Each word once: a guest may hold hundreds of messages while hundreds of chunks wait.
void ChunkReclaimer::read_holds() noexcept {
  hold_count_ = 0;
  for (std::uint32_t slot = 0; slot < hold_slots_; ++slot) {
    const std::uint64_t chunk = load_untrusted(cursors_.holds[slot]);
    if (chunk != 0) holds_[static_cast<std::size_t>(hold_count_++)] = chunk;
  }
  std::sort(holds_.begin(), holds_.begin() + hold_count_);
}

bool ChunkReclaimer::held(std::uint64_t chunk) const noexcept {
  return std::binary_search(holds_.begin(), holds_.begin() + hold_count_, chunk);
}

std::uint64_t ChunkReclaimer::free_or_keep(const Retired& chunk) noexcept {
  if (held(chunk.offset)) {
    try {
      held_.push_back(chunk);
    } catch (...) {
      retired_bytes_ -= chunk.bytes;  // lost to the segment until the route ends
    }
    return 0;
  }
  free(chunk);
  return chunk.bytes;
}

void ChunkReclaimer::free(const Retired& chunk) noexcept {
  arena_.free(chunk.offset, chunk.bytes);
  retired_bytes_ -= chunk.bytes;
}

std::uint64_t ChunkReclaimer::reclaim() noexcept {
  if (waiting_.empty() && held_.empty()) return 0;
  std::uint64_t freed = 0;
  const std::uint64_t oldest = oldest_ticket();
  read_holds();  // after the tickets: a message is kept before its batch is released
  // Holds that were dropped. At most kHoldSlots chunks stay here: each needs a slot's word.
  for (std::size_t each = 0; each < held_.size();) {
    if (held(held_[each].offset)) {
      ++each;
      continue;
    }
    free(held_[each]);
    freed += held_[each].bytes;
    held_[each] = held_.back();
    held_.pop_back();
  }
  while (!waiting_.empty() && waiting_.top().stamp < oldest) {
    freed += free_or_keep(waiting_.top());
    waiting_.pop();
  }
  return freed;
}

}  // namespace fairlead::shm
